use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{
    GatewaySpec, ObjectRef, ResourceRef, RouteOptionSpec, RouteTableSpec, SettingsSpec,
    UpstreamGroupSpec, UpstreamSpec, VirtualHostOptionSpec, VirtualServiceSpec, decode,
};
use crate::environment::Environment;
use crate::objects::{Objects, Table};
use crate::secret::Secret;

/// Objects as far as routing looks at them; a copy shares them.
///
/// Kinds that count: Upstream, UpstreamGroup, VirtualService, RouteTable, RouteOption,
/// VirtualHostOption, Settings, Gateway of Gloo, and Service, Endpoints, Pod, Secret.
///
/// Without Endpoints and Pods the clusters have no endpoints, and everything else is the same. Of
/// UpstreamGroups, RouteOptions, VirtualHostOptions and Secrets nothing is concluded from one that is
/// not there, unless the kind [is known](Self::know) to be complete.
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
    pub(crate) secrets: Table<Secret>,
    pub(crate) known: Known,
    pub(crate) environment: Environment,
}

/// The kinds beside [`Snapshot::ROUTING`] of which all objects are in the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) upstream_groups: bool,
    pub(crate) route_options: bool,
    pub(crate) virtual_host_options: bool,
    pub(crate) secrets: bool,
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
    /// there. For other kinds than UpstreamGroup, RouteOption, VirtualHostOption and Secret that is so
    /// anyway.
    pub fn know(&mut self, kind: &str) {
        match kind {
            "UpstreamGroup" => self.known.upstream_groups = true,
            "RouteOption" => self.known.route_options = true,
            "VirtualHostOption" => self.known.virtual_host_options = true,
            "Secret" => self.known.secrets = true,
            _ => {}
        }
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
            "Gateway" => self.gateways.put(reference, none, spec(object)),
            "RouteOption" => self.route_options.put(reference, none, spec(object)),
            "VirtualHostOption" => self.virtual_host_options.put(reference, none, spec(object)),
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
            "Gateway" => self.gateways.remove(&reference),
            "Service" => self.services.remove(&reference),
            "Endpoints" => self.endpoints.remove(&reference),
            "Pod" => self.pods.remove(&reference),
            "RouteOption" => self.route_options.remove(&reference),
            "VirtualHostOption" => self.virtual_host_options.remove(&reference),
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
            "Secret" => self.secrets.contains_key(&reference),
            _ => false,
        }
    }

    /// True when both hold the very same objects, one being a copy of the other that nothing
    /// different was put into. Costs nothing; false says nothing.
    pub fn is(&self, other: &Self) -> bool {
        self.upstreams.is(&other.upstreams)
            && self.upstream_groups.is(&other.upstream_groups)
            && self.virtual_services.is(&other.virtual_services)
            && self.route_tables.is(&other.route_tables)
            && self.settings.is(&other.settings)
            && self.gateways.is(&other.gateways)
            && self.services.is(&other.services)
            && self.endpoints.is(&other.endpoints)
            && self.pods.is(&other.pods)
            && self.route_options.is(&other.route_options)
            && self.virtual_host_options.is(&other.virtual_host_options)
            && self.secrets.is(&other.secrets)
            && self.known == other.known
            && self.environment == other.environment
    }

    /// The objects of [`Snapshot::ROUTING`] that the two have otherwise.
    pub fn differing(&self, other: &Self) -> BTreeSet<ObjectRef> {
        let services = self.services.differing(&other.services);
        let services = services.map(|it| ObjectRef::new("Service", &it.namespace, &it.name));
        (self.upstreams.differing(&other.upstreams, "Upstream"))
            .chain(self.virtual_services.differing(&other.virtual_services, "VirtualService"))
            .chain(self.route_tables.differing(&other.route_tables, "RouteTable"))
            .chain(self.settings.differing(&other.settings, "Settings"))
            .chain(self.gateways.differing(&other.gateways, "Gateway"))
            .chain(services)
            .collect()
    }

    /// Whether both have the object alike, or both have none; of objects that cannot be decoded only
    /// whether they are there counts.
    pub fn agrees(&self, other: &Self, object: &ObjectRef) -> bool {
        let reference = object.resource();
        match object.kind.as_str() {
            "Upstream" => self.upstreams.agrees(&other.upstreams, &reference),
            "UpstreamGroup" => self.upstream_groups.agrees(&other.upstream_groups, &reference),
            "VirtualService" => self.virtual_services.agrees(&other.virtual_services, &reference),
            "RouteTable" => self.route_tables.agrees(&other.route_tables, &reference),
            "Settings" => self.settings.agrees(&other.settings, &reference),
            "Gateway" => self.gateways.agrees(&other.gateways, &reference),
            "Service" => self.services.get(&reference) == other.services.get(&reference),
            "Endpoints" => self.endpoints.get(&reference) == other.endpoints.get(&reference),
            "Pod" => self.pods.get(&reference) == other.pods.get(&reference),
            "RouteOption" => self.route_options.agrees(&other.route_options, &reference),
            "VirtualHostOption" => {
                self.virtual_host_options.agrees(&other.virtual_host_options, &reference)
            }
            "Secret" => self.secrets.get(&reference) == other.secrets.get(&reference),
            _ => true,
        }
    }

    /// The labels and the content of a RouteTable, unless it cannot be decoded.
    pub fn route_table(
        &self,
        reference: &ResourceRef,
    ) -> Option<(&BTreeMap<String, String>, &RouteTableSpec)> {
        let table = self.route_tables.decoded().get(reference)?;
        Some((&table.labels, &table.spec))
    }

    /// The content of a VirtualService, unless it cannot be decoded.
    pub fn virtual_service(&self, reference: &ResourceRef) -> Option<&VirtualServiceSpec> {
        Some(&self.virtual_services.decoded().get(reference)?.spec)
    }

    /// The content of a Gateway, unless it cannot be decoded.
    pub fn gateway(&self, reference: &ResourceRef) -> Option<&GatewaySpec> {
        Some(&self.gateways.decoded().get(reference)?.spec)
    }

    /// The Upstream, unless it cannot be decoded.
    pub fn upstream(&self, reference: &ResourceRef) -> Option<&UpstreamSpec> {
        Some(&self.upstreams.decoded().get(reference)?.spec)
    }

    /// Every Upstream that can be decoded.
    pub fn upstreams(&self) -> impl Iterator<Item = (&ResourceRef, &UpstreamSpec)> {
        self.upstreams.decoded().iter().map(|(reference, object)| (&**reference, &object.spec))
    }

    /// What routing sees of a Service.
    pub fn service(&self, reference: &ResourceRef) -> Option<&ServiceSpec> {
        self.services.get(reference).map(|service| &**service)
    }

    /// The objects that Gloo cannot decode, and why. Each stops Gloo from taking up any change of its
    /// kind (gloo-conformance case 13-undecodable).
    pub fn undecodable(&self) -> Vec<(ObjectRef, &str)> {
        (self.upstreams.undecodable("Upstream"))
            .chain(self.upstream_groups.undecodable("UpstreamGroup"))
            .chain(self.virtual_services.undecodable("VirtualService"))
            .chain(self.route_tables.undecodable("RouteTable"))
            .chain(self.settings.undecodable("Settings"))
            .chain(self.gateways.undecodable("Gateway"))
            .chain(self.route_options.undecodable("RouteOption"))
            .chain(self.virtual_host_options.undecodable("VirtualHostOption"))
            .collect()
    }

    /// The same as if whatever cannot be decoded were as it was when it last could, and absent if it
    /// never could: what Gloo will go by once somebody repairs it.
    #[must_use]
    pub fn repaired(&self) -> Self {
        Self {
            gloo_namespace: Arc::clone(&self.gloo_namespace),
            upstreams: self.upstreams.repaired(),
            upstream_groups: self.upstream_groups.repaired(),
            virtual_services: self.virtual_services.repaired(),
            route_tables: self.route_tables.repaired(),
            settings: self.settings.repaired(),
            gateways: self.gateways.repaired(),
            route_options: self.route_options.repaired(),
            virtual_host_options: self.virtual_host_options.repaired(),
            ..self.clone()
        }
    }
}

fn spec<S: DeserializeOwned + Default>(object: &Value) -> Result<S, String> {
    match object.get("spec") {
        None | Some(Value::Null) => Ok(S::default()),
        Some(spec) => decode(spec).map_err(|e| e.to_string()),
    }
}

/// The part of `metadata` that routing looks at.
struct Metadata {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
}

/// Metadata as far as it can be read; labels that are no strings are left out.
fn metadata(object: &Value) -> Metadata {
    let field = |name: &str| {
        let text = object.get("metadata").and_then(|m| m.get(name)).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let labels = object.get("metadata").and_then(|m| m.get("labels")).and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    Metadata {
        name: field("name"),
        namespace: field("namespace"),
        labels: labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
    }
}

/// Part of a Kubernetes object; empty where it is absent or unreadable.
fn part<T: DeserializeOwned + Default>(object: &Value, name: &str) -> T {
    object.get(name).and_then(|part| decode(part).ok()).unwrap_or_default()
}

/// What routing sees of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServiceSpec {
    /// The ports.
    pub ports: Vec<NamedPort>,
    /// Labels of its pods.
    pub selector: BTreeMap<String, String>,
}

/// A port of a Service or of Endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NamedPort {
    /// Empty where there is only one.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// Addresses that share their ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSubset {
    /// The ready ones; Gloo does not look at the others.
    pub(crate) addresses: Vec<EndpointAddress>,
    pub(crate) ports: Vec<NamedPort>,
}

/// An address and the pod it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EndpointAddress {
    pub(crate) ip: String,
    pub(crate) target_ref: Option<TargetRef>,
}

/// What an address belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct TargetRef {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A pod's labels and address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) address: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: String,
}

#[cfg(test)]
mod tests;
