//! What the reader refuses although it fits the schema, and why a schema cannot say it.

use regex::Regex;
use serde_json::Value;

use super::Sides;
use crate::problem::Problem;

/// A mistake that only the reader finds.
struct Difference {
    /// What a right file has.
    rule: &'static str,
    /// Why the schema does not say so.
    reason: &'static str,
    /// The keys at which the reader finds the mistake: an expression for the whole path, without `defaults.`.
    key: &'static str,
    /// What the reader's message contains: an expression.
    message: &'static str,
    /// A file with the mistake, and no other.
    example: &'static str,
}

const NUMBERS: &str =
    "a number is checked as the text that is written, which a schema does not see";
const OTHER_FILE: &str = "coalmine.yaml may say it, which the schema of one file does not see";
const VALUES: &str = "a schema does not compare one value with another";

/// Those of a service, most of which the defaults of `coalmine.yaml` can have too.
const OF_A_SERVICE: [Difference; 36] = [
    Difference {
        rule: "routes are given, by the service or by the defaults",
        reason: OTHER_FILE,
        key: r"routes(\.primary(\.version)?|\.canary\.version|\.canary\.jwt\.(issuer|jwks|claims))?",
        message: "^the key is required",
        example: "deployment: {v1: }",
    },
    Difference {
        rule: "an apiGroup or domains are given, by the service or by the defaults",
        reason: OTHER_FILE,
        key: "routes",
        message: "^`apiGroup` or `domains` is required",
        example: "deployment: {v1: }\nroutes: {primary: {version: v1}}",
    },
    Difference {
        rule: "a free key with nothing in it has a default",
        reason: OTHER_FILE,
        key: r"deployment(\..+)?\.(env|labels|annotations)\..+|routes\.canary\.(headers|jwt\.claims)\..+",
        message: "^expected .*, found nothing$",
        example: "deployment: {v1: {labels: {team: }}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a mapping of a patch with nothing in it has a default",
        reason: OTHER_FILE,
        key: r"deployment(\..+)?\.patch\.(metadata|spec|spec\.template|spec\.template\.metadata|metadata\.annotations|(spec\.template\.)?metadata\.labels)",
        message: "identity",
        example: "deployment: {v1: {patch: {spec: }}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a version that is routed to is deployed",
        reason: VALUES,
        key: r"routes\.(primary|canary)\.version",
        message: "is not in `deployment`$",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v2}}",
    },
    Difference {
        rule: "the canary is another version than the primary",
        reason: VALUES,
        key: r"routes\.canary\.version",
        message: "is the primary version already$",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v1}}",
    },
    Difference {
        rule: "a version that is an Upstream of its own needs the split by upstream",
        reason: VALUES,
        key: r"routes\.split",
        message: "is an Upstream of its own, which has no subset",
        example: "deployment: {v1: {external: {upstream: {name: vm}}}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "the objects of two versions have different names",
        reason: VALUES,
        key: r"deployment\..+",
        message: "^the objects of .* would be called ",
        example: "deployment: {1.4.2: , 1-4-2: }\nroutes: {apiGroup: a, primary: {version: 1.4.2}}",
    },
    Difference {
        rule: "a header has one condition",
        reason: "JSON Schema takes names that differ in case for different ones",
        key: r"routes\.canary\.headers\..+",
        message: "^this is the header ",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, headers: {A: b, a: b}}}",
    },
    Difference {
        rule: "the number of replicas is written as a whole one",
        reason: "3.0 is an integer to JSON Schema",
        key: r"deployment(\..+)?\.(replicas|port)|service\.(port|targetPort)|routes\.canary\.(weight|shadow)|policy\.maxStep|prune\.limit|autopilot\.(steps\[\d+\](\.weight)?|gates\.before\[\d+\]|enough\.requests)",
        message: r"^expected a whole number.*, found \d+\.0$",
        example: "deployment: {v1: {replicas: 3.0}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a number that stands for a name is a name",
        reason: NUMBERS,
        key: r"namespace|(gloo|daemon)\.namespace|deployment(\..+)?\.external\.upstream\.namespace|(routes\.)?gateway\.gateways\[\d+\]\.namespace",
        message: r#"^a namespace is lower-case letters, digits and `-` between them, found "-?[0-9.]+"$"#,
        example: "namespace: 1.5\ndeployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a number that stands for an apiGroup is a label's value",
        reason: NUMBERS,
        key: r"routes\.apiGroup",
        message: r#"^a label's value .*, found "-[0-9.]+"$"#,
        example: "deployment: {v1: }\nroutes: {apiGroup: -1, primary: {version: v1}}",
    },
    Difference {
        rule: "a duration can be read",
        reason: "durations are written in more ways than an expression can list",
        key: r"deployment(\..+)?\.drain|timing\.(deadline|settle)|autopilot\.(.+\.)?(for|within|after|over)",
        message: "^expected a duration",
        example: "deployment: {v1: {drain: soon}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "pods end after whole seconds, and within an hour",
        reason: "a schema does not reckon with durations",
        key: r"deployment(\..+)?\.drain",
        message: "^expected whole seconds, at most 1h",
        example: "deployment: {v1: {drain: 61m}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a regular expression can be read",
        reason: "the language of regular expressions is not regular",
        key: r"routes\.(paths\[\d+\]\.regex|paths\[\d+\]\.queryParameters\..+\.regex|canary\.headers\..+\.regex)",
        message: "^not a regular expression",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, paths: [{regex: '('}]}",
    },
    Difference {
        rule: "a variable is listed once",
        reason: VALUES,
        key: r"deployment(\..+)?\.env\[\d+\]",
        message: "^the variable is listed twice",
        example: "deployment: {v1: {env: [{name: A}, {name: A, value: b}]}}\nroutes: {apiGroup: a, primary: {version: v1}}",
    },
    Difference {
        rule: "a domain is listed once",
        reason: VALUES,
        key: r"routes\.domains\[\d+\]",
        message: "^the domain is listed twice",
        example: "deployment: {v1: }\nroutes: {domains: [a.example, A.example], primary: {version: v1}}",
    },
    Difference {
        rule: "a path is listed once",
        reason: VALUES,
        key: r"routes\.paths\[\d+\]",
        message: "path is listed twice$",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, paths: [{prefix: /a}, {prefix: /a, options: {}}]}",
    },
    Difference {
        rule: "a path does not take another's requests",
        reason: VALUES,
        key: r"routes\.paths\[\d+\]",
        message: "would take its requests",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, paths: [{exact: /a/b, options: {timeout: 1s}}, {prefix: /a, methods: [GET]}]}",
    },
    Difference {
        rule: "a route has one shadow",
        reason: "the two shadows stand in different mappings, whose defaults may stand in coalmine.yaml",
        key: r"routes\.canary",
        message: "exclude each other$",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, shadow: 5}, options: {shadowing: {}}}",
    },
    Difference {
        rule: "a Gateway serves the routes of the Gateway API",
        reason: OTHER_FILE,
        key: "routes",
        message: "^no Gateway is named",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, gateway: {api: gateway-api}}",
    },
    Difference {
        rule: "a Gateway is listed once",
        reason: VALUES,
        key: r"(routes\.)?gateway\.gateways\[\d+\]",
        message: "is listed twice$",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, gateway: {gateways: [{name: a}, {name: a, sectionName: b}]}}",
    },
    Difference {
        rule: "a number that stands for the name of a Gateway or a listener is a name",
        reason: NUMBERS,
        key: r"(routes\.)?gateway\.gateways\[\d+\]\.(name|sectionName)",
        message: r#"^a (Gateway|listener)'s name is .*, found "-[0-9.]+"$"#,
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, gateway: {gateways: [{name: -1}]}}",
    },
    Difference {
        rule: "a JSON Web Key Set has public keys",
        reason: "it may be text, and a schema does not see what is private",
        key: r"routes\.canary\.jwt\.jwks",
        message: "JSON Web Key Set",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, jwt: {issuer: a, jwks: {keys: [{kty: oct}]}, claims: {a: b}}}, gateway: {api: gateway-api, profile: kgateway}}",
    },
    Difference {
        rule: "claims are named, by the service or by the defaults",
        reason: OTHER_FILE,
        key: r"routes\.canary\.jwt\.claims(\..+)?",
        message: "^no claim is named$",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, jwt: {issuer: a, jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}, claims: {}}}, gateway: {api: gateway-api, profile: kgateway}}",
    },
    Difference {
        rule: "the names of claims and issuers are in one line",
        reason: "nobody who sees it in an editor wonders",
        key: r"routes\.canary\.jwt\.(issuer|claims\..+)",
        message: "in one line$|is not the name of a claim",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, jwt: {issuer: \"a\\nb\", jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}, claims: {a: b}}}, gateway: {api: gateway-api, profile: kgateway}}",
    },
    Difference {
        rule: "the routes say what an HTTPRoute can",
        reason: "it depends on the API, which coalmine.yaml may say",
        key: r"routes\..+|upstream|deployment\..+\.external\.upstream",
        message: "HTTPRoute|Upstream|implementations|Gloo's open source edition",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}, gateway: {api: gateway-api, profile: kgateway}, options: {faults: {}}}",
    },
    Difference {
        rule: "a part of an autopilot is given, by the service or by the defaults",
        reason: OTHER_FILE,
        key: r"autopilot\.(finish\.after|analysis\..+\.(over|bad|total|query|max)|tests\..+\.(webhook|image))",
        message: "^the key is required",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {finish: {}}",
    },
    Difference {
        rule: "durations and percentages of an autopilot have bounds",
        reason: "a schema does not reckon with durations, nor with text",
        key: r"autopilot\..+",
        message: "^expected a (duration|percentage above)|Envoy's histograms do not count",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {falseAlarm: 50%}",
    },
    Difference {
        rule: "the steps of an autopilot rise, and begin with the headers",
        reason: VALUES,
        key: r"autopilot\.(steps(\[\d+\])?|finish)",
        message: "the steps of a rollout rise$|^the steps have no weight|^`headers` is phase 1|^the step `headers` needs|policy.maxStep|next to nobody",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {steps: [5, 5]}",
    },
    Difference {
        rule: "a gate stands before a step",
        reason: VALUES,
        key: r"autopilot\.(gates\.before|steps)",
        message: "^there is no step",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {gates: {before: [51]}}",
    },
    Difference {
        rule: "an analysis is left, and Envoy can measure it",
        reason: VALUES,
        key: r"autopilot\.analysis(\..+)?|routes(\.split)?|",
        message: "^no analysis is left|^with `split: subset`",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {analysis: {slow: {over: 1s}}}",
    },
    Difference {
        rule: "the keys of an analysis or a test fit together with those of the defaults",
        reason: OTHER_FILE,
        key: r"autopilot\.(analysis|tests)\..+",
        message: "^this belongs to|exclude each other$",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {analysis: {a: {max: 1, worse: 2}}}",
    },
    Difference {
        rule: "placeholders of a query are known",
        reason: "a schema does not look for what else stands in a text",
        key: r"autopilot\.analysis\..+\.(bad|total|query)",
        message: "^unknown placeholder|^a placeholder has no end",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {analysis: {a: {query: '{{b}}', max: 1}}}",
    },
    Difference {
        rule: "a step has time for its evidence",
        reason: "a schema does not reckon with durations",
        key: r"autopilot\.(enough\.within|for|steps)",
        message: "^a step lasts",
        example: "deployment: {v1: }\nroutes: {apiGroup: a, primary: {version: v1}}\nautopilot: {for: 2h}",
    },
    Difference {
        rule: "the reason why a canary is held is one line",
        reason: "the expression for that would say less to an editor than the length does",
        key: r"routes\.canary\.held",
        message: "^expected one line",
        example: "deployment: {v1: , v2: }\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, held: \"a\\nb\"}}",
    },
];

/// Those of `coalmine.yaml` alone.
const OF_SETTINGS: [Difference; 5] = [
    Difference {
        rule: "a wait has a deadline",
        reason: "a schema does not reckon with durations",
        key: r"timing\.deadline",
        message: "^expected more than nothing",
        example: "timing: {deadline: 0s}",
    },
    Difference {
        rule: "a freeze has two points in time, the first before the second",
        reason: "a schema does not reckon with times",
        key: r"policy\.freeze\[\d+\]\.(from|to)",
        message: "^expected a point in time|is not after `from`",
        example: "policy: {freeze: [{from: now, to: 2027-01-01T00:00:00Z, why: a}]}",
    },
    Difference {
        rule: "a window is open some time",
        reason: VALUES,
        key: r"policy\.windows\[\d+\]\.hours",
        message: "^the window is never open",
        example: "policy: {windows: [{hours: 09:00-09:00}]}",
    },
    Difference {
        rule: "a time zone exists",
        reason: "the time zones of the world are more than an editor should show",
        key: r"policy\.windows\[\d+\]\.timeZone",
        message: "^there is no time zone",
        example: "policy: {windows: [{timeZone: Europe/Berlim}]}",
    },
    Difference {
        rule: "no default holds every canary",
        reason: "the routes of services and of defaults have one schema",
        key: r"(defaults\.)?routes\.canary\.held",
        message: "^a default would hold every canary",
        example: "defaults: {routes: {canary: {held: a}}}",
    },
];

/// The settings beside a service that needs no defaults.
pub(super) fn none() -> Value {
    Value::Null
}

/// Whether a problem is one that a schema cannot see.
pub(super) fn is_known(problem: &Problem) -> bool {
    thread_local! {
        static KNOWN: Vec<(Regex, Regex)> = OF_A_SERVICE.iter().chain(&OF_SETTINGS).map(Difference::compiled).collect();
    }
    let key = problem.key.strip_prefix("defaults.").unwrap_or(&problem.key);
    KNOWN.with(|known| {
        known.iter().any(|(path, message)| path.is_match(key) && message.is_match(&problem.message))
    })
}

impl Difference {
    fn compiled(&self) -> (Regex, Regex) {
        let key = Regex::new(&format!("^({})$", self.key)).expect("an expression");
        (key, Regex::new(self.message).expect("an expression"))
    }
}

#[test]
fn each_difference_has_a_file_that_fits_the_schema_and_is_refused_for_it() {
    let (service, settings) = (Sides::of_service(none()), Sides::of_settings());
    let of_service = OF_A_SERVICE.iter().map(|difference| (&service, difference));
    let of_settings = OF_SETTINGS.iter().map(|difference| (&settings, difference));
    for (sides, difference) in of_service.chain(of_settings) {
        let Difference { rule, reason, example, .. } = difference;
        let file: Value = serde_yaml::from_str(example).expect("YAML");
        assert_eq!(sides.fits(&file), Ok(()), "{rule}: the schema says it now, although {reason}");
        let problems = sides.read(&file).expect_err(rule);
        let (key, message) = difference.compiled();
        for problem in &problems {
            assert!(key.is_match(&problem.key), "{rule}: {problem}");
            assert!(message.is_match(&problem.message), "{rule}: {problem}");
        }
    }
}
