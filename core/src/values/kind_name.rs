//! The name of a kind, as people write it where no API version stands beside it.

use std::fmt;

use crate::kind::group;
use crate::object::ObjectId;

/// A kind and, unless it is of a group that Kubernetes has without a domain (`""`, `apps`, `batch`, ...), its
/// group: `Secret`, `StatefulSet`, `Certificate.cert-manager.io`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindName {
    kind: String,
    group: Option<String>,
}

impl KindName {
    /// Reads a name: the kind as manifests write it, and its group behind a dot.
    ///
    /// # Errors
    /// Says what is expected and what was found.
    pub fn new(name: &str) -> Result<Self, String> {
        let (kind, group) = match name.split_once('.') {
            Some((kind, group)) => (kind, Some(group)),
            None => (name, None),
        };
        let is_kind = kind.starts_with(|first: char| first.is_ascii_alphabetic())
            && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_group = |group: &str| {
            let is_part = |part: &str| {
                let mut bytes = part.bytes();
                !part.is_empty()
                    && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            };
            group.split('.').all(is_part)
        };
        if !is_kind || !group.is_none_or(is_group) {
            return Err(format!(
                "expected a kind such as Secret or Certificate.cert-manager.io, found {name:?}"
            ));
        }
        Ok(Self { kind: kind.to_owned(), group: group.map(str::to_owned) })
    }

    /// The name of the object's kind.
    pub fn of(id: &ObjectId) -> Self {
        let group = group(&id.api_version);
        Self { kind: id.kind.clone(), group: group.contains('.').then(|| group.to_owned()) }
    }

    /// Whether the object is of this kind. Without a group the name means one of Kubernetes' own kinds.
    pub fn names(&self, id: &ObjectId) -> bool {
        let of = group(&id.api_version);
        let fits = match &self.group {
            Some(group) => group == of,
            None => !of.contains('.') || of.ends_with(".k8s.io"),
        };
        fits && self.kind == id.kind
    }

    /// Whether it is the kind Namespace.
    pub fn is_namespace(&self) -> bool {
        self.kind == "Namespace" && self.group.is_none()
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}.{group}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_with_its_group_and_kubernetes_own_without() {
        let certificate = ObjectId::new("cert-manager.io/v1", "Certificate", Some("echo"), "it");
        let named = |name: &str| KindName::new(name).expect("a kind");
        assert_eq!(KindName::of(&certificate), named("Certificate.cert-manager.io"));
        assert!(named("Certificate.cert-manager.io").names(&certificate));
        assert!(!named("Certificate").names(&certificate));
        let definition =
            ObjectId::new("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "it");
        assert!(named("CustomResourceDefinition").names(&definition));
        assert!(named("CustomResourceDefinition.apiextensions.k8s.io").names(&definition));
        for wrong in ["", "secrets/v1", "Secret.", ".io", "Two Words", "Secret.Upper.io"] {
            assert!(KindName::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
