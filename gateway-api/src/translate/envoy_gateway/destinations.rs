//! Where the backends of a rule are, and the clusters for them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::backends::{self, Backend};
use super::super::findings::Severity;
use super::super::output::Output;
use super::context::Context;
use super::fault::Fault;
use super::filters;
use crate::api::{BackendRef, FilterKind};
use crate::code::Code;
use crate::config::{Cluster, Endpoint, Locality, Target, WeightedCluster};

/// The cluster that nobody has, for the share of backends that cannot be had.
const INVALID: &str = "invalid-backend-cluster";

/// Where a rule sends requests.
pub(super) struct Destination {
    /// A status where there is nobody.
    pub(super) target: Result<Target, u16>,
    /// The status where a cluster is missing; `None` is Envoy's 503.
    pub(super) not_found: Option<u16>,
    /// Something about it is not modelled.
    pub(super) opaque: bool,
}

/// A backend that can be had.
struct Setting {
    number: usize,
    weight: u32,
    endpoints: Vec<Endpoint>,
    filtered: WeightedCluster,
    has_filters: bool,
}

/// The sums of weights.
#[derive(Default)]
struct Weights {
    invalid: u32,
    empty: u32,
}

/// Resolves the backends of a rule, puts the clusters for them in, and says what is wrong; a rule that answers by itself
/// needs none.
pub(super) fn of_rule(
    context: &Context<'_, '_>,
    answers: bool,
    faults: &mut Vec<Fault>,
    clusters: &mut BTreeMap<String, Cluster>,
    output: &mut Output,
) -> Destination {
    let mut settings = Vec::new();
    let mut weights = Weights::default();
    let (mut invalid, mut empty, mut opaque) = (false, false, false);
    for (number, backend) in context.rule.backend_refs.iter().enumerate() {
        match resolve(context, number, backend, output) {
            Ok(Some(setting)) => settings.push(setting),
            Ok(None) => opaque = true,
            Err(fault) => {
                match fault.kind {
                    "BackendsAvailable" => {
                        empty = true;
                        weights.empty = weights.empty.saturating_add(backend.weight);
                        let words = fault.words.clone();
                        output.find(context.holder, Severity::Warning, Code::NoEndpoints, words);
                    }
                    _ => {
                        invalid = true;
                        weights.invalid = weights.invalid.saturating_add(backend.weight);
                        let words = fault.words.clone();
                        output.find(context.holder, Severity::RuleError, fault.code(), words);
                    }
                }
                faults.push(fault);
            }
        }
    }
    settings.retain(|setting| setting.weight > 0);
    let failed = |status| Destination { target: Err(status), not_found: None, opaque };
    if settings.is_empty() {
        if !invalid && !empty && !opaque && !answers {
            let (code, words) = match context.rule.backend_refs.is_empty() {
                true => (Code::NoBackend, "no backend"),
                false => (Code::NoTotalWeight, "the weights of all backends are 0"),
            };
            let words = format!("rule {}: {words}", context.number);
            output.find(context.holder, Severity::RuleError, code, words);
        }
        return match (invalid, empty) {
            (false, true) => failed(503),
            _ => failed(500),
        };
    }
    let apart = weights.invalid > 0
        || weights.empty > 0
        || settings.iter().any(|setting| setting.has_filters);
    if !apart {
        let localities = distinct(settings.into_iter().map(Setting::locality));
        let name = context.name.clone();
        clusters.insert(name.clone(), Cluster { name: name.clone(), localities });
        return Destination { target: Ok(Target::Cluster(name)), not_found: None, opaque };
    }
    let mut shares = Vec::new();
    let unavailable = weights.invalid.saturating_add(weights.empty);
    if unavailable > 0 {
        let name = INVALID.into();
        shares.push(WeightedCluster { name, weight: unavailable, ..WeightedCluster::default() });
    }
    for mut setting in settings {
        let name = format!("{}/backend/{}", context.name, setting.number);
        let filtered = std::mem::take(&mut setting.filtered);
        shares.push(WeightedCluster { name: name.clone(), weight: setting.weight, ..filtered });
        clusters.insert(name.clone(), Cluster { name, localities: vec![setting.locality()] });
    }
    let not_found = (weights.empty == 0).then_some(500);
    Destination { target: Ok(Target::Weighted(shares)), not_found, opaque }
}

impl Setting {
    fn locality(self) -> Locality {
        Locality { weight: Some(self.weight), endpoints: self.endpoints }
    }
}

/// Envoy takes an address once: it stays where it is first, and a locality that has none left is gone (cases
/// 04-backend-kinds, 04-many-backends).
fn distinct(localities: impl Iterator<Item = Locality>) -> Vec<Locality> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for mut locality in localities {
        locality.endpoints.retain(|it| known.insert((it.address.clone(), it.port)));
        if !locality.endpoints.is_empty() {
            all.push(locality);
        }
    }
    all
}

/// A backend that can be had; none where it is not modelled.
fn resolve(
    context: &Context<'_, '_>,
    number: usize,
    backend: &BackendRef,
    output: &mut Output,
) -> Result<Option<Setting>, Fault> {
    let rule = context.number;
    let fault = |reason: &'static str, words: String| {
        let words = format!("Failed to process route rule {rule} backendRef {number}: {words}.");
        Fault::new("ResolvedRefs", reason, words)
    };
    if let Some(words) = unsupported(backend) {
        return Err(fault("UnsupportedRefValue", words.into()));
    }
    let found = backends::resolve(context.snapshot, &context.reference.namespace, backend)
        .map_err(|(reason, words)| fault(reason, words))?;
    let (reference, port) = match found {
        Backend::Service { reference, port } => (reference, port),
        Backend::Unknown(object, why) => {
            let words = format!("{object} {why}: what it answers is not judged");
            output.note(context.holder, words);
            return Ok(None);
        }
    };
    let endpoints = match backend.weight {
        // Nobody looks at one that gets nothing.
        0 => Vec::new(),
        _ => backends::endpoints(context.snapshot, &reference, port),
    };
    if endpoints.is_empty() && backend.weight > 0 {
        let words = format!(
            "Failed to find endpoints: no ready endpoints for the related Service {}/{}.",
            reference.namespace, reference.name
        );
        return Err(Fault::new("BackendsAvailable", "EndpointsNotFound", words));
    }
    let filtered = match backend.weight {
        0 => WeightedCluster::default(),
        _ => filters::of_backend(context, backend, output)
            .map_err(|words| fault("InvalidBackendFilters", words))?,
    };
    let has_filters = filtered != WeightedCluster::default();
    Ok(Some(Setting { number, weight: backend.weight, endpoints, filtered, has_filters }))
}

/// What a backend alone cannot have.
fn unsupported(backend: &BackendRef) -> Option<&'static str> {
    let path = |it: &crate::api::Filter| {
        it.kind == FilterKind::UrlRewrite
            && it.url_rewrite.as_ref().is_some_and(|it| it.path.is_some())
    };
    if backend.filters.iter().any(path) {
        return Some("URLRewrite path modifier is not supported within BackendRef");
    }
    let known = [
        FilterKind::RequestHeaderModifier,
        FilterKind::ResponseHeaderModifier,
        FilterKind::UrlRewrite,
        FilterKind::ExtensionRef,
    ];
    let other = backend.filters.iter().any(|it| !known.contains(&it.kind));
    other.then_some("Specific filter is not supported within BackendRef")
}
