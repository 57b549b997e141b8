//! What stands in for objects of the Gateway API that nobody has read, or that are not in a repository.

use std::collections::{BTreeMap, BTreeSet};

use gateway_api::{ObjectRef, Profile, Snapshot};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::labels::DELEGATION_LABEL;

/// The name of what stands in for others' objects.
pub(crate) const STAND_IN: &str = "not-in-this-repository";

/// When what is in the cluster already was made: before whatever comes.
pub(crate) const EARLIER: &str = "1970-01-01T00:00:00Z";

const API: &str = "gateway.networking.k8s.io/v1";

/// The class of the Gateways that stand in.
const CLASS: &str = STAND_IN;

/// Puts in what is named and was not read, as far as it can be told who serves it: GatewayClasses, Gateways that take the
/// routes of everybody, and parents of the routes that a label may select. Returns the Gateways among it.
pub(super) fn put(snapshot: &mut Snapshot, profile: Profile) -> BTreeSet<ObjectRef> {
    let mut objects = Vec::new();
    if !snapshot.is_complete("GatewayClass") {
        let classless = snapshot.gateways().filter(|(_, controller)| controller.is_none());
        let names: BTreeSet<String> = classless
            .filter_map(|(name, _)| Some(snapshot.gateway(name)?.gateway_class_name.clone()))
            .collect();
        objects.extend(names.iter().map(|name| class(name, profile.controller())));
    }
    let mut gateways: BTreeMap<ObjectRef, BTreeSet<String>> = BTreeMap::new();
    if !snapshot.is_complete("Gateway") {
        for (route, spec) in snapshot.http_routes() {
            for parent in spec.parent_refs.iter().filter(|it| it.kind == "Gateway") {
                let namespace = parent.namespace.as_deref().unwrap_or(&route.namespace);
                let gateway = ObjectRef::new("Gateway", namespace, &parent.name);
                let is_read = snapshot.is_complete_in("Gateway", namespace);
                if !is_read && !snapshot.contains(&gateway) {
                    gateways.entry(gateway).or_default().extend(parent.section_name.clone());
                }
            }
        }
    }
    let groups = if snapshot.is_complete("HTTPRoute") { BTreeSet::new() } else { groups(snapshot) };
    if !groups.is_empty() && profile != Profile::EnvoyGateway {
        objects.push(parent(&groups));
        gateways.insert(ObjectRef::new("Gateway", STAND_IN, STAND_IN), BTreeSet::new());
    }
    if !gateways.is_empty() {
        objects.push(class(CLASS, profile.controller()));
    }
    for (name, sections) in &gateways {
        objects.push(gateway(&name.namespace, &name.name, CLASS, sections));
    }
    for object in &objects {
        snapshot.upsert(object);
    }
    gateways.into_keys().collect()
}

/// The labels by which a parent may select routes, of which none does that was read.
fn groups(snapshot: &Snapshot) -> BTreeSet<String> {
    let labels = snapshot.http_routes().filter(|(_, route)| route.parent_refs.is_empty());
    let labels = labels.filter_map(|(name, _)| snapshot.label(name, DELEGATION_LABEL));
    let mut groups: BTreeSet<String> = labels.map(str::to_owned).collect();
    let rules = snapshot.http_routes().flat_map(|(_, route)| &route.rules);
    let backends = rules.flat_map(|rule| &rule.backend_refs);
    for selected in backends.filter(|it| it.group == "delegation.kgateway.dev") {
        groups.remove(&selected.name);
    }
    groups
}

/// A GatewayClass of this controller.
pub(crate) fn class(name: &str, controller: &str) -> Value {
    json!({"apiVersion": API, "kind": "GatewayClass",
        "metadata": {"name": name}, "spec": {"controllerName": controller}})
}

/// A Gateway of which only the name is known, and the names of listeners.
pub(crate) fn gateway(
    namespace: &str,
    name: &str,
    class: &str,
    sections: &BTreeSet<String>,
) -> Value {
    let names = sections.iter().map(String::as_str);
    let names: Vec<&str> = if sections.is_empty() { vec!["http"] } else { names.collect() };
    let listeners = names.iter().zip(1_u16..).map(|(name, port)| {
        json!({"name": name, "port": port, "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "All"}}})
    });
    json!({"apiVersion": API, "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": EARLIER},
        "spec": {"gatewayClassName": class, "listeners": listeners.collect::<Vec<_>>()}})
}

/// A parent that selects the routes of each group.
pub(crate) fn parent(groups: &BTreeSet<String>) -> Value {
    let (api_group, kind) = DELEGATION_LABEL.split_once('/').unwrap_or_default();
    let rules = groups.iter().map(|group| {
        json!({"backendRefs": [{"group": api_group, "kind": kind, "name": group,
            "namespace": "all"}]})
    });
    json!({"apiVersion": API, "kind": Kind::HttpRoute,
        "metadata": {"name": STAND_IN, "namespace": STAND_IN, "creationTimestamp": EARLIER},
        "spec": {"parentRefs": [{"name": STAND_IN}],
            "hostnames": [format!("{STAND_IN}.invalid")],
            "rules": rules.collect::<Vec<_>>()}})
}
