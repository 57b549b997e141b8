//! What could be wrong with a daemon, a gateway or a command, and the words by which the suite notices.

mod jwt;
mod requests;
mod writes;

use harness::bed::GatewayKind;
use harness::front;

use crate::flaw::Flaw;

/// A flaw, and the scenario that has to notice it.
pub(crate) struct Mutation {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What is wrong.
    pub(crate) flaw: Flaw,
    /// The feature file of the scenario, without its ending.
    pub(crate) feature: &'static str,
    /// A part of the scenario's name.
    pub(crate) scenario: &'static str,
    /// Words of the failure: another one would be a coincidence.
    pub(crate) words: &'static str,
}

const WALK: &str = "echo walks through its six values files";
const PER_VERSION: &str = "An Upstream per version";
const CLAIM: &str = "The canary is for callers whose token has a claim";
const MOVE: &str = "Two services with a canary at 25 % move";
const REJECTED: &str = "Routes that the gateway alone rejects are rolled back";
const NO_CANARY: &str = r#"/echo did not converge to {"echo-v2"}"#;
const NO_CODE: &str = "it ended with exit status: 0";

/// Those that scenarios on the local bed with this gateway have to notice.
pub(crate) fn of(gateway: GatewayKind) -> &'static [Mutation] {
    match gateway {
        GatewayKind::Gloo => &ALL,
        GatewayKind::Kgateway | GatewayKind::EnvoyGateway => &jwt::ALL,
    }
}

/// Every feature file that the local bed with Gloo can run has at least one, see `mutations.rs`.
pub(crate) const ALL: [Mutation; 37] = [
    Mutation {
        name: "a service's routes lead to another service",
        flaw: Flaw::Writes(writes::another_upstream),
        feature: "any",
        scenario: "Every service brings out its next version",
        words: r#"/foxtrot did not converge to {"foxtrot-v1"}"#,
    },
    Mutation {
        name: "the autopilot reads no proxy",
        flaw: Flaw::Runs {
            flag: "proxy-metrics",
            value: "gloo=http://127.0.0.1:9/stats/prometheus",
        },
        feature: "autopilot",
        scenario: "A canary is aborted while the git server is away",
        words: "10 requests of the canary: not",
    },
    Mutation {
        name: "a gate is no gate",
        flaw: Flaw::Reads { text: "gates: {before: [50]}", as_if: "gates: {before: [90]}" },
        feature: "autopilot",
        scenario: "A step waits for a person",
        words: "echo's autopilot waiting for a person has to say yes to weight 50: not",
    },
    Mutation {
        name: "a freeze is over too early",
        flaw: Flaw::Reads { text: "to: 2120-01-01", as_if: "to: 2021-01-01" },
        feature: "autopilot",
        scenario: "A step waits for a person",
        words: "echo's autopilot waiting for nothing is promoted until 2120-01-01T00:00:00Z",
    },
    Mutation {
        name: "differences do not show in the exit code",
        flaw: Flaw::Exits { with: 0, in_place_of: 2 },
        feature: "cli",
        scenario: "A change is looked at, applied once",
        words: NO_CODE,
    },
    Mutation {
        name: "mistakes do not show in the exit code",
        flaw: Flaw::Exits { with: 0, in_place_of: 1 },
        feature: "cli",
        scenario: "A change is looked at, applied once",
        words: NO_CODE,
    },
    Mutation {
        name: "a missing Gloo does not show in the exit code",
        flaw: Flaw::Exits { with: 0, in_place_of: 1 },
        feature: "commands",
        scenario: "The doctor misses Gloo where it is not",
        words: NO_CODE,
    },
    Mutation {
        name: "a command does not wait",
        flaw: Flaw::Ignores("--wait"),
        feature: "commands",
        scenario: "A rollout by commands loses no request",
        words: "it does not say echo Shifting Ready",
    },
    Mutation {
        name: "drift is not repaired",
        flaw: Flaw::Runs { flag: "drift", value: "report" },
        feature: "drift",
        scenario: "An edit by hand is undone",
        words: r#"/spec/routes/0/matchers/0/prefix is "/elsewhere""#,
    },
    Mutation {
        name: "drift is repaired although it is to be reported only",
        flaw: Flaw::Reads { text: "drift: report", as_if: "drift: repair" },
        feature: "drift",
        scenario: "A service can ask for its drift to be reported only",
        words: "echo Drifted because of Service echo/echo: not",
    },
    Mutation {
        name: "pruning is forgotten",
        flaw: Flaw::Omits { from: 1, fits: requests::deletes_a_deployment },
        feature: "extensions",
        scenario: "A service whose file goes takes its objects along",
        words: "no Deployment echo/echo-v1: not",
    },
    Mutation {
        name: "a Deployment is pruned too early",
        flaw: Flaw::Writes(writes::delete_too_early),
        feature: "extensions",
        scenario: PER_VERSION,
        words: "requests to /echo failed",
    },
    Mutation {
        name: "weights are swapped",
        flaw: Flaw::Writes(writes::swapped_weights),
        feature: "extensions",
        scenario: PER_VERSION,
        words: "the shares of /echo: not",
    },
    Mutation {
        name: "a proxy ignores updates",
        flaw: Flaw::Gateway(front::Flaw::Frozen),
        feature: "extensions",
        scenario: PER_VERSION,
        words: r#"/echo did not converge to {"echo-v1", "echo-v2"}"#,
    },
    Mutation {
        name: "a header is matched loosely",
        flaw: Flaw::Writes(writes::any_header_value),
        feature: "extensions",
        scenario: CLAIM,
        words: r#"/echo did not converge to {"echo-v1"}"#,
    },
    Mutation {
        name: "a Gateway that Gloo rejects is taken for a good one",
        flaw: Flaw::Sees(requests::no_rejection_of_gateways),
        feature: "gateways",
        scenario: "A certificate that is missing",
        words: "echo Stalled because of secret foxtrot.gone: not",
    },
    Mutation {
        name: "the header route is missing",
        flaw: Flaw::Writes(writes::no_header_route),
        feature: "extensions",
        scenario: CLAIM,
        words: NO_CANARY,
    },
    Mutation {
        name: "the header route stands after the prefix route",
        flaw: Flaw::Writes(writes::header_route_last),
        feature: "extensions",
        scenario: CLAIM,
        words: NO_CANARY,
    },
    Mutation {
        name: "the canary's subset is missing",
        flaw: Flaw::Writes(writes::no_subset),
        feature: "extensions",
        scenario: CLAIM,
        words: NO_CANARY,
    },
    Mutation {
        name: "nobody is told why a pod crashes",
        flaw: Flaw::Sees(requests::no_container_of_v2),
        feature: "failures",
        scenario: "Its pods crash from the beginning",
        words: "echo Stalled because of CrashLoopBackOff: not",
    },
    Mutation {
        name: "old pods go before new ones come",
        flaw: Flaw::Writes(writes::recreate),
        feature: "in_place",
        scenario: "Another image with other arguments",
        words: "requests to /echo failed",
    },
    Mutation {
        name: "the preflight lets a conflict through",
        flaw: Flaw::Sees(requests::no_table_golf),
        feature: "mistakes",
        scenario: "Two teams claim one path",
        words: "golf Stalled because of RouteTable echo/golf: not",
    },
    Mutation {
        name: "an error of one service stops another",
        flaw: Flaw::CannotWrite(requests::writes_foxtrot_v2),
        feature: "mistakes",
        scenario: "A values file with a mistake changes nothing",
        words: "foxtrot in phase Shifting",
    },
    Mutation {
        name: "routes that Gloo rejects are not rolled back",
        // Those of v1 are written first, then those of v2.
        flaw: Flaw::Omits { from: 3, fits: requests::writes_routes_of_echo },
        feature: "mistakes",
        scenario: REJECTED,
        words: "the last thing seen: echo Shifted Progressing: RouteTable echo/echo-routes: Gloo says Rejected",
    },
    Mutation {
        name: "the old Accepted is taken for the new",
        flaw: Flaw::Writes(writes::no_pending),
        feature: "mistakes",
        scenario: REJECTED,
        words: "echo Stalled because of v2 is not for everybody",
    },
    Mutation {
        name: "the old API's routes go before the new ones are accepted",
        flaw: Flaw::Writes(writes::delete_table_too_early),
        feature: "migration",
        scenario: MOVE,
        words: "requests to /echo failed",
    },
    Mutation {
        name: "the counters of another gateway are read",
        // Those of kgateway in the place of Gloo's, where no service has the clusters that Gloo has.
        flaw: Flaw::Runs {
            flag: "proxy-metrics",
            value: "gloo=http://127.0.0.1:19010/stats/prometheus",
        },
        feature: "migration",
        scenario: MOVE,
        words: "requests of echo by both gateways: not",
    },
    Mutation {
        name: "the shares of one API are swapped",
        flaw: Flaw::Writes(writes::swapped_backends),
        feature: "migration",
        scenario: MOVE,
        words: "the shares of /echo: not",
    },
    Mutation {
        name: "what others have is changed",
        flaw: Flaw::Writes(writes::what_others_have),
        feature: "ordinary",
        scenario: "A policy does not allow what the echo team wants",
        words: "of others has changed: ConfigMap payments/ledger",
    },
    Mutation {
        name: "nobody is told that a quota is full",
        flaw: Flaw::Sees(requests::no_replica_failure),
        feature: "ordinary",
        scenario: "A quota has no room",
        words: "echo Stalled because of exceeded quota: company: not",
    },
    Mutation {
        name: "nobody is told that a namespace does not end",
        flaw: Flaw::CannotWrite(requests::writes_in_golf),
        feature: "ordinary",
        scenario: "A namespace that somebody has deleted",
        words: "golf Stalled because of namespace golf because it is being terminated: not",
    },
    Mutation {
        name: "a rollback is not done",
        flaw: Flaw::Writes(writes::only_advances),
        feature: "part1",
        scenario: "Every step can be taken back",
        words: r#"/ did not converge to {"echo-v1"}"#,
    },
    Mutation {
        name: "a warning of one team's table stops another team",
        flaw: Flaw::Sees(requests::warning_on_foxtrot_v2),
        feature: "part2",
        scenario: "foxtrot finishes its rollout while a table of the echo team is broken",
        words: "foxtrot in phase Shifted",
    },
    Mutation {
        name: "a route table is stale",
        flaw: Flaw::Writes(writes::stale_routes),
        feature: "part3",
        scenario: WALK,
        words: NO_CANARY,
    },
    Mutation {
        name: "one request in 10,000 fails",
        flaw: Flaw::Gateway(front::Flaw::Fails(10_000)),
        feature: "part3",
        scenario: WALK,
        words: "failed on purpose",
    },
    Mutation {
        name: "weights are taken for percentages",
        flaw: Flaw::Writes(writes::weights_as_percentages),
        feature: "petstore",
        scenario: "Weights that do not make 100 are shares of their sum",
        words: "the shares of /findPets: not",
    },
    Mutation {
        name: "nothing is listed on schedule",
        flaw: Flaw::Runs { flag: "schedule", value: "1h" },
        feature: "schedule",
        scenario: "What no watch tells is found on schedule",
        words: "RouteTable foxtrot/foxtrot-routes was deleted; repaired in the log: not",
    },
];
