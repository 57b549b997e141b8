use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{
    GatewaySpec, Metadata, ObjectRef, ResourceRef, RouteTableSpec, SettingsSpec, UpstreamGroupSpec,
    UpstreamSpec, VirtualServiceSpec,
};

/// Objects as the API server holds them.
///
/// Kinds that count: Upstream, UpstreamGroup, VirtualService, RouteTable, Settings, Gateway of Gloo,
/// and Service, Endpoints, Pod.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) gloo_namespace: String,
    pub(crate) upstreams: Objects<UpstreamSpec>,
    pub(crate) upstream_groups: Objects<UpstreamGroupSpec>,
    pub(crate) virtual_services: Objects<VirtualServiceSpec>,
    pub(crate) route_tables: Objects<RouteTableSpec>,
    pub(crate) settings: Objects<SettingsSpec>,
    pub(crate) gateways: Objects<GatewaySpec>,
    pub(crate) services: BTreeMap<ResourceRef, ServicePorts>,
    pub(crate) endpoints: BTreeMap<ResourceRef, Vec<EndpointSubset>>,
    pub(crate) pods: BTreeMap<ResourceRef, Pod>,
}

/// The objects of one kind; one that Gloo cannot decode is kept with the reason.
pub(crate) type Objects<S> = BTreeMap<ResourceRef, Result<Object<S>, String>>;

/// An object that Gloo can decode.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<S> {
    pub(crate) metadata: Metadata,
    pub(crate) spec: S,
}

impl Default for Snapshot {
    /// An empty snapshot of a Gloo that runs in `gloo-system`.
    fn default() -> Self {
        Self::new("gloo-system")
    }
}

impl Snapshot {
    /// An empty snapshot of a Gloo that runs in `gloo_namespace`: there it looks for its Settings
    /// `default` and its Gateways.
    pub fn new(gloo_namespace: &str) -> Self {
        Self {
            gloo_namespace: gloo_namespace.into(),
            upstreams: BTreeMap::new(),
            upstream_groups: BTreeMap::new(),
            virtual_services: BTreeMap::new(),
            route_tables: BTreeMap::new(),
            settings: BTreeMap::new(),
            gateways: BTreeMap::new(),
            services: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
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
        match kind {
            "Upstream" => put(&mut self.upstreams, reference, metadata, object),
            "UpstreamGroup" => put(&mut self.upstream_groups, reference, metadata, object),
            "VirtualService" => put(&mut self.virtual_services, reference, metadata, object),
            "RouteTable" => put(&mut self.route_tables, reference, metadata, object),
            "Settings" => put(&mut self.settings, reference, metadata, object),
            "Gateway" => put(&mut self.gateways, reference, metadata, object),
            "Service" => {
                self.services.insert(reference, part(object, "spec"));
            }
            "Endpoints" => {
                self.endpoints.insert(reference, part(object, "subsets"));
            }
            "Pod" => {
                let address = part::<PodStatus>(object, "status").pod_ip;
                self.pods.insert(reference, Pod { labels: metadata.labels, address });
            }
            _ => return false,
        }
        true
    }

    /// Takes an object out. Says whether there was one.
    pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let reference = ResourceRef::new(namespace, name);
        match kind {
            "Upstream" => self.upstreams.remove(&reference).is_some(),
            "UpstreamGroup" => self.upstream_groups.remove(&reference).is_some(),
            "VirtualService" => self.virtual_services.remove(&reference).is_some(),
            "RouteTable" => self.route_tables.remove(&reference).is_some(),
            "Settings" => self.settings.remove(&reference).is_some(),
            "Gateway" => self.gateways.remove(&reference).is_some(),
            "Service" => self.services.remove(&reference).is_some(),
            "Endpoints" => self.endpoints.remove(&reference).is_some(),
            "Pod" => self.pods.remove(&reference).is_some(),
            _ => false,
        }
    }

    /// Whether there is such an object of Gloo.
    pub(crate) fn contains(&self, object: &ObjectRef) -> bool {
        let reference = object.resource();
        match object.kind.as_str() {
            "Upstream" => self.upstreams.contains_key(&reference),
            "UpstreamGroup" => self.upstream_groups.contains_key(&reference),
            "VirtualService" => self.virtual_services.contains_key(&reference),
            "RouteTable" => self.route_tables.contains_key(&reference),
            "Gateway" => self.gateways.contains_key(&reference),
            _ => false,
        }
    }

    /// The objects that Gloo cannot decode, and why. Each stops Gloo from taking up any change of its
    /// kind (gloo-conformance case 13-undecodable).
    pub fn undecodable(&self) -> Vec<(ObjectRef, &str)> {
        undecodable(&self.upstreams, "Upstream")
            .chain(undecodable(&self.upstream_groups, "UpstreamGroup"))
            .chain(undecodable(&self.virtual_services, "VirtualService"))
            .chain(undecodable(&self.route_tables, "RouteTable"))
            .chain(undecodable(&self.settings, "Settings"))
            .chain(undecodable(&self.gateways, "Gateway"))
            .collect()
    }
}

fn undecodable<'a, S>(
    objects: &'a Objects<S>,
    kind: &str,
) -> impl Iterator<Item = (ObjectRef, &'a str)> {
    objects.iter().filter_map(move |(reference, object)| {
        let reason = object.as_ref().err()?;
        Some((ObjectRef::new(kind, &reference.namespace, &reference.name), reason.as_str()))
    })
}

fn put<S: DeserializeOwned + Default>(
    objects: &mut Objects<S>,
    reference: ResourceRef,
    metadata: Metadata,
    object: &Value,
) {
    let spec = match object.get("spec") {
        None | Some(Value::Null) => Ok(S::default()),
        Some(spec) => serde_json::from_value(without_nulls(spec)).map_err(|e| e.to_string()),
    };
    objects.insert(reference, spec.map(|spec| Object { metadata, spec }));
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
    let part = object.get(name).map(without_nulls).unwrap_or_default();
    serde_json::from_value(part).unwrap_or_default()
}

/// `null` is the same as absent, as in Gloo's decoder.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k.clone(), without_nulls(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The ports of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ServicePorts {
    pub(crate) ports: Vec<NamedPort>,
}

/// A port of a Service or of Endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct NamedPort {
    pub(crate) name: String,
    pub(crate) port: u16,
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
