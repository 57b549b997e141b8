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
    for route in stage.translation.desired.iter().flat_map(|host| &host.routes) {
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
fn destinations(route: &Route) -> Vec<(&str, &BTreeMap<String, String>)> {
    let Action::Forward(forward) = &route.action else { return Vec::new() };
    match &forward.target {
        Target::Cluster { name, subset } => vec![(name, subset)],
        Target::Weighted { clusters, .. } => {
            clusters.iter().map(|it| (it.name.as_str(), &it.subset)).collect()
        }
        Target::Header(_) | Target::Missing => Vec::new(),
    }
}
