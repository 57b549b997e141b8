/// Which requests a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// `None` is a matcher without a path, which Envoy refuses.
    pub path: Option<PathMatch>,
    /// Whether the path's letter case counts; `None` means it does.
    pub case_sensitive: Option<bool>,
    /// All must hold.
    pub headers: Vec<HeaderMatch>,
    /// All must hold.
    pub query: Vec<QueryMatch>,
}

/// The path of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// It begins with this.
    Prefix(String),
    /// It equals this.
    Exact(String),
    /// The whole of it matches this expression.
    Regex(String),
    /// It is a CONNECT.
    Connect,
}

/// A condition on a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The header.
    pub name: String,
    /// Its value.
    pub value: ValueMatch,
    /// Turns the condition round. A missing header still does not match a value.
    pub invert: bool,
}

/// A condition on a query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryMatch {
    /// The parameter.
    pub name: String,
    /// Its value.
    pub value: ValueMatch,
}

/// A condition on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueMatch {
    /// There is one.
    Present,
    /// It equals this.
    Exact(String),
    /// The whole of it matches this expression.
    Regex(String),
}
