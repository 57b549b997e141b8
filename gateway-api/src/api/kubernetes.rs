use serde::Deserialize;

/// What routing sees of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// The ports.
    pub ports: Vec<ServicePortSpec>,
    /// `ExternalName` for one without endpoints.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ServicePortSpec {
    /// Empty where there is only one.
    pub name: String,
    /// The port.
    pub port: u16,
    /// `TCP` unless said.
    pub protocol: Option<String>,
}

impl ServicePortSpec {
    /// Whether it is a port of TCP.
    pub fn is_tcp(&self) -> bool {
        self.protocol.as_deref().unwrap_or("TCP") == "TCP"
    }
}

/// What routing sees of an EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SliceSpec {
    /// The endpoints.
    pub endpoints: Vec<EndpointSpec>,
    /// The ports of each.
    pub ports: Vec<PortSpec>,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PortSpec {
    /// The name of the port of the Service.
    pub name: Option<String>,
    /// The port.
    pub port: Option<u16>,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointSpec {
    /// IP addresses.
    pub addresses: Vec<String>,
    /// Whether it may be used.
    pub conditions: EndpointConditions,
    /// The pod.
    pub target_ref: Option<TargetRef>,
}

/// Whether an endpoint may be used; what is not said is taken for yes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// It may.
    pub ready: Option<bool>,
    /// It answers, ready or not.
    pub serving: Option<bool>,
    /// It is about to end.
    pub terminating: Option<bool>,
}

/// What an endpoint belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TargetRef {
    /// `Pod`, mostly.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}
