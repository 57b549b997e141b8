use serde::Deserialize;

use super::LabelSelector;

/// A GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClassSpec {
    /// The implementation.
    pub controller_name: String,
}

/// A Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Its GatewayClass.
    pub gateway_class_name: String,
    /// What it listens on.
    pub listeners: Vec<ListenerSpec>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerSpec {
    /// The name.
    pub name: String,
    /// The host it is for; `None` is every host.
    pub hostname: Option<String>,
    /// The port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP` or `UDP`.
    pub protocol: String,
    /// Certificates.
    pub tls: Option<ListenerTls>,
    /// Who may attach.
    pub allowed_routes: AllowedRoutes,
}

/// TLS of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListenerTls {
    /// `Terminate` or `Passthrough`; `Terminate` unless said.
    pub mode: Option<String>,
    /// Where the certificates are.
    pub certificate_refs: Vec<CertificateRef>,
}

/// A reference to a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CertificateRef {
    /// The API group; empty for a Secret.
    pub group: String,
    /// The kind; `Secret` unless said.
    pub kind: String,
    /// The namespace; that of the Gateway unless said.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl Default for CertificateRef {
    fn default() -> Self {
        Self { group: String::new(), kind: "Secret".into(), namespace: None, name: String::new() }
    }
}

/// Who may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From where; from the Gateway's own namespace unless said.
    pub namespaces: RouteNamespaces,
    /// Which kinds; all that the protocol allows unless said.
    pub kinds: Vec<RouteKind>,
}

/// From where routes may attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// `All`, `Same`, `Selector` or `None`; `Same` unless said.
    pub from: Option<String>,
    /// The labels of the namespaces.
    pub selector: Option<LabelSelector>,
}

/// A kind of route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
pub struct RouteKind {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

impl Default for RouteKind {
    fn default() -> Self {
        Self { group: super::GROUP.into(), kind: String::new() }
    }
}
