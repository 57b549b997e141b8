//! Options of Gloo Enterprise: errors to an open-source Gloo, good ones to the other.

use serde_json::{Map, Value};

use crate::code::Code;
use crate::environment::{Edition, Environment};
use crate::translate::mistake::Mistake;
use crate::translate::route_findings::RouteFindings;
use crate::translate::unmodelled;

/// Options and the feature they belong to (gloo-conformance cases 19-enterprise-*).
const FEATURES: &[(&str, &str)] = &[
    ("extProc", "extproc"),
    ("jwt", "jwt"),
    ("jwtStaged", "jwt"),
    ("rbac", "rbac"),
    ("waf", "waf"),
];

/// Options that an open-source Gloo drops with an error on the proxy alone, and its words (case
/// 19-ratelimit).
const ADVANCED: &[(&str, &str)] = &[
    (
        "ratelimitBasic",
        "The Gloo Advanced Rate limit API feature 'ratelimitBasic' is enterprise-only, please upgrade \
         or use the Envoy rate-limit API instead",
    ),
    (
        "rateLimitConfigs",
        "The Gloo Advanced Rate limit API feature 'RateLimitConfig' is enterprise-only, please \
         upgrade or use the Envoy rate-limit API instead",
    ),
    ("ratelimitEarly", EARLY_LIMIT),
    ("rateLimitEarlyConfigs", EARLY_LIMIT),
    ("ratelimitRegular", REGULAR_LIMIT),
    ("rateLimitRegularConfigs", REGULAR_LIMIT),
];

const EARLY_LIMIT: &str = "The Gloo Advanced Rate limit API feature 'RateLimitEarly' is enterprise-only, please \
                           upgrade or use the Envoy rate-limit API instead";

const REGULAR_LIMIT: &str = "The Gloo Advanced Rate limit API feature 'RateLimitRegular' is enterprise-only, \
                             please upgrade or use the Envoy rate-limit API instead";

const EXTAUTH: &str = "The Gloo Advanced Extauth API is an enterprise-only feature, please upgrade or \
                       use the Envoy extauth API instead";

/// Options that an open-source Gloo passes over without a word (cases 19-enterprise-routes step 6,
/// 19-enterprise-virtual-hosts step 6).
const PASSED_OVER: &[&str] = &["dlp", "extensions"];

/// Further options of Gloo Enterprise. What an open-source Gloo makes of them was not recorded.
const UNRECORDED: &[&str] = &["ai", "extProcEarly", "extProcLate", "jwtProvidersStaged"];

/// Options by which Gloo's own Envoy changes requests and answers (case 19-transformations).
const TRANSFORMATIONS: &[&str] = &["transformations", "stagedTransformations"];

/// # Errors
/// The options are left out, and the route is served without them.
pub(super) fn of_route(options: &Map<String, Value>, edition: Edition) -> Result<(), Mistake> {
    check(options, edition)
}

/// # Errors
/// The VirtualService is rejected.
pub(super) fn of_virtual_host(
    options: &Map<String, Value>,
    edition: Edition,
) -> Result<(), Mistake> {
    check(options, edition)
}

fn check(options: &Map<String, Value>, edition: Edition) -> Result<(), Mistake> {
    let used = FEATURES.iter().filter(|(name, _)| options.contains_key(*name));
    let mut features: Vec<&str> = used.map(|(_, feature)| *feature).collect();
    features.dedup();
    if features.is_empty() || edition != Edition::OpenSource {
        return Ok(());
    }
    Err(Mistake::new(Code::EnterpriseOption, super::enterprise_only(&features)))
}

/// Says what is lost, and what is not known.
pub(super) fn judge(
    options: &Map<String, Value>,
    within: &str,
    is_route: bool,
    environment: Environment,
    findings: &mut RouteFindings,
) {
    let edition = environment.edition;
    let mut advanced: Vec<(&str, &str)> = ADVANCED.to_vec();
    if options.get("extauth").is_some_and(|extauth| extauth.get("configRef").is_some()) {
        advanced.push(("extauth", EXTAUTH));
    }
    let advanced: Vec<_> =
        advanced.into_iter().filter(|(name, _)| options.contains_key(*name)).collect();
    if edition == Edition::OpenSource {
        for (_, words) in &advanced {
            findings.lost(Mistake::new(Code::EnterpriseOption, *words));
        }
        for name in PASSED_OVER.iter().filter(|name| options.contains_key(**name)) {
            let words = format!(
                "{within}.{name} is of Gloo Enterprise, and this Gloo passes it over without a word"
            );
            findings.lost(Mistake::new(Code::EnterpriseOption, words));
        }
    }
    let is_feature = |name: &str| FEATURES.iter().any(|(known, _)| *known == name);
    let is_advanced = |name: &str| advanced.iter().any(|(known, _)| *known == name);
    let has_loss =
        |name: &str| is_feature(name) || is_advanced(name) || PASSED_OVER.contains(&name);
    let own_note = |name: &str| match edition {
        Edition::Unknown => has_loss(name) || UNRECORDED.contains(&name),
        Edition::OpenSource => UNRECORDED.contains(&name),
        Edition::Enterprise => false,
    };
    let judged = |name: &str| own_note(name) || edition == Edition::OpenSource && has_loss(name);
    for name in options.keys().filter(|name| own_note(name)) {
        let loss = match () {
            () if UNRECORDED.contains(&name.as_str()) => "may serve without it",
            () if PASSED_OVER.contains(&name.as_str()) => "passes it over without a word",
            () if is_route || is_advanced(name) => "serves without it",
            () => "rejects the VirtualService for it",
        };
        let hint = match edition {
            Edition::Unknown => "; nobody has said which Gloo this is",
            Edition::OpenSource | Edition::Enterprise => "",
        };
        findings.note(format!(
            "{within}.{name} is of Gloo Enterprise: an open-source Gloo {loss}{hint}"
        ));
    }
    let notes = unmodelled::of_options(options, within, judged);
    notes.into_iter().for_each(|words| findings.note(words));
}

/// Whether requests or answers are changed by a filter that only Gloo's own Envoy has.
pub(super) fn transforms(options: &Map<String, Value>) -> bool {
    TRANSFORMATIONS.iter().any(|name| options.contains_key(*name))
}
