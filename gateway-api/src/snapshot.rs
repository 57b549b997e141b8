//! The objects that a translation looks at.

mod comparison;
mod reading;

use std::collections::{BTreeMap, BTreeSet};

use gloo::Table;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::reading::{metadata, slice_of, spec};
use crate::admission;
use crate::api::{
    BackendTrafficSpec, ClassSpec, DirectResponseSpec, ExtensionSpec, GatewaySpec, GrantSpec,
    HttpRouteSpec, RouteFilterSpec, SecuritySpec, ServiceSpec, SliceSpec, TrafficPolicySpec,
};
use crate::environment::Environment;
use crate::objects::Object;
use crate::{ObjectRef, ResourceRef};

/// A Secret, as far as listeners look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// It has a certificate and a key, as far as can be told without opening them.
    Certificate,
    /// It has users and passwords, `.htpasswd`.
    Users,
    /// It has no certificate that could be used.
    Broken,
    /// It is of another type.
    Other,
}

/// Objects as far as routing looks at them; a copy shares them.
///
/// Kinds that count: GatewayClass, Gateway, HTTPRoute and ReferenceGrant of the Gateway API; Namespace, Service,
/// EndpointSlice and Secret; TrafficPolicy, GatewayExtension and DirectResponse of kgateway; SecurityPolicy,
/// BackendTrafficPolicy and HTTPRouteFilter of Envoy Gateway. Of others it is kept that they are there
/// ([`Snapshot::others`]), and what comes of them is not judged.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub(crate) environment: Environment,
    pub(crate) classes: Table<Object<ClassSpec>>,
    pub(crate) gateways: Table<Object<GatewaySpec>>,
    pub(crate) routes: Table<Object<HttpRouteSpec>>,
    pub(crate) grants: Table<Object<GrantSpec>>,
    pub(crate) namespaces: Table<BTreeMap<String, String>>,
    pub(crate) services: Table<ServiceSpec>,
    /// By the Service that they belong to, then by name.
    pub(crate) slices: Table<BTreeMap<String, SliceSpec>>,
    pub(crate) secrets: Table<Secret>,
    pub(crate) traffic_policies: Table<Object<TrafficPolicySpec>>,
    pub(crate) extensions: Table<Object<ExtensionSpec>>,
    pub(crate) direct_responses: Table<Object<DirectResponseSpec>>,
    pub(crate) security_policies: Table<Object<SecuritySpec>>,
    pub(crate) backend_policies: Table<Object<BackendTrafficSpec>>,
    pub(crate) route_filters: Table<Object<RouteFilterSpec>>,
    pub(crate) others: Table<Object<Value>>,
    pub(crate) faults: BTreeMap<ObjectRef, String>,
    known: BTreeSet<String>,
    /// Only what was read is complete, see [`Snapshot::of_what_is_read`].
    partial: bool,
    /// The kinds that were read of a namespace, by namespace.
    read: BTreeSet<(String, String)>,
}

impl Snapshot {
    /// The kinds of which everything must be in the snapshot for a translation to mean anything: API version, kind.
    pub const ROUTING: &[(&str, &str)] = &[
        ("gateway.networking.k8s.io/v1", "GatewayClass"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
        ("v1", "Namespace"),
        ("v1", "Service"),
        ("discovery.k8s.io/v1", "EndpointSlice"),
    ];

    /// The kinds that routing may name beside them. What comes of a reference to one that is not in the snapshot is
    /// not known, unless the kind [is known](Self::know).
    pub const FURTHER: &[(&str, &str)] = &[
        ("v1", "Secret"),
        ("gateway.kgateway.dev/v1alpha1", "TrafficPolicy"),
        ("gateway.kgateway.dev/v1alpha1", "GatewayExtension"),
        ("gateway.kgateway.dev/v1alpha1", "DirectResponse"),
        ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy"),
        ("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy"),
        ("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter"),
    ];

    /// An empty snapshot in an environment.
    pub fn new(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }

    /// The same objects in an environment.
    #[must_use]
    pub fn within(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// What is around the objects.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// From now on an object of this kind that is not in the snapshot is taken for one that is not there.
    pub fn know(&mut self, kind: &str) {
        self.known.insert(kind.to_owned());
    }

    /// The same where even the kinds of [`Self::ROUTING`] are complete only as far as they [are known](Self::know) or
    /// [read](Self::read): somebody may not be allowed to look.
    #[must_use]
    pub fn of_what_is_read(self) -> Self {
        Self { partial: true, ..self }
    }

    /// From now on an object of this kind that is not in the snapshot is taken for one that is not in this namespace.
    pub fn read(&mut self, kind: &str, namespace: &str) {
        self.read.insert((namespace.to_owned(), kind.to_owned()));
    }

    /// Whether an object of this kind that is not in the snapshot is not in the cluster either.
    pub fn is_complete(&self, kind: &str) -> bool {
        let is_routing = || Self::ROUTING.iter().any(|(_, routing)| *routing == kind);
        self.environment.complete || self.known.contains(kind) || !self.partial && is_routing()
    }

    /// Whether an object of this kind that is not in the snapshot is not in this namespace either.
    pub fn is_complete_in(&self, kind: &str, namespace: &str) -> bool {
        let is_it = |(place, read): &(String, String)| place == namespace && read == kind;
        self.is_complete(kind) || self.read.iter().any(is_it)
    }

    /// Puts an object in, in place of one of the same kind, namespace and name.
    ///
    /// Says whether it is of a kind that counts. One that cannot be decoded counts as not there, see
    /// [`Snapshot::undecodable`].
    pub fn upsert(&mut self, object: &Value) -> bool {
        let Some(kind) = object.get("kind").and_then(Value::as_str) else { return false };
        let (reference, meta) = metadata(object);
        let name = ObjectRef::new(kind, &reference.namespace, &reference.name);
        self.faults.remove(&name);
        let read = Read { object, reference, meta, name, faults: &mut self.faults };
        match kind {
            "GatewayClass" => read.put(&mut self.classes),
            "Gateway" => read.put(&mut self.gateways),
            "HTTPRoute" => {
                let unknown = admission::unknown_fields(object, self.environment.channel);
                let pruned = admission::pruned(object, self.environment.channel);
                Read { object: &pruned, ..read }.put_knowing(&mut self.routes, unknown);
            }
            "ReferenceGrant" => read.put(&mut self.grants),
            "Namespace" => {
                self.namespaces.put(ResourceRef::new("", read.reference.name), read.meta.labels);
            }
            "Service" => {
                if let Some(spec) = read.decoded() {
                    self.services.put(read.reference, spec);
                }
            }
            "EndpointSlice" => {
                let (service, slice) = slice_of(object);
                let mut all =
                    self.slices.get(&service).map(|it| (**it).clone()).unwrap_or_default();
                all.insert(read.reference.name, slice);
                self.slices.put(service, all);
            }
            "Secret" => self.secrets.put(read.reference, reading::secret(object)),
            "TrafficPolicy" => read.put(&mut self.traffic_policies),
            "GatewayExtension" => read.put(&mut self.extensions),
            "DirectResponse" => read.put(&mut self.direct_responses),
            "SecurityPolicy" => read.put(&mut self.security_policies),
            "BackendTrafficPolicy" => read.put(&mut self.backend_policies),
            "HTTPRouteFilter" => read.put(&mut self.route_filters),
            _ => {
                let key = ResourceRef::new(
                    &read.reference.namespace,
                    format!("{kind}/{}", read.reference.name),
                );
                let spec = object.get("spec").cloned().unwrap_or_default();
                self.others.put(key, Object { meta: read.meta, spec, unknown: Vec::new() });
                return false;
            }
        }
        true
    }

    /// Takes an object out. Says whether there was one.
    pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let reference = ResourceRef::new(namespace, name);
        let faulty = self.faults.remove(&ObjectRef::new(kind, namespace, name)).is_some();
        let removed = match kind {
            "GatewayClass" => self.classes.remove(&reference),
            "Gateway" => self.gateways.remove(&reference),
            "HTTPRoute" => self.routes.remove(&reference),
            "ReferenceGrant" => self.grants.remove(&reference),
            "Namespace" => self.namespaces.remove(&ResourceRef::new("", name)),
            "Service" => self.services.remove(&reference),
            "EndpointSlice" => self.remove_slice(namespace, name),
            "Secret" => self.secrets.remove(&reference),
            "TrafficPolicy" => self.traffic_policies.remove(&reference),
            "GatewayExtension" => self.extensions.remove(&reference),
            "DirectResponse" => self.direct_responses.remove(&reference),
            "SecurityPolicy" => self.security_policies.remove(&reference),
            "BackendTrafficPolicy" => self.backend_policies.remove(&reference),
            "HTTPRouteFilter" => self.route_filters.remove(&reference),
            _ => self.others.remove(&ResourceRef::new(namespace, format!("{kind}/{name}"))),
        };
        removed || faulty
    }

    fn remove_slice(&mut self, namespace: &str, name: &str) -> bool {
        let holds = |(service, all): (
            &std::sync::Arc<ResourceRef>,
            &std::sync::Arc<BTreeMap<String, SliceSpec>>,
        )| {
            (service.namespace == namespace && all.contains_key(name))
                .then(|| (ResourceRef::clone(service), (**all).clone()))
        };
        let Some((service, mut all)) = self.slices.iter().find_map(holds) else { return false };
        all.remove(name);
        match all.is_empty() {
            true => drop(self.slices.remove(&service)),
            false => self.slices.put(service, all),
        }
        true
    }

    /// Whether there is such an object.
    pub fn contains(&self, object: &ObjectRef) -> bool {
        let reference = object.resource();
        match object.kind.as_str() {
            "GatewayClass" => self.classes.contains_key(&reference),
            "Gateway" => self.gateways.contains_key(&reference),
            "HTTPRoute" => self.routes.contains_key(&reference),
            "ReferenceGrant" => self.grants.contains_key(&reference),
            "Namespace" => self.namespaces.contains_key(&ResourceRef::new("", &object.name)),
            "Service" => self.services.contains_key(&reference),
            "EndpointSlice" => {
                let mut slices = self.slices.iter();
                slices.any(|(service, all)| {
                    service.namespace == object.namespace && all.contains_key(&object.name)
                })
            }
            "Secret" => self.secrets.contains_key(&reference),
            "TrafficPolicy" => self.traffic_policies.contains_key(&reference),
            "GatewayExtension" => self.extensions.contains_key(&reference),
            "DirectResponse" => self.direct_responses.contains_key(&reference),
            "SecurityPolicy" => self.security_policies.contains_key(&reference),
            "BackendTrafficPolicy" => self.backend_policies.contains_key(&reference),
            "HTTPRouteFilter" => self.route_filters.contains_key(&reference),
            kind => {
                let name = format!("{kind}/{}", object.name);
                self.others.contains_key(&ResourceRef::new(&object.namespace, name))
            }
        }
    }

    /// The objects that cannot be decoded, and why. The API server lets none of these in; their controllers do not
    /// see them.
    pub fn undecodable(&self) -> impl Iterator<Item = (&ObjectRef, &str)> {
        self.faults.iter().map(|(object, fault)| (object, fault.as_str()))
    }

    /// The objects of kinds that are not modelled.
    pub fn others(&self) -> impl Iterator<Item = ObjectRef> {
        self.others.keys().filter_map(|key| {
            let (kind, name) = key.name.split_once('/')?;
            Some(ObjectRef::new(kind, &key.namespace, name))
        })
    }

    /// The generation of a TrafficPolicy.
    pub(crate) fn generation(&self, policy: &ObjectRef) -> i64 {
        let found = self.traffic_policies.get(&policy.resource());
        found.map(|it| it.meta.generation).unwrap_or_default()
    }

    /// When an object with a status was made, as far as it is there.
    pub(crate) fn created(&self, object: &ObjectRef) -> Option<&str> {
        fn of<'a, S>(table: &'a Table<Object<S>>, name: &ResourceRef) -> Option<&'a str> {
            table.get(name).map(|it| it.meta.created.as_str())
        }
        let name = object.resource();
        match object.kind.as_str() {
            "Gateway" => of(&self.gateways, &name),
            "HTTPRoute" => of(&self.routes, &name),
            "TrafficPolicy" => of(&self.traffic_policies, &name),
            "SecurityPolicy" => of(&self.security_policies, &name),
            "BackendTrafficPolicy" => of(&self.backend_policies, &name),
            _ => None,
        }
    }

    /// The content of an HTTPRoute.
    pub fn http_route(&self, reference: &ResourceRef) -> Option<&HttpRouteSpec> {
        Some(&self.routes.get(reference)?.spec)
    }

    /// The content of a Gateway.
    pub fn gateway(&self, reference: &ResourceRef) -> Option<&GatewaySpec> {
        Some(&self.gateways.get(reference)?.spec)
    }

    /// What routing sees of a Service.
    pub fn service(&self, reference: &ResourceRef) -> Option<&ServiceSpec> {
        self.services.get(reference).map(|service| &**service)
    }
}

/// An object on its way into a table.
struct Read<'a> {
    object: &'a Value,
    reference: ResourceRef,
    meta: crate::objects::Meta,
    name: ObjectRef,
    faults: &'a mut BTreeMap<ObjectRef, String>,
}

impl Read<'_> {
    fn decoded<S: DeserializeOwned + Default>(&self) -> Option<S> {
        spec(self.object).ok()
    }

    fn put<S: DeserializeOwned + Default + PartialEq>(self, table: &mut Table<Object<S>>) {
        self.put_knowing(table, Vec::new());
    }

    fn put_knowing<S: DeserializeOwned + Default + PartialEq>(
        self,
        table: &mut Table<Object<S>>,
        unknown: Vec<String>,
    ) {
        match spec(self.object) {
            Ok(spec) => table.put(self.reference, Object { meta: self.meta, spec, unknown }),
            Err(fault) => {
                table.remove(&self.reference);
                self.faults.insert(self.name, fault);
            }
        }
    }
}

#[cfg(test)]
mod tests;
