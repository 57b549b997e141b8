use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ResourceRef;

/// TLS of a VirtualService, of a TCP host or of an Upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SslConfig {
    /// The Secret with certificate and key. Its namespace has no default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ResourceRef>,
    /// Files with certificate and key: Gloo reads those of a VirtualService, Envoy those of an Upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssl_files: Option<SslFiles>,
    /// A server that Envoy has them from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds: Option<Map<String, Value>>,
    /// The server names that this certificate is for; none means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sni_domains: Vec<String>,
    /// Names that the certificate of the other side must have; needs a root certificate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verify_subject_alt_name: Vec<String>,
    /// Ask for no certificate of the client although there is a root certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_way_tls: Option<bool>,
    /// The server name that an Upstream is asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sni: String,
    /// Versions and ciphers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<SslParameters>,
    /// Protocols that are offered; none means `h2` and `http/1.1`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alpn_protocols: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Files with certificate and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SslFiles {
    /// The certificate.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tls_cert: String,
    /// Its key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tls_key: String,
    /// Who has to have signed the certificate of the other side.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_ca: String,
    /// Everything else.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Versions and ciphers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SslParameters {
    /// The oldest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_protocol_version: Option<TlsVersion>,
    /// The newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_protocol_version: Option<TlsVersion>,
    /// Ciphers up to TLS 1.2, in Envoy's names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
    /// Curves, in Envoy's names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ecdh_curves: Vec<String>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of Gloo's API")]
pub enum TlsVersion {
    #[serde(rename = "TLS_AUTO")]
    Auto,
    #[serde(rename = "TLSv1_0")]
    V1_0,
    #[serde(rename = "TLSv1_1")]
    V1_1,
    #[serde(rename = "TLSv1_2")]
    V1_2,
    #[serde(rename = "TLSv1_3")]
    V1_3,
}

impl SslConfig {
    /// Whether the two are the same but for their server names; Gloo then makes one of them
    /// (gloo-conformance case 18-no-sni).
    pub(crate) fn same_but_names(&self, other: &Self) -> bool {
        let bare = |config: &Self| Self { sni_domains: Vec::new(), ..config.clone() };
        bare(self) == bare(other)
    }
}
