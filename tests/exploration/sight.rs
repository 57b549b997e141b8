//! What the daemon sees of a rollout, as the real [`plan`] takes it, and what the plan says.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use coalmine_core::health::{Health, Shortfall, Verdict};
use coalmine_core::kind::Kind;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId, object};
use coalmine_core::object_state::{Claim, Detail, Facts, PodFacts};
use coalmine_core::plan::{
    Backend, Desired, LivePods, Observation, Pods, PreviousRoutes, RouteTimes, Step, plan,
};
use coalmine_core::reason::Reason;
use coalmine_core::traffic::Shares;
use jiff::Timestamp;
use serde_json::json;

use crate::goals::{GOALS, ROUTES, Set};
use crate::rollout::{Daemon, Rollout, Word};

/// The first object of the first step of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Done,
    Wait,
    Deploy(u8),
    Expose,
    Route,
    RollBack,
    Unroute,
    Undeploy(u8),
    Hide,
}

impl Decision {
    fn of(step: Option<&Step>) -> Self {
        match step {
            None => Self::Done,
            // The last two are about HTTPRoutes alone.
            Some(Step::Await(_) | Step::Repeat(_) | Step::Empty(_)) => Self::Wait,
            Some(Step::Apply(manifests)) => match manifests[0].id() {
                id if id.kind == "Deployment" => Self::Deploy(version_of(id)),
                _ => Self::Expose,
            },
            Some(Step::Route(_)) => Self::Route,
            Some(Step::RollBack(_)) => Self::RollBack,
            Some(Step::Delete(ids)) => match &ids[0] {
                id if id.is_route() => Self::Unroute,
                id if id.kind == "Deployment" => Self::Undeploy(version_of(id)),
                _ => Self::Hide,
            },
        }
    }
}

impl Rollout {
    /// What the real plan says, remembered by all that it decides by.
    pub(crate) fn decision(&self) -> Decision {
        type Known = HashMap<(u8, bool, Set, Option<u8>, Daemon), Decision>;
        thread_local!(static KNOWN: RefCell<Known> = RefCell::default());
        let key = (self.wanted, self.base, self.deployed, self.routes, self.daemon);
        if let Some(known) = KNOWN.with_borrow(|known| known.get(&key).copied()) {
            return known;
        }
        let decision = Decision::of(plan(&self.desired(), &self.seen()).first());
        KNOWN.with_borrow_mut(|known| known.insert(key, decision));
        decision
    }

    fn desired(&self) -> Desired {
        let goal = &GOALS[usize::from(self.wanted)];
        let Some(routes) = goal.routes else { return Desired::default() };
        let routed: BTreeSet<u8> = ROUTES[usize::from(routes)].0.iter().map(|(v, _)| *v).collect();
        let versions = (0..3).filter(|version| goal.versions & 1 << version != 0);
        let unrouted = versions.clone().filter(|version| !routed.contains(version));
        Desired {
            workloads: versions.map(deployment).chain([manifest("Service", "echo")]).collect(),
            routes: vec![manifest("RouteTable", "echo-routes")],
            shares: shares(routes),
            routed: routed.iter().map(|version| Backend::Pods(pods(*version))).collect(),
            unrouted: unrouted.map(pods).collect(),
            ..Desired::default()
        }
    }

    fn seen(&self) -> Observation {
        let goal = &GOALS[usize::from(self.wanted)];
        let (mut changed, mut to_prune) = (BTreeSet::new(), BTreeSet::new());
        let mut objects = BTreeMap::new();
        let mut note = |id: ObjectId, wanted: bool, live: Option<Facts>| {
            match (wanted, live.is_some()) {
                (true, false) => drop(changed.insert(id.clone())),
                (false, true) => drop(to_prune.insert(id.clone())),
                _ => {}
            }
            objects.extend(live.map(|facts| (id, facts)));
        };
        let mut live = LivePods::default();
        for version in 0..3 {
            let has = |set: Set| set & 1 << version != 0;
            let (known, ready) = (pods(version), has(self.daemon.sees_rollout));
            let health =
                if ready { Health::Ready } else { Health::Waiting(Shortfall::NotObserved) };
            let detail = Detail::Deployment { replicas: 1, health };
            let changed_at = Some(moment(has(self.daemon.old_rollout)));
            let there = has(self.deployed).then(|| Facts { changed_at, ..facts(detail) });
            note(known.deployment, has(goal.versions), there);
            let name: Arc<str> = known.version.as_str().into();
            let ready_since = has(self.daemon.sees_ready).then_some(Timestamp::UNIX_EPOCH);
            if ready_since.is_some() {
                live.insert_answering(Some(name.clone()));
            }
            let pod = PodFacts {
                name: name.clone(),
                version: name.clone(),
                ready_since,
                ..PodFacts::default()
            };
            live.insert(&known.selector, vec![pod]);
            if has(self.daemon.sees_endpoints) {
                let since = Some(moment(has(self.daemon.old_endpoints)));
                live.insert_addresses([(name, since)].into());
            }
        }
        let service = self.base.then(|| facts(Detail::Service { port: Some(80) }));
        note(manifest("Service", "echo").id().clone(), goal.routes.is_some(), service);
        let verdict = match self.daemon.sees_word {
            Word::Pending => None,
            Word::Accepted => Some(Verdict::Accepted),
            Word::Rejected => Some(Verdict::Rejected("no".into())),
        };
        let table = manifest("RouteTable", "echo-routes");
        let there =
            self.routes.map(|routes| facts(Detail::Routes { verdict, shares: shares(routes) }));
        note(table.id().clone(), goal.routes.is_some(), there);
        if goal.routes.is_some() && self.routes != goal.routes {
            changed.insert(table.id().clone());
        }
        let before = |before: Option<u8>| {
            let before = before.map(|_| (table.clone(), Verdict::Accepted));
            Arc::new(PreviousRoutes { before: [(table.id().clone(), before)].into() })
        };
        let refused = self.daemon.refused.filter(|refused| Some(*refused) == goal.routes);
        let refused = refused.map(|_| Reason::Verdict {
            object: table.id().clone(),
            verdict: Verdict::Rejected("no".into()),
            unanswered: None,
        });
        let now = Timestamp::from_second(NOW).expect("within the calendar");
        let times = RouteTimes {
            changed_at: moment(self.daemon.settled),
            judged_at: moment(self.daemon.followed),
            repeated_at: moment(true),
        };
        Observation::new(objects, "gloo-system", Duration::from_secs(3), now)
            .with_differences(changed, to_prune)
            .with_pods(live)
            .with_route_times(times)
            .with_previous_routes(self.daemon.undo.map(before))
            .with_refused_routes(refused)
    }
}

/// The present, in seconds: only what is old and what is young is told apart.
const NOW: i64 = 100;

fn moment(old: bool) -> Timestamp {
    Timestamp::from_second(if old { 0 } else { NOW }).expect("within the calendar")
}

fn shares(routes: u8) -> Shares {
    let (shares, by_header) = ROUTES[usize::from(routes)];
    let name = |version: u8| ["v1", "v2", "v3"][usize::from(version)];
    let mut given: Shares =
        shares.iter().map(|(version, share)| (name(*version), *share)).collect();
    if let Some((primary, _)) = shares.first() {
        given = given.with_primary(name(*primary));
    }
    by_header.map(name).into_iter().fold(given, |given, target| given.with_header_target(target))
}

fn manifest(kind: &str, name: &str) -> Manifest {
    let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind).expect("a known kind");
    Manifest::new(object(known, "echo", name, json!({}))).expect("named")
}

fn deployment(version: u8) -> Manifest {
    manifest("Deployment", &format!("echo-v{}", version + 1))
}

fn version_of(id: &ObjectId) -> u8 {
    let number = id.name.strip_prefix("echo-v").and_then(|number| number.parse::<u8>().ok());
    number.expect("a Deployment of these") - 1
}

fn pods(version: u8) -> Pods {
    Pods {
        version: format!("v{}", version + 1),
        selector: format!("app=echo,version=v{}", version + 1),
        service: manifest("Service", "echo").id().clone(),
        endpoints: vec![manifest("Service", "echo").id().clone()],
        deployment: deployment(version).id().clone(),
        ours: true,
        parked: false,
    }
}

fn facts(detail: Detail) -> Facts {
    Facts {
        uid: "1".into(),
        version: 1,
        claim: Claim::Ours("echo".into()),
        owned: Digest::of(&json!(null)),
        applied: None,
        account: None,
        changed_at: None,
        counts: Vec::new(),
        keep: None,
        terminating: false,
        routing: None,
        gateway_api: None,
        http_route: None,
        marks: None,
        detail,
    }
}
