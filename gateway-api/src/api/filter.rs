use serde::Deserialize;

/// A change to requests or answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Filter {
    /// Which of the others is meant.
    #[serde(rename = "type")]
    pub kind: FilterKind,
    /// Changes headers of the request.
    pub request_header_modifier: Option<HeaderModifier>,
    /// Changes headers of the answer.
    pub response_header_modifier: Option<HeaderModifier>,
    /// Sends a copy.
    pub request_mirror: Option<RequestMirror>,
    /// Answers with a redirect.
    pub request_redirect: Option<RequestRedirect>,
    /// Changes path and host.
    pub url_rewrite: Option<UrlRewrite>,
    /// Cross-origin rules.
    pub cors: Option<Cors>,
    /// Something of the implementation's own.
    pub extension_ref: Option<LocalRef>,
}

/// The kind of a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum FilterKind {
    /// Changes headers of the request.
    RequestHeaderModifier,
    /// Changes headers of the answer.
    ResponseHeaderModifier,
    /// Sends a copy.
    RequestMirror,
    /// Answers with a redirect.
    RequestRedirect,
    /// Changes path and host.
    #[serde(rename = "URLRewrite")]
    UrlRewrite,
    /// Cross-origin rules.
    #[serde(rename = "CORS")]
    Cors,
    /// Something of the implementation's own.
    ExtensionRef,
    /// A kind that this model does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Changes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HeaderModifier {
    /// Replaces what is there.
    pub set: Vec<HeaderValue>,
    /// Comes after what is there.
    pub add: Vec<HeaderValue>,
    /// Goes.
    pub remove: Vec<String>,
}

/// A header and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HeaderValue {
    /// The header.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Sends a copy of requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestMirror {
    /// Where the copy goes.
    pub backend_ref: BackendRef,
    /// Of a hundred requests.
    pub percent: Option<u32>,
    /// Of any number of requests.
    pub fraction: Option<Fraction>,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackendRef {
    /// The API group; empty for a Service.
    pub group: String,
    /// The kind; `Service` unless said.
    pub kind: String,
    /// The namespace; that of the route unless said.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// A port of the Service.
    pub port: Option<u16>,
    /// Its share; 1 unless said.
    pub weight: u32,
    /// What changes for this backend alone.
    pub filters: Vec<Filter>,
}

impl Default for BackendRef {
    fn default() -> Self {
        Self {
            group: String::new(),
            kind: "Service".into(),
            namespace: None,
            name: String::new(),
            port: None,
            weight: 1,
            filters: Vec::new(),
        }
    }
}

/// A share of requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Fraction {
    /// So many.
    pub numerator: u32,
    /// Of so many; 100 unless said.
    pub denominator: u32,
}

impl Default for Fraction {
    fn default() -> Self {
        Self { numerator: 0, denominator: 100 }
    }
}

/// A redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequestRedirect {
    /// The new scheme.
    pub scheme: Option<String>,
    /// The new host.
    pub hostname: Option<String>,
    /// The new path.
    pub path: Option<PathModifier>,
    /// The new port.
    pub port: Option<u16>,
    /// The status; 302 unless said.
    pub status_code: Option<u16>,
}

/// A change of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PathModifier {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The new path.
    pub replace_full_path: Option<String>,
    /// What comes in place of the matched prefix.
    pub replace_prefix_match: Option<String>,
}

/// A change of path and host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UrlRewrite {
    /// The new host.
    pub hostname: Option<String>,
    /// The new path.
    pub path: Option<PathModifier>,
}

/// Cross-origin rules.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cors {
    /// Who may ask.
    pub allow_origins: Vec<String>,
    /// Whether with credentials.
    pub allow_credentials: Option<bool>,
    /// By which methods.
    pub allow_methods: Vec<String>,
    /// With which headers.
    pub allow_headers: Vec<String>,
    /// Which headers of the answer may be read.
    pub expose_headers: Vec<String>,
    /// For how many seconds that holds; 5 unless said.
    pub max_age: i64,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            allow_origins: Vec::new(),
            allow_credentials: None,
            allow_methods: Vec::new(),
            allow_headers: Vec::new(),
            expose_headers: Vec::new(),
            max_age: 5,
        }
    }
}

/// A reference to an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LocalRef {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
}
