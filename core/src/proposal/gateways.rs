//! What a tree means to the Gateway API's implementations, with stand-ins for what it leaves to others.

use std::collections::{BTreeMap, BTreeSet};

use gateway_api::{ObjectRef, Snapshot};
use serde_json::{Value, json};

use super::Expected;
use crate::kind::is_gateway_api_routing;
use crate::object::Manifest;
use crate::preflight::http_route_snapshot;
use crate::preflight::stand_ins::{self, EARLIER, STAND_IN};
use crate::values::{Binding, GatewayApi, PLATFORM, Profile, Service};

/// The objects of the Gateway API that services find in a cluster: the platform's of the last of these trees, and
/// stand-ins for the Gateways, GatewayClasses and parents that only the values of any of them name. `None`: nobody
/// writes HTTPRoutes.
pub(super) fn surroundings(trees: &[&Expected]) -> Option<Snapshot> {
    let of = |tree: &&Expected| -> Vec<Value> {
        let manifests = tree.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests());
        manifests.map(|manifest| manifest.object().clone()).collect()
    };
    let platform = trees.last().map(of).unwrap_or_default();
    let everywhere: Vec<Value> = trees.iter().flat_map(of).collect();
    let is = |object: &Value, kind: &str| {
        let version = object["apiVersion"].as_str().unwrap_or_default();
        object["kind"] == kind && version.starts_with("gateway.networking.k8s.io/")
    };
    let services: Vec<(&Service, &GatewayApi)> = trees
        .iter()
        .flat_map(|tree| tree.names().filter_map(|name| tree.service(name)))
        .filter_map(|service| Some((service, service.routes.gateway.gateway_api()?)))
        .collect();
    if services.is_empty() && !everywhere.iter().any(|object| is(object, "HTTPRoute")) {
        return None;
    }
    let mut snapshot = http_route_snapshot();
    platform.iter().for_each(|object| put(&mut snapshot, object));
    let unknown = services.iter().any(|(service, _)| {
        !snapshot.contains(&ObjectRef::new("Namespace", "", &service.namespace))
    });
    for gateway in platform.iter().filter(|it| unknown && is(it, "Gateway")) {
        // The labels of namespaces that are not in the tree are not known.
        put(&mut snapshot, &open(gateway));
    }
    let (mut classes, mut wanted, mut groups) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for (service, api) in &services {
        for gateway in &api.gateways {
            let namespace = gateway.namespace.as_deref().unwrap_or(&service.namespace);
            let is_it = |it: &&Value| {
                is(it, "Gateway")
                    && it["metadata"]["name"] == gateway.name
                    && it["metadata"]["namespace"] == namespace
            };
            for known in everywhere.iter().filter(is_it) {
                classes.entry(class_of(known)).or_insert(api.profile);
            }
            if !platform.iter().any(|it| is_it(&it)) {
                classes.entry(stand_in_class(api.profile).to_owned()).or_insert(api.profile);
                let key = (namespace.to_owned(), gateway.name.clone());
                let (_, sections) =
                    wanted.entry(key).or_insert_with(|| (api.profile, BTreeSet::new()));
                sections.extend(gateway.section_name.clone());
            }
        }
        if let Binding::ApiGroup(group) = &service.routes.binding
            && api.profile.delegates()
        {
            groups.insert(group.clone());
        }
    }
    // A Gateway that only a parent names is of the one implementation that there is.
    let mut profiles = services.iter().map(|(_, api)| api.profile);
    if let Some(only) = profiles.next()
        && profiles.all(|profile| profile == only)
    {
        for gateway in everywhere.iter().filter(|it| is(it, "Gateway")) {
            classes.entry(class_of(gateway)).or_insert(only);
        }
    }
    let selects = |group: &String| {
        let parents = platform.iter().filter(|it| is(it, "HTTPRoute"));
        parents.flat_map(|it| it["spec"]["rules"].as_array()).flatten().any(|rule| {
            let backends = rule["backendRefs"].as_array();
            backends.into_iter().flatten().any(|it| it["name"] == group.as_str())
        })
    };
    groups.retain(|group| !selects(group));
    if !groups.is_empty() {
        let key = (STAND_IN.to_owned(), STAND_IN.to_owned());
        wanted.entry(key).or_insert_with(|| (Profile::Kgateway, BTreeSet::new()));
        classes.insert(stand_in_class(Profile::Kgateway).to_owned(), Profile::Kgateway);
        put(&mut snapshot, &stand_ins::parent(&groups));
    }
    for (class, profile) in classes {
        if !snapshot.contains(&ObjectRef::new("GatewayClass", "", &class)) {
            put(&mut snapshot, &stand_ins::class(&class, controller(profile)));
        }
    }
    for ((namespace, name), (profile, sections)) in wanted {
        let class = stand_in_class(profile);
        put(&mut snapshot, &stand_ins::gateway(&namespace, &name, class, &sections));
    }
    Some(snapshot)
}

/// The whole cluster, where all of the tree has been there for long.
pub(super) fn cluster(tree: &Expected, mut surroundings: Snapshot) -> Snapshot {
    let jobs = tree.names().filter_map(|name| tree.job(name));
    for manifest in jobs.flat_map(|job| job.desired.manifests()) {
        let mut object = Manifest::object(manifest).clone();
        object["metadata"]["creationTimestamp"] = json!(EARLIER);
        put(&mut surroundings, &object);
    }
    surroundings
}

impl Expected {
    /// The whole cluster of the Gateway API, with a ready pod behind every Service, and with what stands in for Gateways and
    /// parents that the values name and that are not in the tree; `None` where nobody writes HTTPRoutes.
    pub fn gateway_api(&self) -> Option<gateway_api::Snapshot> {
        let surroundings = surroundings(&[self])?;
        Some(cluster(self, surroundings).with_every_endpoint(None))
    }
}

/// Puts in an object of a kind that counts.
fn put(snapshot: &mut Snapshot, object: &Value) {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    if is_gateway_api_routing(text("apiVersion"), text("kind")) {
        snapshot.upsert(object);
    }
}

/// Whether a Gateway of the tree selects namespaces by labels, and services are in some that are not in the tree.
pub(super) fn select_unknown_namespaces(tree: &Expected) -> bool {
    let platform = tree.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests());
    let platform: Vec<&Value> = platform.map(Manifest::object).collect();
    let services = tree.names().filter_map(|name| tree.service(name));
    let unknown = services.into_iter().any(|service| {
        let has =
            |it: &&Value| it["kind"] == "Namespace" && it["metadata"]["name"] == service.namespace;
        !platform.iter().any(has)
    });
    unknown && platform.iter().any(|it| open(it) != **it)
}

/// The same Gateway, open to every namespace where it selects them by labels.
fn open(gateway: &Value) -> Value {
    let mut gateway = gateway.clone();
    let listeners = gateway.pointer_mut("/spec/listeners").and_then(Value::as_array_mut);
    for listener in listeners.into_iter().flatten() {
        if listener["allowedRoutes"]["namespaces"]["from"] == "Selector" {
            listener["allowedRoutes"]["namespaces"] = json!({"from": "All"});
        }
    }
    gateway
}

/// The name of a Gateway's class.
fn class_of(gateway: &Value) -> String {
    gateway["spec"]["gatewayClassName"].as_str().unwrap_or_default().to_owned()
}

/// The class of Gateways that are not in the tree.
fn stand_in_class(profile: Profile) -> &'static str {
    match profile {
        Profile::Kgateway | Profile::Portable => "kgateway",
        Profile::EnvoyGateway => "envoy-gateway",
    }
}

/// Whoever decides: what the others decide otherwise is refused in the values.
fn controller(profile: Profile) -> &'static str {
    match profile {
        Profile::Kgateway | Profile::Portable => gateway_api::Profile::Portable.controller(),
        Profile::EnvoyGateway => gateway_api::Profile::EnvoyGateway.controller(),
    }
}
