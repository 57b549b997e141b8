//! The endpoints of a Kubernetes Service.

use std::collections::{BTreeMap, BTreeSet};

use super::selector::has_labels;
use crate::api::{KubeUpstream, ResourceRef};
use crate::config::Endpoint;
use crate::snapshot::{EndpointAddress, EndpointSubset, NamedPort, Snapshot};

/// Ready addresses behind the Service port that the Upstream names; none if the Service has no such
/// port (gloo-conformance cases 05-*). `selector` keeps those whose pod carries its labels.
pub(super) fn of_service(upstream: &KubeUpstream, snapshot: &Snapshot) -> Vec<Endpoint> {
    let service = ResourceRef::new(&upstream.service_namespace, &upstream.service_name);
    let Some(ports) = snapshot.services.get(&service).map(|service| &service.ports) else {
        return Vec::new();
    };
    let named = |port: &&NamedPort| u32::from(port.port) == upstream.service_port;
    let Some(wanted) = ports.iter().find(named) else { return Vec::new() };
    let mut found = BTreeSet::new();
    for subset in snapshot.endpoints.get(&service).into_iter().flatten() {
        let Some(port) = target_port(subset, wanted, ports.len() == 1) else { continue };
        for address in &subset.addresses {
            let pod = pod_of(address, snapshot);
            if !upstream.selector.is_empty() {
                let Some((_, labels)) = &pod else { continue };
                if !has_labels(labels, &upstream.selector) {
                    continue;
                }
            }
            let (pod, labels) = match pod {
                Some((pod, labels)) => (Some(pod), labels.clone()),
                None => (None, BTreeMap::new()),
            };
            found.insert(Endpoint { address: address.ip.clone(), port, pod, labels, weight: 1 });
        }
    }
    found.into_iter().collect()
}

/// With a single Service port any port of the addresses will do.
fn target_port(subset: &EndpointSubset, wanted: &NamedPort, single: bool) -> Option<u16> {
    let fits = |port: &&NamedPort| single || port.name == wanted.name;
    subset.ports.iter().rev().find(fits).map(|port| port.port).filter(|port| *port != 0)
}

/// The pod that an address refers to, else the one that has the address.
fn pod_of<'a>(
    address: &EndpointAddress,
    snapshot: &'a Snapshot,
) -> Option<(ResourceRef, &'a BTreeMap<String, String>)> {
    if let Some(target) = address.target_ref.as_ref().filter(|target| target.kind == "Pod") {
        let reference = ResourceRef::new(&target.namespace, &target.name);
        let labels = &snapshot.pods.get(&reference)?.labels;
        return Some((reference, labels));
    }
    let mut pods = snapshot.pods.iter();
    let (reference, pod) =
        pods.find(|(_, pod)| pod.address == address.ip && !pod.address.is_empty())?;
    Some((reference.clone(), &pod.labels))
}
