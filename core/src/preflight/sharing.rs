//! Upstreams and Services that somebody else uses too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gloo::api::{FallbackPolicy, StaticUpstream, UpstreamSpec};
use gloo::config::{Action, Route, Target};
use gloo::{ObjectRef, ResourceRef, ServiceSpec};

use super::ownership::Owners;
use super::translated_cluster::TranslatedCluster;
use crate::kind::Kind;
use crate::reason::Refusal;

/// # Errors
/// An Upstream or Service of ours that would become something else for another owner who uses it, and an
/// Upstream of ours that names a port its Service does not have.
pub(super) fn check(
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    let changed = owners.objects().map(|(object, _)| object);
    let changed = changed.filter(|object| !stage.snapshot.agrees(&base.snapshot, object));
    let (mut upstreams, mut services) = (Vec::new(), Vec::new());
    for object in changed {
        match Kind::of_reference(object) {
            Some(Kind::Upstream) => upstreams.push(object),
            Some(Kind::Service) => services.push(object),
            _ => {}
        }
    }
    upstreams.sort();
    for upstream in &upstreams {
        port(upstream, stage)?;
    }
    of_upstreams(&upstreams, base, stage, owners)?;
    of_services(&services, base, stage, owners)
}

fn port(object: &ObjectRef, stage: &TranslatedCluster) -> Result<(), Refusal> {
    let spec = stage.snapshot.upstream(&object.resource());
    let Some(kube) = spec.and_then(|spec| spec.kube.as_ref()) else { return Ok(()) };
    let reference = ResourceRef::new(&kube.service_namespace, &kube.service_name);
    let Some(service) = stage.snapshot.service(&reference) else { return Ok(()) };
    if service.ports.iter().any(|port| u32::from(port.port) == kube.service_port) {
        return Ok(());
    }
    Err(Refusal::Port {
        object: Arc::new(object.clone()),
        service: Arc::new(Kind::Service.reference(&reference)),
        port: kube.service_port,
    })
}

/// An Upstream as it was and as it would be.
type Versions<'a> = (&'a ObjectRef, &'a UpstreamSpec, &'a UpstreamSpec);

fn of_upstreams(
    changed: &[&ObjectRef],
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    let versions = changed.iter().filter_map(|object| {
        let reference = object.resource();
        let (before, after) =
            (base.snapshot.upstream(&reference)?, stage.snapshot.upstream(&reference)?);
        Some((reference.cluster(), (*object, before, after)))
    });
    let versions: HashMap<String, Versions<'_>> = versions.collect();
    if versions.is_empty() {
        return Ok(());
    }
    for route in stage.translation.desired_hosts().flat_map(|host| &host.routes) {
        let owner = owners.of_object(&route.holder);
        for (cluster, subset) in destinations(route) {
            let Some(&(object, before, after)) = versions.get(cluster) else { continue };
            if owner.is_some() && owner == owners.of_object(object) {
                continue;
            }
            if let Some(what) = difference(before, after, subset) {
                let (object, user) = (Arc::new(object.clone()), Arc::clone(&route.holder));
                return Err(Refusal::Shared { object, user, what });
            }
        }
    }
    Ok(())
}

/// What an Upstream is to requests with this subset and without.
fn difference(
    before: &UpstreamSpec,
    after: &UpstreamSpec,
    subset: &BTreeMap<String, String>,
) -> Option<&'static str> {
    let backend = |spec: &'_ UpstreamSpec| {
        let kube = spec.kube.as_ref();
        let service = kube.map(|kube| {
            let service = ResourceRef::new(&kube.service_namespace, &kube.service_name);
            (service, kube.service_port, kube.selector.clone())
        });
        let hosts: Option<StaticUpstream> = spec.fixed.clone();
        (service, hosts)
    };
    if backend(before) != backend(after) {
        return Some("its endpoints");
    }
    (share(before, subset) != share(after, subset)).then_some("its subsets")
}

/// Who serves requests with this subset: whether there is such a subset, and who if it is empty or
/// there is none (case 06-fallback-policies).
fn share(
    spec: &UpstreamSpec,
    subset: &BTreeMap<String, String>,
) -> (bool, FallbackPolicy, BTreeMap<String, String>) {
    let Some(settings) = spec.subset_spec().filter(|spec| !spec.selectors.is_empty()) else {
        return (false, FallbackPolicy::AnyEndpoint, BTreeMap::new());
    };
    let fits = |keys: &[String]| {
        keys.len() == subset.len() && keys.iter().all(|key| subset.contains_key(key))
    };
    let selectable = settings.selectors.iter().any(|selector| fits(&selector.keys));
    let default = settings.default_subset.clone().unwrap_or_default().values;
    (selectable && !subset.is_empty(), settings.fallback_policy, default)
}

fn of_services(
    changed: &[&ObjectRef],
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    if changed.is_empty() {
        return Ok(());
    }
    let changed: HashMap<ResourceRef, &ObjectRef> =
        changed.iter().map(|object| (object.resource(), *object)).collect();
    for (upstream, spec) in stage.snapshot.upstreams() {
        let Some(kube) = &spec.kube else { continue };
        let reference = ResourceRef::new(&kube.service_namespace, &kube.service_name);
        let Some(&object) = changed.get(&reference) else { continue };
        let user = Kind::Upstream.reference(upstream);
        if owners.of_object(&user).is_some_and(|own| owners.of_object(object) == Some(own)) {
            continue;
        }
        let versions = base.snapshot.service(&reference).zip(stage.snapshot.service(&reference));
        let Some((before, after)) = versions else { continue };
        if let Some(what) = change_of_service(before, after, kube.service_port) {
            let (object, user) = (Arc::new(object.clone()), Arc::new(user));
            return Err(Refusal::Shared { object, user, what });
        }
    }
    Ok(())
}

fn change_of_service(before: &ServiceSpec, after: &ServiceSpec, port: u32) -> Option<&'static str> {
    let named = |service: &'_ ServiceSpec| {
        let mut ports = service.ports.iter().filter(|it| u32::from(it.port) == port);
        ports.next().cloned()
    };
    if before.selector != after.selector {
        return Some("its pods");
    }
    (named(before) != named(after)).then_some("its port")
}

/// The clusters that a route sends requests to, each with the labels that narrow it down.
pub(super) fn destinations(route: &Route) -> Vec<(&str, &BTreeMap<String, String>)> {
    let Action::Forward(forward) = &route.action else { return Vec::new() };
    match &forward.target {
        Target::Cluster { name, subset } => vec![(name, subset)],
        Target::Weighted { clusters, .. } => {
            clusters.iter().map(|it| (it.name.as_str(), &it.subset)).collect()
        }
        Target::Header(_) | Target::Missing | Target::Unknown | Target::Dynamic { .. } => {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use gloo::api::decode;
    use serde_json::{Value, json};

    use super::*;

    fn upstream(spec: Value) -> UpstreamSpec {
        decode(&spec).expect("an Upstream")
    }

    fn kube(service: &str, port: u32, subsets: Value) -> UpstreamSpec {
        upstream(json!({"kube": {"serviceName": service, "serviceNamespace": "shop",
            "servicePort": port, "subsetSpec": subsets}}))
    }

    fn selecting(keys: &[&[&str]], fallback: &str) -> Value {
        let selectors: Vec<Value> = keys.iter().map(|keys| json!({"keys": keys})).collect();
        json!({"selectors": selectors, "fallbackPolicy": fallback})
    }

    fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_upstream_with_other_endpoints_is_another() {
        let by_version = || selecting(&[&["version"]], "ANY_ENDPOINT");
        let before = kube("echo", 80, by_version());
        let of = |after: &UpstreamSpec| difference(&before, after, &BTreeMap::new());
        assert_eq!(of(&before), None);
        assert_eq!(of(&kube("golf", 80, by_version())), Some("its endpoints"));
        assert_eq!(of(&kube("echo", 81, by_version())), Some("its endpoints"));
        let hosts = json!({"hosts": [{"addr": "10.0.0.1", "port": 80}]});
        assert_eq!(of(&upstream(json!({"static": hosts}))), Some("its endpoints"));
    }

    #[test]
    fn other_subsets_count_for_requests_that_they_answer() {
        let (version, none) = (labels(&[("version", "v1")]), BTreeMap::new());
        let with = |keys: &[&[&str]], fallback: &str| kube("echo", 80, selecting(keys, fallback));
        let before = with(&[&["version"]], "ANY_ENDPOINT");
        for (keys, fallback, of_version, of_none) in [
            (&[&["version"][..]][..], "ANY_ENDPOINT", false, false),
            (&[&["version"], &["stage"]], "ANY_ENDPOINT", false, false),
            (&[&["stage"]], "ANY_ENDPOINT", true, false),
            (&[&["version", "stage"]], "ANY_ENDPOINT", true, false),
            (&[], "ANY_ENDPOINT", true, false),
            (&[&["version"]], "NO_FALLBACK", true, true),
            (&[], "NO_FALLBACK", true, false),
        ] {
            let after = with(keys, fallback);
            for (subset, differs) in [(&version, of_version), (&none, of_none)] {
                let expected = differs.then_some("its subsets");
                assert_eq!(difference(&before, &after, subset), expected, "{keys:?} {subset:?}");
            }
        }
    }

    #[test]
    fn a_service_is_its_pods_and_the_port_that_is_used() {
        let service = |app: &str, ports: &[(&str, u16)]| -> ServiceSpec {
            let ports: Vec<Value> =
                ports.iter().map(|(name, port)| json!({"name": name, "port": port})).collect();
            decode(&json!({"selector": {"app": app}, "ports": ports})).expect("a Service")
        };
        let before = service("echo", &[("http", 80), ("metrics", 90)]);
        let of = |after: &ServiceSpec| change_of_service(&before, after, 80);
        assert_eq!(of(&before), None);
        assert_eq!(of(&service("golf", &[("http", 80), ("metrics", 90)])), Some("its pods"));
        assert_eq!(of(&service("echo", &[("http", 80)])), None, "nobody uses the other port");
        assert_eq!(of(&service("echo", &[("web", 80), ("metrics", 90)])), Some("its port"));
        assert_eq!(of(&service("echo", &[("metrics", 90)])), Some("its port"));
    }
}
