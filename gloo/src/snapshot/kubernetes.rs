//! What routing sees of the objects of Kubernetes' own kinds.

use std::collections::BTreeMap;

use serde::Deserialize;

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
pub(super) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(super) pod_ip: String,
}
