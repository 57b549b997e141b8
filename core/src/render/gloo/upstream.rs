//! The Upstreams: one with a subset per version, or one per version.

use std::collections::{BTreeMap, BTreeSet};

use gloo::api::{FallbackPolicy, KubeUpstream, SubsetSelector, SubsetSpec, UpstreamSpec};
use serde_json::Value;

use crate::kind::Kind;
use crate::object::object;
use crate::traffic::Traffic;
use crate::values::{Fallback, Service, Split, Version, Workload};

pub(super) fn render(service: &Service, traffic: &Traffic) -> Vec<Value> {
    let of_their_own = versions_with_upstream(service, traffic);
    let shared = (service.routes.split == Split::Subset).then(|| shared(service));
    let own = of_their_own.iter().map(|version| of_version(service, version));
    shared.into_iter().chain(own).collect()
}

/// A shadow takes an upstream and no subset (gloo-conformance case 13-shadowing), so a shadowed
/// version has one of its own even where the others are subsets.
fn versions_with_upstream<'a>(service: &'a Service, traffic: &Traffic) -> BTreeSet<&'a Version> {
    let shadowed = traffic.shadowed();
    service
        .versions
        .iter()
        .filter(|(_, workload)| !matches!(workload, Workload::Upstream(_)))
        .map(|(version, _)| version)
        .filter(|version| service.routes.split == Split::Upstream || shadowed == Some(version))
        .collect()
}

/// The subset key stands there from the first apply on: a route with a subset is refused while
/// its Upstream has none (gloo-conformance case 06-no-subset-spec).
fn shared(service: &Service) -> Value {
    let name = service.name.as_str();
    let subset_spec = SubsetSpec {
        selectors: vec![SubsetSelector {
            keys: vec!["version".to_owned()],
            ..SubsetSelector::default()
        }],
        // Gloo's default lets any pod answer for an empty subset. Without it a route that names no
        // subset gets 503 too, but every route of ours names one (case 06-fallback-policies).
        fallback_policy: match service.routes.fallback {
            Fallback::Any => FallbackPolicy::AnyEndpoint,
            Fallback::None => FallbackPolicy::NoFallback,
        },
        default_subset: None,
    };
    upstream(service, name, selector(service, None), Some(subset_spec))
}

fn of_version(service: &Service, version: &Version) -> Value {
    upstream(service, &service.version_name(version), selector(service, Some(version)), None)
}

/// The labels of the service's pods, or of those of one version.
fn selector(service: &Service, version: Option<&Version>) -> BTreeMap<String, String> {
    let app = ("app", service.name.as_str());
    let labels = [app].into_iter().chain(version.map(|version| ("version", version.as_str())));
    labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

/// The port is the Service's and not the container's: Gloo finds no endpoints otherwise
/// (gloo-conformance case 05-service-port-mismatch).
fn upstream(
    service: &Service,
    name: &str,
    selector: BTreeMap<String, String>,
    subset_spec: Option<SubsetSpec>,
) -> Value {
    let kube = KubeUpstream {
        selector,
        service_name: service.name.to_string(),
        service_namespace: service.namespace.clone(),
        service_port: service.port.into(),
        service_spec: None,
        subset_spec,
    };
    let extra = service.upstream.clone();
    let spec = UpstreamSpec { extra, kube: Some(kube), ..UpstreamSpec::default() };
    object(Kind::Upstream, &service.namespace, name, spec)
}
