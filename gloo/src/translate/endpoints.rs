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
    for subset in snapshot.endpoints.get(&service).into_iter().flat_map(|subsets| subsets.iter()) {
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
            found.insert(Endpoint {
                address: address.ip.clone(),
                port,
                pod,
                labels,
                weight: 1,
                server_name: None,
            });
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
    Some((reference.as_ref().clone(), &pod.labels))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A Service `echo` with these ports, and pods 10.0.0.1 (v1) and 10.0.0.2 (v2) behind it.
    fn snapshot(service_ports: &Value, target_ports: &Value) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let metadata = json!({ "namespace": "echo", "name": "echo" });
        let spec = json!({ "ports": service_ports });
        snapshot.upsert(&json!({ "kind": "Service", "metadata": metadata, "spec": spec }));
        let mut addresses = Vec::new();
        for (ip, version) in [("10.0.0.1", "v1"), ("10.0.0.2", "v2")] {
            let labels = json!({ "version": version });
            snapshot.upsert(&json!({
                "kind": "Pod",
                "metadata": { "namespace": "echo", "name": version, "labels": labels },
                "status": { "podIP": ip },
            }));
            addresses.push(json!({ "ip": ip }));
        }
        let subsets = json!([{ "addresses": addresses, "ports": target_ports }]);
        snapshot.upsert(&json!({ "kind": "Endpoints", "metadata": metadata, "subsets": subsets }));
        snapshot
    }

    fn upstream(port: u32) -> KubeUpstream {
        let name = String::from("echo");
        KubeUpstream {
            service_name: name.clone(),
            service_namespace: name,
            service_port: port,
            ..KubeUpstream::default()
        }
    }

    fn addresses(endpoints: &[Endpoint]) -> Vec<(&str, u16)> {
        endpoints.iter().map(|e| (e.address.as_str(), e.port)).collect()
    }

    #[test]
    fn a_selector_keeps_the_pods_that_carry_its_labels() {
        let snapshot = snapshot(&json!([{ "port": 80 }]), &json!([{ "port": 8080 }]));
        let mut upstream = upstream(80);
        upstream.selector.insert("version".into(), "v2".into());
        assert_eq!(addresses(&of_service(&upstream, &snapshot)), [("10.0.0.2", 8080)]);
    }

    #[test]
    fn an_address_without_a_known_pod_has_no_labels_and_no_selector_takes_it() {
        let mut snapshot = snapshot(&json!([{ "port": 80 }]), &json!([{ "port": 8080 }]));
        snapshot.remove("Pod", "echo", "v1");
        let found = of_service(&upstream(80), &snapshot);
        assert_eq!(addresses(&found), [("10.0.0.1", 8080), ("10.0.0.2", 8080)]);
        assert_eq!((&found[0].pod, found[0].labels.len()), (&None, 0));
        let mut upstream = upstream(80);
        upstream.selector.insert("version".into(), "v1".into());
        assert_eq!(of_service(&upstream, &snapshot), []);
    }

    #[test]
    fn of_several_service_ports_the_name_leads_to_the_target_port() {
        let service = json!([{ "name": "web", "port": 80 }, { "name": "alt", "port": 81 }]);
        let target = json!([{ "name": "web", "port": 8080 }, { "name": "alt", "port": 8081 }]);
        let snapshot = snapshot(&service, &target);
        let found = of_service(&upstream(81), &snapshot);
        assert_eq!(addresses(&found), [("10.0.0.1", 8081), ("10.0.0.2", 8081)]);
    }

    #[test]
    fn the_target_port_is_no_service_port() {
        let snapshot = snapshot(&json!([{ "port": 80 }]), &json!([{ "port": 8080 }]));
        assert_eq!(of_service(&upstream(8080), &snapshot), []);
    }
}
