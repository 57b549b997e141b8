//! The change of one service, as far as gateways see it.

use std::collections::BTreeSet;

use gloo::{ObjectRef, Snapshot};

use super::http_routes::RouteChange;
use crate::kind::Kind;
use crate::object::{Manifest, ObjectId};
use crate::plan::{Desired, has_same_domain};

/// The change of one service. It has what Gloo reads of each object and not the manifests: a thousand
/// changes may be under way.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose it is.
    pub service: String,
    /// Objects of the service that nothing desires any more, of any kind.
    pub to_prune: BTreeSet<ObjectId>,
    /// Whether warnings about the change's own new objects are all right.
    pub tolerates_warnings: bool,
    /// What it writes and routing rests on, in the order in which it is written.
    pub(super) written: Vec<ObjectRef>,
    /// The same, decoded.
    pub(super) decoded: Snapshot,
    /// The Upstreams among it.
    pub(super) upstreams: Vec<ObjectId>,
    /// What it takes away and routing rests on.
    pub(super) deleted: Vec<ObjectRef>,
    /// Routes of services that are removed: they go once this change is live, so it may take their requests.
    pub(super) departing: Vec<ObjectRef>,
    /// What of it the Gateway API's implementations see.
    pub(super) http_routes: RouteChange,
}

impl Change {
    /// The change that makes a service what it should be, and takes away what is too much.
    pub fn new(service: &str, desired: &Desired, to_prune: &BTreeSet<ObjectId>) -> Self {
        let (mut written, mut decoded) = (Vec::new(), Snapshot::default());
        for manifest in desired.manifests().filter(|manifest| manifest.id().is_routing()) {
            written.push(reference(manifest.id()));
            decoded.upsert(manifest.object());
        }
        let deleted = to_prune.iter().filter(|id| id.is_routing()).map(reference);
        Self {
            service: service.to_owned(),
            to_prune: to_prune.clone(),
            tolerates_warnings: desired.tolerates_warnings,
            written,
            decoded,
            upstreams: desired.upstreams.iter().map(Manifest::id).cloned().collect(),
            deleted: deleted.collect(),
            departing: Vec::new(),
            http_routes: RouteChange::new(desired, to_prune),
        }
    }

    /// The same beside these routes of services that are removed, which go once the change is live.
    #[must_use]
    pub fn beside<'a>(self, departing: impl IntoIterator<Item = &'a ObjectId>) -> Self {
        Self { departing: departing.into_iter().map(reference).collect(), ..self }
    }

    /// The objects that routing rests on, those that go among them.
    pub(super) fn own(&self) -> impl Iterator<Item = &ObjectRef> {
        self.written.iter().chain(&self.deleted)
    }

    /// VirtualServices that go right before its routes come, because they have a domain of theirs.
    pub(super) fn makes_room(&self, live: &Snapshot) -> Vec<&ObjectRef> {
        let is_host =
            |object: &&ObjectRef| Kind::of_reference(object) == Some(Kind::VirtualService);
        let written = self.written.iter().filter(is_host);
        let wanted: Vec<_> =
            written.filter_map(|it| self.decoded.virtual_service(&it.resource())).collect();
        let goes = self.deleted.iter().chain(&self.departing).filter(is_host);
        goes.filter(|it| wanted.iter().any(|wanted| has_same_domain(wanted, it, live))).collect()
    }

    /// The first of the objects with routes that it writes.
    pub(super) fn first_route(&self) -> Option<&ObjectRef> {
        let mut written = self.written.iter();
        written.find(|object| is_route(object))
    }
}

/// Whether the object says which requests go where.
pub(super) fn is_route(object: &ObjectRef) -> bool {
    Kind::of_reference(object).is_some_and(Kind::is_route)
}

pub(super) fn reference(id: &ObjectId) -> ObjectRef {
    ObjectRef::new(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_called_like_a_kind_of_gloos_in_another_group_is_none() {
        let own = |api_version: &str| {
            let object = json!({"apiVersion": api_version, "kind": "Service",
                "metadata": {"name": "echo", "namespace": "echo"}});
            let manifest = Manifest::new(object).expect("complete");
            let to_prune = [manifest.id().clone()].into();
            let desired = Desired { workloads: vec![manifest], ..Desired::default() };
            Change::new("platform", &desired, &to_prune).own().count()
        };
        assert_eq!((own("v1"), own("serving.knative.dev/v1")), (2, 0));
    }
}
