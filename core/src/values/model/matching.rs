//! Which requests a route takes: paths, methods, query parameters, headers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::values::names::ServiceName;

/// One of a service's paths and the conditions beside it.
///
/// A service's paths stand in the order of their routes, which is Gloo's: those with more methods first,
/// then exact ones, regular expressions and prefixes, the longer prefix before the shorter.
#[derive(Clone, Debug, PartialEq)]
pub struct PathMatch {
    /// The path.
    pub path: Path,
    /// The methods; every one when empty.
    pub methods: BTreeSet<String>,
    /// Conditions on query parameters, by their names.
    pub query_parameters: BTreeMap<String, ValueMatch>,
    /// Gloo route options of this path, over those of `routes.options`.
    pub options: Map<String, Value>,
    /// The function of a REST Upstream that answers: `destinationSpec.rest` of every destination.
    pub rest: Option<Map<String, Value>>,
}

/// A path, or a family of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// This path only.
    Exact(String),
    /// Every path that the regular expression matches as a whole.
    Regex(String),
    /// Every path that starts with this text.
    Prefix(String),
}

/// What a header or query parameter has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueMatch {
    /// This text.
    Exact(String),
    /// Something that the regular expression matches as a whole.
    Regex(String),
    /// Anything, as long as it is there.
    Present,
}

/// What a header has to be, or must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderMatch {
    /// The condition.
    pub value: ValueMatch,
    /// Whether the condition must not hold. A request without the header never matches an
    /// inverted value, and always matches an inverted `present` (gloo-conformance case
    /// 09-matcher-headers).
    pub invert: bool,
}

impl Path {
    /// The text of the path, whatever it means.
    pub fn text(&self) -> &str {
        let (Self::Exact(text) | Self::Regex(text) | Self::Prefix(text)) = self;
        text
    }

    /// Gloo's name for this kind of path, which is the values' name too.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Regex(_) => "regex",
            Self::Prefix(_) => "prefix",
        }
    }
}

impl PathMatch {
    /// The default: every path below `/<service>`.
    pub(in crate::values) fn of_service(name: &ServiceName) -> Self {
        Self {
            path: Path::Prefix(format!("/{name}")),
            methods: BTreeSet::new(),
            query_parameters: BTreeMap::new(),
            options: Map::new(),
            rest: None,
        }
    }
}
