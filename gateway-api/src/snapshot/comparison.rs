//! What two snapshots have in common, and one with the changes of another.

use std::collections::{BTreeMap, BTreeSet};

use gloo::Table;

use super::Snapshot;
use crate::api::{
    EndpointSpec, HttpRouteSpec, PortSpec, ServicePortSpec, ServiceSpec, SliceSpec, TargetRef,
};
use crate::objects::{has, write_over};
use crate::{ObjectRef, ResourceRef};

/// Calls a macro with every table of objects that have metadata: field, kind.
macro_rules! with_objects {
    ($each:ident) => {
        $each!(classes, "GatewayClass");
        $each!(gateways, "Gateway");
        $each!(grants, "ReferenceGrant");
        $each!(traffic_policies, "TrafficPolicy");
        $each!(extensions, "GatewayExtension");
        $each!(direct_responses, "DirectResponse");
        $each!(security_policies, "SecurityPolicy");
        $each!(backend_policies, "BackendTrafficPolicy");
        $each!(route_filters, "HTTPRouteFilter");
    };
}

impl Snapshot {
    /// Whether both hold the very same objects, known without comparing them: one is a copy of the other.
    pub fn is(&self, other: &Self) -> bool {
        let mut same = self.routes.is(&other.routes)
            && self.namespaces.is(&other.namespaces)
            && self.services.is(&other.services)
            && self.slices.is(&other.slices)
            && self.secrets.is(&other.secrets)
            && self.others.is(&other.others)
            && self.environment == other.environment
            && self.is_read_alike(other)
            && self.faults == other.faults;
        macro_rules! each {
            ($field:ident, $kind:literal) => {
                same &= self.$field.is(&other.$field);
            };
        }
        with_objects!(each);
        same
    }

    /// Whether the same kinds were read, and in the same namespaces.
    pub fn is_read_alike(&self, other: &Self) -> bool {
        self.known == other.known && (self.partial, &self.read) == (other.partial, &other.read)
    }

    /// Puts in the HTTPRoutes of `other`, as they stand once they were written: one that is there keeps its age, which
    /// decides between equals.
    pub fn extend_routes(&mut self, other: &Self) {
        write_over(&mut self.routes, &other.routes);
        self.take_faults(other, true);
    }

    /// Puts in all other objects of `other` in the same way.
    pub fn extend_backends(&mut self, other: &Self) {
        macro_rules! each {
            ($field:ident, $kind:literal) => {
                write_over(&mut self.$field, &other.$field);
            };
        }
        with_objects!(each);
        write_over(&mut self.others, &other.others);
        self.namespaces.extend(&other.namespaces);
        for (name, wanted) in other.services.iter() {
            // What the API server fills in is no change.
            if !self.services.get(name).is_some_and(|it| defaulted(it) == defaulted(wanted)) {
                self.services.put(ResourceRef::clone(name), ServiceSpec::clone(wanted));
            }
        }
        self.slices.extend(&other.slices);
        self.secrets.extend(&other.secrets);
        self.take_faults(other, false);
    }

    fn take_faults(&mut self, other: &Self, routes: bool) {
        let concerns = |object: &ObjectRef| (object.kind == "HTTPRoute") == routes;
        self.faults.retain(|it, _| !concerns(it) || !other.contains(it));
        for (object, fault) in other.faults.iter().filter(|(it, _)| concerns(it)) {
            self.remove(&object.kind, &object.namespace, &object.name);
            self.faults.insert(object.clone(), fault.clone());
        }
    }

    /// Whether the object is as `other` wants it, or in neither. Labels and annotations that others gave it do not count.
    pub fn agrees(&self, other: &Self, object: &ObjectRef) -> bool {
        let name = object.resource();
        macro_rules! each {
            ($field:ident, $kind:literal) => {
                if object.kind == $kind {
                    return has(&self.$field, &other.$field, &name)
                        && self.faulty_alike(other, object);
                }
            };
        }
        with_objects!(each);
        let alike = match object.kind.as_str() {
            "HTTPRoute" => has(&self.routes, &other.routes, &name),
            "Service" => {
                let of = |it: &'_ Self| it.services.get(&name).map(|service| defaulted(service));
                of(self) == of(other)
            }
            "Namespace" => {
                let name = ResourceRef::new("", &object.name);
                self.namespaces.get(&name) == other.namespaces.get(&name)
            }
            "Secret" => self.secrets.get(&name) == other.secrets.get(&name),
            _ => self.contains(object) == other.contains(object),
        };
        alike && self.faulty_alike(other, object)
    }

    fn faulty_alike(&self, other: &Self, object: &ObjectRef) -> bool {
        self.faults.get(object) == other.faults.get(object)
    }

    /// The objects that the two have otherwise. EndpointSlices do not count.
    pub fn differing(&self, other: &Self) -> BTreeSet<ObjectRef> {
        let mut all = BTreeSet::new();
        let mut add = |kind: &str, name: &ResourceRef| {
            all.insert(ObjectRef::new(kind, &name.namespace, &name.name));
        };
        macro_rules! each {
            ($field:ident, $kind:literal) => {
                self.$field.differing(&other.$field).for_each(|name| add($kind, name));
            };
        }
        with_objects!(each);
        each!(routes, "HTTPRoute");
        each!(namespaces, "Namespace");
        each!(services, "Service");
        each!(secrets, "Secret");
        for name in self.others.differing(&other.others) {
            if let Some((kind, rest)) = name.name.split_once('/') {
                all.insert(ObjectRef::new(kind, &name.namespace, rest));
            }
        }
        let faults = self.faults.iter().filter(|(it, fault)| other.faults.get(*it) != Some(fault));
        let new = other.faults.keys().filter(|it| !self.faults.contains_key(*it));
        all.extend(faults.map(|(it, _)| it).chain(new).cloned());
        all
    }

    /// Every HTTPRoute.
    pub fn http_routes(&self) -> impl Iterator<Item = (&ResourceRef, &HttpRouteSpec)> {
        self.routes.iter().map(|(name, route)| (&**name, &route.spec))
    }

    /// A label of an HTTPRoute.
    pub fn label(&self, route: &ResourceRef, label: &str) -> Option<&str> {
        self.routes.get(route)?.meta.labels.get(label).map(String::as_str)
    }

    /// Every Gateway with the controller of its GatewayClass; `None`: there is no such class.
    pub fn gateways(&self) -> impl Iterator<Item = (&ResourceRef, Option<&str>)> {
        self.gateways.keys().map(|name| (&**name, self.gateway_controller(name)))
    }

    /// The controller of a Gateway's GatewayClass; `None`: there is no such Gateway, or no such class.
    pub fn gateway_controller(&self, gateway: &ResourceRef) -> Option<&str> {
        let gateway = self.gateways.get(gateway)?;
        let class = ResourceRef::new("", &gateway.spec.gateway_class_name);
        self.classes.get(&class).map(|class| class.spec.controller_name.as_str())
    }

    /// The Services that an HTTPRoute sends requests or copies to; of other objects none.
    pub fn uses(&self, object: &ObjectRef) -> BTreeSet<ObjectRef> {
        let route = (object.kind == "HTTPRoute").then(|| self.http_route(&object.resource()));
        let Some(route) = route.flatten() else { return BTreeSet::new() };
        let mirrors = route.rules.iter().flat_map(|rule| &rule.filters);
        let mirrors =
            mirrors.filter_map(|filter| Some(&filter.request_mirror.as_ref()?.backend_ref));
        let backends = route.rules.iter().flat_map(|rule| &rule.backend_refs).chain(mirrors);
        let services = backends.filter(|it| it.group.is_empty() && it.kind == "Service");
        let services = services.map(|it| {
            let namespace = it.namespace.as_deref().unwrap_or(&object.namespace);
            ObjectRef::new("Service", namespace, &it.name)
        });
        services.collect()
    }

    /// The same with one ready pod behind every port of every Service: what answers then depends on routes alone.
    /// `earlier` are a snapshot and what came of it, from which what is the same is taken.
    #[must_use]
    pub fn with_every_endpoint(&self, earlier: Option<(&Self, &Self)>) -> Self {
        let (mut slices, changed): (_, Vec<&ResourceRef>) = match earlier {
            Some((before, after)) => {
                (after.slices.clone(), before.services.differing(&self.services).collect())
            }
            None => (Table::default(), self.services.keys().map(|name| &**name).collect()),
        };
        for name in changed {
            match self.services.get(name) {
                Some(service) => slices.put(ResourceRef::clone(name), one_endpoint(name, service)),
                None => drop(slices.remove(name)),
            }
        }
        Self { slices, ..self.clone() }
    }
}

/// A ready pod behind every port of a Service.
fn one_endpoint(name: &ResourceRef, service: &ServiceSpec) -> BTreeMap<String, SliceSpec> {
    let pod = TargetRef {
        kind: "Pod".into(),
        namespace: name.namespace.clone(),
        name: name.name.clone(),
    };
    let endpoint = EndpointSpec {
        addresses: vec![format!("{}.{}", name.name, name.namespace)],
        target_ref: Some(pod),
        ..EndpointSpec::default()
    };
    let port = |it: &ServicePortSpec| PortSpec { name: Some(it.name.clone()), port: Some(it.port) };
    let ports = service.ports.iter().map(port).collect();
    BTreeMap::from([(name.name.clone(), SliceSpec { endpoints: vec![endpoint], ports })])
}

/// A Service with what the API server fills in.
fn defaulted(service: &ServiceSpec) -> ServiceSpec {
    let mut service = service.clone();
    service.kind.get_or_insert_with(|| "ClusterIP".into());
    for port in &mut service.ports {
        port.protocol.get_or_insert_with(|| "TCP".into());
    }
    service
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(more: &serde_json::Value) -> serde_json::Value {
        let mut route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "echo", "namespace": "echo"},
            "spec": {"rules": [{"backendRefs": [{"name": "echo", "port": 80}]}]}});
        for (key, value) in more.as_object().into_iter().flatten() {
            route["metadata"][key] = value.clone();
        }
        route
    }

    fn snapshot(objects: &[serde_json::Value]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        objects.iter().for_each(|object| assert!(snapshot.upsert(object), "{object}"));
        snapshot
    }

    #[test]
    fn what_is_written_keeps_its_age_and_what_others_added() {
        let live = snapshot(&[route(&json!({"creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"team": "echo"}}))]);
        let wanted = snapshot(&[route(&json!({"labels": {"app": "echo"}}))]);
        let echo = ObjectRef::new("HTTPRoute", "echo", "echo");
        assert!(!live.agrees(&wanted, &echo));
        let mut written = live.clone();
        written.extend_routes(&wanted);
        assert!(written.agrees(&wanted, &echo) && !written.is(&live));
        assert_eq!(written.created(&echo), Some("2026-01-01T00:00:00Z"));
        assert_eq!(live.differing(&written), [echo.clone()].into());
        let mut again = written.clone();
        again.extend_routes(&wanted);
        assert!(again.is(&written), "nothing changed");
        assert!(again.uses(&echo).contains(&ObjectRef::new("Service", "echo", "echo")));
    }

    #[test]
    fn what_cannot_be_decoded_takes_the_place_of_what_was_there() {
        let live = snapshot(&[route(&json!({}))]);
        let mut bad = route(&json!({}));
        bad["spec"]["rules"] = json!("none");
        let mut written = live.clone();
        written.extend_routes(&snapshot(&[bad]));
        assert_eq!(written.undecodable().count(), 1);
        assert_eq!(live.differing(&written).len(), 1);
        written.extend_routes(&live);
        assert_eq!(written.undecodable().count(), 0, "repaired");
    }

    #[test]
    fn a_service_is_the_same_with_and_without_its_defaults() {
        let service = |more: serde_json::Value| {
            let mut spec = json!({"ports": [{"port": 80}]});
            spec.as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().unwrap_or_default());
            snapshot(&[
                json!({"kind": "Service", "metadata": {"name": "a", "namespace": "b"}, "spec": spec}),
            ])
        };
        let live = service(json!({"type": "ClusterIP"}));
        let a = ObjectRef::new("Service", "b", "a");
        assert!(live.agrees(&service(json!({})), &a));
        assert!(!live.agrees(&service(json!({"type": "ExternalName"})), &a));
    }
}
