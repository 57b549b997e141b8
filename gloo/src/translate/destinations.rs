//! From a route's destinations to Envoy's clusters.

use std::collections::BTreeMap;

use super::findings::Remark;
use super::header_edits;
use super::mistake::Mistake;
use super::route_findings::RouteFindings;
use super::view::View;
use crate::api::{Destination, ResourceRef, RouteAction, Target as Wanted, WeightedDestination};
use crate::code::Code;
use crate::config::{HeaderEdits, Target, WeightedCluster};

/// What is wrong with a destination.
pub(super) enum Fault {
    /// The route works for others; a warning.
    Warning(Mistake),
    /// An error of the route, which shows in the proxy's status only.
    Error(Mistake),
}

/// Translates the destination of a route and reports what is wrong with it.
pub(super) fn translate(
    action: &RouteAction,
    route: &str,
    view: &View,
    findings: &mut RouteFindings,
) -> Target {
    let target = action.target();
    if let Err(mistake) = exists(target, view) {
        findings.warning(mistake);
    }
    for reference in unread(target, view) {
        findings.note(Remark::not_read("Upstream", &reference));
    }
    let (target, fault) = match target {
        Some(Wanted::Single(destination)) => single(destination, view),
        Some(Wanted::Multi(multi)) => weighted(&multi.destinations, route, view, findings),
        Some(Wanted::Group(reference)) => match group(reference, view) {
            Some(destinations) => weighted(&destinations, route, view, findings),
            None if !view.known.tells("UpstreamGroup", reference) => {
                findings.note(Remark::not_read("UpstreamGroup", reference));
                (Target::Unknown, None)
            }
            None => {
                let target = Target::Cluster { name: String::new(), subset: BTreeMap::new() };
                (target, Some(Fault::Warning(group_not_found(reference))))
            }
        },
        Some(Wanted::ClusterHeader(header)) => (Target::Header(header.to_owned()), None),
        Some(Wanted::DynamicForwardProxy) => (Target::Dynamic { filter: false }, None),
        None => {
            let mistake = Mistake::new(Code::NoDestination, "unknown upstream destination type");
            (Target::Missing, Some(Fault::Error(mistake)))
        }
    };
    match fault {
        Some(Fault::Warning(mistake)) => findings.warning(mistake),
        Some(Fault::Error(mistake)) => findings.error(mistake, route),
        None => {}
    }
    target
}

/// The destinations of an UpstreamGroup; without a namespace they are in the group's.
pub(super) fn group(reference: &ResourceRef, view: &View) -> Option<Vec<WeightedDestination>> {
    let mut destinations = view.upstream_groups.get(reference)?.spec.destinations.clone();
    let upstreams = destinations.iter_mut().filter_map(|weighted| weighted.destination.as_mut());
    for upstream in upstreams.filter_map(|destination| destination.upstream.as_mut()) {
        if upstream.namespace.is_empty() {
            upstream.namespace.clone_from(&reference.namespace);
        }
    }
    Some(destinations)
}

fn exists(target: Option<Wanted<'_>>, view: &View) -> Result<(), Mistake> {
    let none = Destination::default();
    let all = |destinations: &[WeightedDestination]| {
        for weighted in destinations {
            let destination = weighted.destination.as_ref().unwrap_or(&none);
            upstream_exists(destination, view).map_err(|mistake| {
                mistake.within(|e| format!("invalid destination in weighted destination list: {e}"))
            })?;
        }
        Ok(())
    };
    match target {
        Some(Wanted::Single(destination)) => upstream_exists(destination, view),
        Some(Wanted::Multi(multi)) => all(&multi.destinations),
        Some(Wanted::Group(reference)) => match group(reference, view) {
            Some(destinations) => all(&destinations),
            None if !view.known.tells("UpstreamGroup", reference) => Ok(()),
            None => Err(group_not_found(reference)),
        },
        Some(Wanted::ClusterHeader(header)) => match header.is_ascii() && !header.contains(':') {
            true => Ok(()),
            false => {
                let words = format!("{header} is an invalid HTTP header name");
                Err(Mistake::new(Code::InvalidHeader, words))
            }
        },
        Some(Wanted::DynamicForwardProxy) => Ok(()),
        None => {
            let words = "must specify either 'singleDestination', 'multipleDestinations', \
                         'upstreamGroup', 'clusterHeader', or 'dynamicForwardProxy' for action";
            Err(Mistake::new(Code::NoDestination, words))
        }
    }
}

fn upstream_exists(destination: &Destination, view: &View) -> Result<(), Mistake> {
    let reference = upstream_of(destination)?;
    let elsewhere = destination.kube.is_some() || destination.consul.is_some();
    if !view.lacks_upstream(&reference) || elsewhere && !view.only_upstreams {
        return Ok(());
    }
    Err(not_found(&reference))
}

/// The Upstreams that a route leads to and that nobody has looked for.
fn unread(target: Option<Wanted<'_>>, view: &View) -> Vec<ResourceRef> {
    let of = |destinations: &[WeightedDestination]| -> Vec<ResourceRef> {
        let destinations = destinations.iter().filter_map(|it| it.destination.as_ref());
        destinations.filter_map(|destination| unread_upstream(destination, view)).collect()
    };
    match target {
        Some(Wanted::Single(destination)) => {
            unread_upstream(destination, view).into_iter().collect()
        }
        Some(Wanted::Multi(multi)) => of(&multi.destinations),
        Some(Wanted::Group(reference)) => of(&group(reference, view).unwrap_or_default()),
        Some(Wanted::ClusterHeader(_) | Wanted::DynamicForwardProxy) | None => Vec::new(),
    }
}

/// The Upstream of the destination, if nobody has looked for it.
pub(super) fn unread_upstream(destination: &Destination, view: &View) -> Option<ResourceRef> {
    let reference = destination.upstream.as_ref()?;
    let is_read = view.known.sees("Upstream", &reference.namespace);
    (!is_read && !view.upstreams.contains_key(reference)).then(|| reference.clone())
}

/// The Upstream of a destination. A Service or Consul service without one has a made-up name.
pub(super) fn upstream_of(destination: &Destination) -> Result<ResourceRef, Mistake> {
    if destination.consul.is_some() {
        return Ok(ResourceRef::new("gloo-system", "consul-svc"));
    }
    if let Some(kube) = &destination.kube {
        let text = |name: &str| {
            let field = kube.0.get("ref").and_then(|reference| reference.get(name));
            field.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let (namespace, name) = (text("namespace"), text("name"));
        let port = kube.0.get("port").and_then(serde_json::Value::as_u64).unwrap_or_default();
        let name = format!("kube-svc:{namespace}-{name}-{port}");
        return Ok(ResourceRef { namespace, name });
    }
    let nowhere = || Mistake::new(Code::NoDestination, "no destination type specified");
    destination.upstream.clone().ok_or_else(nowhere)
}

fn not_found(reference: &ResourceRef) -> Mistake {
    let words = format!("*v1.Upstream {{ {} }} not found", reference.key());
    Mistake::new(Code::MissingUpstream, words)
}

fn group_not_found(reference: &ResourceRef) -> Mistake {
    let words = format!("*v1.UpstreamGroup {{ {} }} not found", reference.key());
    Mistake::new(Code::MissingUpstreamGroup, words)
}

fn single(destination: &Destination, view: &View) -> (Target, Option<Fault>) {
    match upstream_of(destination) {
        Ok(reference) => {
            let target = Target::Cluster { name: reference.cluster(), subset: subset(destination) };
            (target, check_subset(destination, view).err())
        }
        Err(reason) => {
            let target = Target::Cluster { name: String::new(), subset: BTreeMap::new() };
            (target, Some(Fault::Error(reason)))
        }
    }
}

/// The list of weighted clusters. A destination with a subset that fails its check stays in the list
/// and ends it, and the total is not stated (gloo-conformance cases 07-*).
fn weighted(
    destinations: &[WeightedDestination],
    route: &str,
    view: &View,
    findings: &mut RouteFindings,
) -> (Target, Option<Fault>) {
    let none = Destination::default();
    let mut clusters = Vec::new();
    let mut sum: u32 = 0;
    if destinations.is_empty() {
        let words = "must specify at least one weighted destination for multi destination routes";
        let target = Target::Weighted { clusters, total: None };
        return (target, Some(Fault::Error(Mistake::new(Code::NoDestination, words))));
    }
    for weighted in destinations {
        let destination = weighted.destination.as_ref().unwrap_or(&none);
        let reference = match upstream_of(destination) {
            Ok(reference) => reference,
            Err(reason) => {
                let target = Target::Weighted { clusters, total: None };
                return (target, Some(Fault::Error(reason)));
            }
        };
        let weight = weighted.weight.unwrap_or_default();
        sum = sum.wrapping_add(weight);
        clusters.push(WeightedCluster {
            name: reference.cluster(),
            subset: subset(destination),
            weight,
            headers: headers(weighted, route, view, findings),
        });
        if let Err(fault) = check_subset(destination, view) {
            return (Target::Weighted { clusters, total: None }, Some(fault));
        }
    }
    if sum == 0 {
        let words = "Incorrect configuration for Weighted Destination for route - Weighted \
                     Destinations require a total weight that is greater than or equal to 1";
        findings.error(Mistake::new(Code::NoTotalWeight, words), route);
    }
    (Target::Weighted { clusters, total: Some(sum) }, None)
}

fn headers(
    weighted: &WeightedDestination,
    route: &str,
    view: &View,
    findings: &mut RouteFindings,
) -> HeaderEdits {
    let manipulation = weighted.options.as_ref().and_then(|o| o.header_manipulation.as_ref());
    let edits = manipulation.map(|it| header_edits::translate(it, view, |it| findings.note(it)));
    match edits {
        Some(Ok(edits)) => edits,
        Some(Err(mistake)) => {
            findings.error(mistake, route);
            HeaderEdits::default()
        }
        None => HeaderEdits::default(),
    }
}

fn subset(destination: &Destination) -> BTreeMap<String, String> {
    destination.subset.as_ref().map(|subset| subset.values.clone()).unwrap_or_default()
}

/// The keys of a subset must be exactly those of one of the Upstream's selectors
/// (gloo-conformance case 06-subset-keys).
fn check_subset(destination: &Destination, view: &View) -> Result<(), Fault> {
    let wanted = destination.subset.as_ref().map(|subset| &subset.values);
    let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
    let reference = upstream_of(destination).map_err(Fault::Error)?;
    if unread_upstream(destination, view).is_some() {
        return Ok(());
    }
    let upstream =
        view.upstreams.get(&reference).ok_or_else(|| Fault::Warning(not_found(&reference)))?;
    let spec = upstream.spec.subset_spec().ok_or_else(|| {
        let words = "route has a subset config, but the upstream does not";
        Fault::Warning(Mistake::new(Code::MissingSubsetSpec, words))
    })?;
    let fits = |keys: &[String]| {
        keys.len() == wanted.len() && keys.iter().all(|key| wanted.contains_key(key))
    };
    if spec.selectors.iter().any(|selector| fits(&selector.keys)) {
        return Ok(());
    }
    let words = "route has a subset config, but none of the subsets in the upstream match it";
    Err(Fault::Error(Mistake::new(Code::UnknownSubset, words)))
}
