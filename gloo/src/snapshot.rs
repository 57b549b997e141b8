mod comparison;
mod kubernetes;
mod looking;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use self::kubernetes::PodStatus;
pub(crate) use self::kubernetes::{EndpointAddress, EndpointSubset, Pod};
pub use self::kubernetes::{NamedPort, ServiceSpec};
use self::reading::{isolated, metadata, part, rejections, spec};

use crate::api::{
    GatewaySpec, MatchableHttpGatewaySpec, ObjectRef, ResourceRef, RouteOptionSpec, RouteTableSpec,
    SettingsSpec, UpstreamGroupSpec, UpstreamSpec, VirtualHostOptionSpec, VirtualServiceSpec,
};
use crate::environment::Environment;
use crate::objects::{Objects, Table};
use crate::secret::Secret;

/// Objects as far as routing looks at them; a copy shares them.
///
/// Kinds that count: Upstream, UpstreamGroup, VirtualService, RouteTable, RouteOption,
/// VirtualHostOption, Settings, Gateway, MatchableHttpGateway of Gloo, and Service, Endpoints, Pod,
/// Secret.
///
/// Without Endpoints and Pods the clusters have no endpoints, and everything else is the same. Of the
/// kinds of [`Snapshot::FURTHER`] and of Secrets nothing is concluded from one that is not there,
/// unless the kind [is known](Self::know) to be complete.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) gloo_namespace: Arc<str>,
    pub(crate) upstreams: Objects<UpstreamSpec>,
    pub(crate) upstream_groups: Objects<UpstreamGroupSpec>,
    pub(crate) virtual_services: Objects<VirtualServiceSpec>,
    pub(crate) route_tables: Objects<RouteTableSpec>,
    pub(crate) settings: Objects<SettingsSpec>,
    pub(crate) gateways: Objects<GatewaySpec>,
    pub(crate) services: Table<ServiceSpec>,
    pub(crate) endpoints: Table<Vec<EndpointSubset>>,
    pub(crate) pods: Table<Pod>,
    pub(crate) route_options: Objects<RouteOptionSpec>,
    pub(crate) virtual_host_options: Objects<VirtualHostOptionSpec>,
    pub(crate) matchable_gateways: Objects<MatchableHttpGatewaySpec>,
    /// By Gateway and namespace of a Gloo why that rejects it.
    rejections: Table<BTreeMap<String, String>>,
    pub(crate) secrets: Table<Secret>,
    pub(crate) known: Known,
    pub(crate) environment: Environment,
}

/// What is known not to be there, of the kinds beside [`Snapshot::ROUTING`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Of these kinds all objects are in the snapshot.
    kinds: BTreeSet<String>,
    /// Somebody has looked for these in vain.
    missing: BTreeSet<ObjectRef>,
    /// The kinds and namespaces of which all objects are in the snapshot; `None` where no namespace is left out.
    seen: Option<BTreeSet<(String, String)>>,
}

impl Known {
    /// Whether such an object that is not in the snapshot is not in the cluster either.
    pub(crate) fn tells(&self, kind: &str, reference: &ResourceRef) -> bool {
        let ResourceRef { namespace, name } = reference;
        let is_read = match &self.seen {
            Some(_) => self.sees(kind, namespace),
            None => self.kinds.contains(kind),
        };
        is_read || self.missing.contains(&ObjectRef::new(kind, namespace, name))
    }

    /// Whether every object of the kind is in the snapshot.
    pub(crate) fn is_complete(&self, kind: &str) -> bool {
        self.seen.is_none() && self.kinds.contains(kind)
    }

    /// Whether the objects of the kind in the namespace were read. For kinds of [`Snapshot::ROUTING`], which are
    /// read everywhere unless namespaces are left out.
    pub(crate) fn sees(&self, kind: &str, namespace: &str) -> bool {
        let pair = || (kind.to_owned(), namespace.to_owned());
        self.seen.as_ref().is_none_or(|seen| seen.contains(&pair()))
    }

    /// Whether no namespace is left out.
    pub(crate) fn sees_everything(&self) -> bool {
        self.seen.is_none()
    }
}

/// A kind of object, as the API server calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// For example `gateway.solo.io/v1`.
    pub api_version: &'static str,
    /// For example `RouteTable`.
    pub kind: &'static str,
}

impl Kind {
    const fn new(api_version: &'static str, kind: &'static str) -> Self {
        Self { api_version, kind }
    }
}

impl Default for Snapshot {
    /// An empty snapshot of a Gloo that runs in `gloo-system`.
    fn default() -> Self {
        Self::new("gloo-system")
    }
}

impl Snapshot {
    /// The kinds that decide which requests go to which Upstream. Of these everything must be in the
    /// snapshot for a translation to mean anything.
    pub const ROUTING: &[Kind] = &[
        Kind::new("gloo.solo.io/v1", "Settings"),
        Kind::new("gateway.solo.io/v1", "Gateway"),
        Kind::new("gateway.solo.io/v1", "VirtualService"),
        Kind::new("gateway.solo.io/v1", "RouteTable"),
        Kind::new("gloo.solo.io/v1", "Upstream"),
        Kind::new("v1", "Service"),
    ];

    /// The kinds that routing may name beside them. What comes of a reference to one that is not in the
    /// snapshot is not known, unless the kind [is known](Self::know).
    pub const FURTHER: &[Kind] = &[
        Kind::new("gloo.solo.io/v1", "UpstreamGroup"),
        Kind::new("gateway.solo.io/v1", "RouteOption"),
        Kind::new("gateway.solo.io/v1", "VirtualHostOption"),
        Kind::new("gateway.solo.io/v1", "MatchableHttpGateway"),
    ];

    /// The annotation by which a Gateway overrides `isolateVirtualHostsBySslConfig` of Settings.
    pub const ISOLATED: &str = "gateway.solo.io/isolate_vhost";

    /// The kinds that say which pods are behind an Upstream.
    pub const ENDPOINTS: &[Kind] = &[Kind::new("v1", "Endpoints"), Kind::new("v1", "Pod")];

    /// An empty snapshot of a Gloo that runs in `gloo_namespace`: there it looks for its Settings
    /// `default` and its Gateways.
    pub fn new(gloo_namespace: &str) -> Self {
        Self {
            gloo_namespace: gloo_namespace.into(),
            upstreams: Objects::default(),
            upstream_groups: Objects::default(),
            virtual_services: Objects::default(),
            route_tables: Objects::default(),
            settings: Objects::default(),
            gateways: Objects::default(),
            services: Table::default(),
            endpoints: Table::default(),
            pods: Table::default(),
            route_options: Objects::default(),
            virtual_host_options: Objects::default(),
            matchable_gateways: Objects::default(),
            rejections: Table::default(),
            secrets: Table::default(),
            known: Known::default(),
            environment: Environment::default(),
        }
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

    /// From now on an object of this kind that is not in the snapshot is taken for one that is not
    /// there. For other kinds than those of [`Snapshot::FURTHER`] and Secret that is so anyway.
    pub fn know(&mut self, kind: &str) {
        self.known.kinds.insert(kind.to_owned());
    }

    /// Leaves out every namespace: from now on nothing is concluded from an object that is not in the snapshot,
    /// but where its kind and namespace [are read](Self::read).
    #[must_use]
    pub fn of_namespaces(mut self) -> Self {
        self.known.seen.get_or_insert_default();
        self
    }

    /// Of this kind every object of the namespace is in the snapshot.
    pub fn read(&mut self, kind: &str, namespace: &str) {
        let seen = self.known.seen.get_or_insert_default();
        seen.insert((kind.to_owned(), namespace.to_owned()));
    }

    /// Somebody has looked for this object, and it is not there.
    pub fn miss(&mut self, object: ObjectRef) {
        self.known.missing.insert(object);
    }

    /// The same objects for a Gloo that runs in `gloo_namespace`.
    #[must_use]
    pub fn of_gloo_in(self, gloo_namespace: &str) -> Self {
        Self { gloo_namespace: gloo_namespace.into(), ..self }
    }

    /// The namespace that Gloo runs in.
    pub fn gloo_namespace(&self) -> &str {
        &self.gloo_namespace
    }

    /// Puts an object in, in place of one of the same kind, namespace and name.
    ///
    /// Says whether the object is of a kind that counts; another is passed over. An object of such a
    /// kind that Gloo cannot decode counts too, see [`Snapshot::undecodable`].
    pub fn upsert(&mut self, object: &Value) -> bool {
        let Some(kind) = object.get("kind").and_then(Value::as_str) else { return false };
        let metadata = metadata(object);
        let reference = ResourceRef::new(&metadata.namespace, &metadata.name);
        let none = BTreeMap::new();
        match kind {
            "Upstream" => self.upstreams.put(reference, none, spec(object)),
            "UpstreamGroup" => self.upstream_groups.put(reference, none, spec(object)),
            "VirtualService" => self.virtual_services.put(reference, metadata.labels, spec(object)),
            "RouteTable" => self.route_tables.put(reference, metadata.labels, spec(object)),
            "Settings" => self.settings.put(reference, none, spec(object)),
            "Gateway" => {
                self.note_rejections(&reference, rejections(object));
                let isolated = isolated(object);
                let spec = spec(object).map(|spec| GatewaySpec { isolated, ..spec });
                self.gateways.put(reference, none, spec);
            }
            "RouteOption" => self.route_options.put(reference, none, spec(object)),
            "VirtualHostOption" => self.virtual_host_options.put(reference, none, spec(object)),
            "MatchableHttpGateway" => {
                self.matchable_gateways.put(reference, metadata.labels, spec(object));
            }
            "Secret" => self.secrets.put(reference, Secret::read(object)),
            "Service" => self.services.put(reference, part(object, "spec")),
            "Endpoints" => self.endpoints.put(reference, part(object, "subsets")),
            "Pod" => {
                let address = part::<PodStatus>(object, "status").pod_ip;
                self.pods.put(reference, Pod { labels: metadata.labels, address });
            }
            _ => return false,
        }
        true
    }

    fn note_rejections(&mut self, gateway: &ResourceRef, rejections: BTreeMap<String, String>) {
        if rejections.is_empty() {
            self.rejections.remove(gateway);
        } else {
            self.rejections.put(gateway.clone(), rejections);
        }
    }

    /// Puts a Secret in that somebody else has read.
    pub fn put_secret(&mut self, reference: ResourceRef, secret: Secret) {
        self.secrets.put(reference, secret);
    }

    /// Puts in the VirtualServices and RouteTables of `other`, each as [`Snapshot::upsert`] would, but
    /// without decoding it again.
    pub fn extend_routes(&mut self, other: &Self) {
        self.virtual_services.extend(&other.virtual_services);
        self.route_tables.extend(&other.route_tables);
    }

    /// Puts in all other objects of `other` in the same way.
    pub fn extend_backends(&mut self, other: &Self) {
        self.upstreams.extend(&other.upstreams);
        self.upstream_groups.extend(&other.upstream_groups);
        self.settings.extend(&other.settings);
        self.gateways.extend(&other.gateways);
        self.services.extend(&other.services);
        self.endpoints.extend(&other.endpoints);
        self.pods.extend(&other.pods);
        self.route_options.extend(&other.route_options);
        self.virtual_host_options.extend(&other.virtual_host_options);
        self.matchable_gateways.extend(&other.matchable_gateways);
        self.secrets.extend(&other.secrets);
    }

    /// Takes an object out. Says whether there was one.
    pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let reference = ResourceRef::new(namespace, name);
        match kind {
            "Upstream" => self.upstreams.remove(&reference),
            "UpstreamGroup" => self.upstream_groups.remove(&reference),
            "VirtualService" => self.virtual_services.remove(&reference),
            "RouteTable" => self.route_tables.remove(&reference),
            "Settings" => self.settings.remove(&reference),
            "Gateway" => {
                self.rejections.remove(&reference);
                self.gateways.remove(&reference)
            }
            "Service" => self.services.remove(&reference),
            "Endpoints" => self.endpoints.remove(&reference),
            "Pod" => self.pods.remove(&reference),
            "RouteOption" => self.route_options.remove(&reference),
            "VirtualHostOption" => self.virtual_host_options.remove(&reference),
            "MatchableHttpGateway" => self.matchable_gateways.remove(&reference),
            "Secret" => self.secrets.remove(&reference),
            _ => false,
        }
    }

    /// Whether there is such an object, decodable or not.
    pub fn contains(&self, object: &ObjectRef) -> bool {
        let reference = object.resource();
        match object.kind.as_str() {
            "Upstream" => self.upstreams.contains(&reference),
            "UpstreamGroup" => self.upstream_groups.contains(&reference),
            "VirtualService" => self.virtual_services.contains(&reference),
            "RouteTable" => self.route_tables.contains(&reference),
            "Settings" => self.settings.contains(&reference),
            "Gateway" => self.gateways.contains(&reference),
            "Service" => self.services.contains_key(&reference),
            "Endpoints" => self.endpoints.contains_key(&reference),
            "Pod" => self.pods.contains_key(&reference),
            "RouteOption" => self.route_options.contains(&reference),
            "VirtualHostOption" => self.virtual_host_options.contains(&reference),
            "MatchableHttpGateway" => self.matchable_gateways.contains(&reference),
            "Secret" => self.secrets.contains_key(&reference),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
