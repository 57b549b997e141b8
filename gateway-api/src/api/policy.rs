use serde::Deserialize;
use serde_json::{Map, Value};

/// What a policy is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyTarget {
    /// The API group.
    pub group: String,
    /// `HTTPRoute` or `Gateway`.
    pub kind: String,
    /// The name, in the policy's own namespace.
    pub name: String,
    /// One rule of a route, or one listener.
    pub section_name: Option<String>,
}

/// kgateway's TrafficPolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficPolicySpec {
    /// What it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// How long an answer may take.
    pub timeouts: Option<TrafficTimeouts>,
    /// Whether a token is needed.
    pub jwt_auth: Option<JwtAuth>,
    /// What is not modelled.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// How long an answer may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TrafficTimeouts {
    /// From the request to the end of the answer.
    pub request: Option<String>,
    /// The longest silence.
    pub stream_idle: Option<String>,
}

/// Whether a token is needed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JwtAuth {
    /// The GatewayExtension that says which tokens.
    pub extension_ref: Option<ExtensionRef>,
    /// No token is needed, whatever others say.
    pub disable: Option<Value>,
}

/// A reference to a GatewayExtension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExtensionRef {
    /// The name.
    pub name: String,
    /// The namespace; that of the policy unless said.
    pub namespace: Option<String>,
}

/// kgateway's GatewayExtension.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ExtensionSpec {
    /// Which tokens.
    pub jwt: Option<JwtExtension>,
}

/// Which tokens are taken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JwtExtension {
    /// Who issues them.
    pub providers: Vec<JwtProviderSpec>,
    /// `Strict` or `AllowMissing`; `Strict` unless said.
    pub validation_mode: Option<String>,
}

/// Who issues tokens, as kgateway and Envoy Gateway write it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JwtProviderSpec {
    /// The name.
    pub name: String,
    /// Who has to be named in the token; nobody in particular unless said.
    pub issuer: String,
    /// Who the token is for; one has to be named in it.
    pub audiences: Vec<String>,
    /// Which claims become headers.
    #[serde(alias = "claimsToHeaders")]
    pub claim_to_headers: Vec<ClaimHeader>,
    /// Envoy Gateway: pick the rule again with the new headers. kgateway always does.
    pub recompute_route: Option<bool>,
    /// kgateway: the keys.
    pub jwks: Option<Value>,
    /// Envoy Gateway: the keys, where they are in the cluster.
    #[serde(rename = "localJWKS")]
    pub local_jwks: Option<Value>,
    /// Where the token is, if not in `authorization`; not modelled.
    #[serde(alias = "extractFrom")]
    pub token_source: Option<Value>,
}

/// A claim that becomes a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClaimHeader {
    /// The header.
    pub header: String,
    /// The claim.
    #[serde(alias = "name")]
    pub claim: String,
}

/// kgateway's DirectResponse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DirectResponseSpec {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Option<String>,
}

/// Envoy Gateway's SecurityPolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecuritySpec {
    /// What it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// What it is about, as older objects write it.
    pub target_ref: Option<PolicyTarget>,
    /// Which tokens are needed.
    pub jwt: Option<JwtSpec>,
    /// Which passwords are needed.
    pub basic_auth: Option<BasicAuthSpec>,
    /// What is not modelled.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Which tokens are needed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JwtSpec {
    /// A request without a token is taken, too.
    pub optional: bool,
    /// Who issues them.
    pub providers: Vec<JwtProviderSpec>,
}

/// Which passwords are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BasicAuthSpec {
    /// The Secret with the users.
    pub users: super::CertificateRef,
}

/// Envoy Gateway's BackendTrafficPolicy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BackendTrafficSpec {
    /// What it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// What it is about, as older objects write it.
    pub target_ref: Option<PolicyTarget>,
    /// How long an answer may take.
    pub timeout: Option<BackendTimeouts>,
    /// What is not modelled.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// How long things may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct BackendTimeouts {
    /// HTTP.
    pub http: Option<HttpTimeouts>,
}

/// How long HTTP requests may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpTimeouts {
    /// From the request to the end of the answer.
    pub request_timeout: Option<String>,
}

/// Envoy Gateway's HTTPRouteFilter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RouteFilterSpec {
    /// Answers directly.
    pub direct_response: Option<FilterResponse>,
    /// What is not modelled.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A direct answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FilterResponse {
    /// The status; 200 unless said.
    pub status_code: Option<u16>,
    /// The body.
    pub body: Option<FilterBody>,
    /// Its type.
    pub content_type: Option<String>,
}

/// The body of a direct answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FilterBody {
    /// The text.
    pub inline: Option<String>,
    /// A ConfigMap with the text; not modelled.
    #[serde(rename = "valueRef")]
    pub value_ref: Option<Value>,
}
