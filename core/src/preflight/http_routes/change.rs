//! The change of one service, as far as the Gateway API's implementations see it.

use std::collections::BTreeSet;

use gateway_api::{ObjectRef, Snapshot, admit};

use super::surroundings::environment;
use crate::kind::is_gateway_api_routing;
use crate::object::ObjectId;
use crate::plan::Desired;

/// What of a change the Gateway API's implementations see, decoded.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct RouteChange {
    /// What it writes, in this order.
    pub(in super::super) written: Vec<ObjectRef>,
    /// What it takes away.
    pub(in super::super) deleted: Vec<ObjectRef>,
    /// What it writes, decoded.
    pub(super) decoded: Snapshot,
    /// What the API server would not take, and why.
    pub(super) refused: Vec<(ObjectRef, String)>,
}

impl RouteChange {
    pub(in super::super) fn new(desired: &Desired, to_prune: &BTreeSet<ObjectId>) -> Self {
        let mut decoded = Snapshot::new(environment());
        let (mut written, mut refused) = (Vec::new(), Vec::new());
        for manifest in desired.manifests().filter(|manifest| counts(manifest.id())) {
            let object = reference(manifest.id());
            if let Err(violations) = admit(manifest.object(), environment().channel, false) {
                let words: Vec<String> = violations.iter().map(ToString::to_string).collect();
                refused.push((object.clone(), words.join("; ")));
            }
            decoded.upsert(manifest.object());
            written.push(object);
        }
        let deleted = to_prune.iter().filter(|id| counts(id)).map(reference).collect();
        Self { written, deleted, decoded, refused }
    }

    /// The objects that it writes or takes away.
    pub(in super::super) fn own(&self) -> impl Iterator<Item = &ObjectRef> {
        self.written.iter().chain(&self.deleted)
    }

    /// Whether it has anything to do with HTTPRoutes: a Service alone has not.
    pub(super) fn concerns_routes(&self) -> bool {
        self.own().any(|object| object.kind != "Service")
    }
}

/// Whether the Gateway API's implementations look at the object.
fn counts(id: &ObjectId) -> bool {
    is_gateway_api_routing(&id.api_version, &id.kind)
}

fn reference(id: &ObjectId) -> ObjectRef {
    ObjectRef::new(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name)
}
