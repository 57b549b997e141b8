use serde::Deserialize;

/// Which requests a rule takes: all conditions of one match must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpMatch {
    /// The path.
    pub path: PathSpec,
    /// Headers; names are compared without letter case.
    pub headers: Vec<NamedMatch>,
    /// Query parameters.
    pub query_params: Vec<NamedMatch>,
    /// The method.
    pub method: Option<String>,
}

/// A condition on the path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PathSpec {
    /// How it is compared.
    #[serde(rename = "type")]
    pub kind: PathKind,
    /// The path, its beginning, or an expression.
    pub value: String,
}

impl Default for PathSpec {
    fn default() -> Self {
        Self { kind: PathKind::PathPrefix, value: "/".into() }
    }
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PathKind {
    /// By whole elements.
    #[default]
    PathPrefix,
    /// Letter by letter.
    Exact,
    /// The whole path has to match an expression.
    RegularExpression,
}

/// A condition on a header or a query parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NamedMatch {
    /// How the value is compared.
    #[serde(rename = "type")]
    pub kind: MatchKind,
    /// The header or parameter.
    pub name: String,
    /// The value, or an expression.
    pub value: String,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum MatchKind {
    /// Letter by letter.
    #[default]
    Exact,
    /// The whole value has to match an expression.
    RegularExpression,
}
