use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reference to an object of a kind that the context fixes. Sorted by namespace, then name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResourceRef {
    /// Name of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace of the object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl Ord for ResourceRef {
    fn cmp(&self, other: &Self) -> Ordering {
        self.namespace.cmp(&other.namespace).then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for ResourceRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ResourceRef {
    /// A reference to `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Gloo's `namespace.name`, as its messages print it.
    pub fn key(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }

    /// The name of the Envoy cluster that Gloo makes of an Upstream: `name_namespace`.
    pub fn cluster(&self) -> String {
        if self.namespace.is_empty() {
            return self.name.clone();
        }
        format!("{}_{}", self.name, self.namespace)
    }
}

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// For example `VirtualService`.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
}

impl ObjectRef {
    /// A reference to the object `kind namespace/name`.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// The same without the kind.
    pub fn resource(&self) -> ResourceRef {
        ResourceRef::new(&self.namespace, &self.name)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_sorted_by_namespace_then_name() {
        let mut all =
            [("b", "a"), ("a", "b"), ("a", "a")].map(|(ns, name)| ResourceRef::new(ns, name));
        all.sort();
        assert_eq!(all.map(|it| it.key()), ["a.a", "a.b", "b.a"]);
    }
}
