//! In which namespaces objects are read and written.

use std::collections::BTreeSet;
use std::sync::Arc;

use coalmine_core::object::ObjectId;
use coalmine_core::reason::ClusterError;

/// The namespaces that are watched: all of the cluster, and what belongs to none, or some by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// `None`: all.
    named: Option<Arc<BTreeSet<String>>>,
}

impl Namespaces {
    /// These alone; without a name, all of the cluster.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        let names: BTreeSet<String> = names.into_iter().collect();
        Self { named: (!names.is_empty()).then(|| Arc::new(names)) }
    }

    /// The names, where not all are watched.
    pub fn names(&self) -> Option<&BTreeSet<String>> {
        self.named.as_deref()
    }

    /// Whether this namespace is watched; of objects that belong to none, whether the whole cluster is.
    pub fn has(&self, namespace: Option<&str>) -> bool {
        let is_named = |names: &BTreeSet<String>| namespace.is_some_and(|it| names.contains(it));
        self.names().is_none_or(is_named)
    }

    /// # Errors
    /// The objects that are in no namespace that is watched.
    pub fn check<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ObjectId>,
    ) -> Result<(), ClusterError> {
        let Some(names) = self.names() else { return Ok(()) };
        let outside = ids.into_iter().filter(|id| !self.has(id.namespace.as_deref()));
        let objects: Vec<ObjectId> = outside.cloned().collect();
        if objects.is_empty() {
            return Ok(());
        }
        Err(ClusterError::NotWatched { objects, watched: names.iter().cloned().collect() })
    }

    /// Where each list is made: once for the whole cluster, which is `None`, or once in each namespace.
    pub fn each<'a>(&'a self) -> Box<dyn Iterator<Item = Option<&'a str>> + Send + 'a> {
        match &self.named {
            None => Box::new(std::iter::once(None)),
            Some(names) => Box::new(names.iter().map(|name| Some(name.as_str()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    #[test]
    fn objects_outside_are_named_with_what_to_do() {
        let id = |kind: &str, namespace| ObjectId::new("v1", kind, namespace, "it");
        let ids = [id("Service", Some("a")), id("Service", Some("shop")), id("Namespace", None)];
        assert_eq!(Namespaces::named([]).check(&ids), Ok(()));
        let namespaces = Namespaces::named(["b".to_owned(), "a".to_owned()]);
        assert_eq!(namespaces.check(&ids[..1]), Ok(()));
        let error = namespaces.check(&ids).expect_err("two are outside");
        assert_eq!(
            error.line(),
            "Service shop/it, Namespace it: outside the namespaces that the daemon watches (a, b); what belongs to \
             no namespace has to be applied by somebody with rights in the whole cluster, and leave platform/; move it \
             into a namespace that is watched, or add shop to --watch-namespaces, where `kubectl apply -n shop -k \
             deploy/overlays/namespaced/watched` gives the daemon its rights"
        );
        assert!(!error.passes());
    }
}
