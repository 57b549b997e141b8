//! What the objects of a cluster mean at one moment.

use gloo::{Memory, ObjectRef, Snapshot, Translation, translate};

use crate::inventory::{Manifest, ObjectId};

use super::Change;
use crate::plan::Desired;

/// The objects of a service as routing sees them. Decoding them takes longer than comparing, so
/// whoever compares often keeps this.
#[derive(Clone, Debug)]
pub struct Decoded {
    backends: Snapshot,
    routes: Snapshot,
}

impl Decoded {
    /// Decodes what a service should be.
    pub fn of(desired: &Desired) -> Self {
        let decode = |manifests: Vec<&Manifest>| {
            let mut snapshot = Snapshot::default();
            for manifest in manifests {
                snapshot.upsert(manifest.object());
            }
            snapshot
        };
        Self {
            backends: decode(desired.workloads.iter().chain(&desired.upstreams).collect()),
            routes: decode(desired.routes.iter().collect()),
        }
    }
}

/// Objects, and what they mean.
#[derive(Debug)]
pub(super) struct Situation {
    pub(super) snapshot: Snapshot,
    /// What the objects mean once those that cannot be decoded are repaired: by this a change is
    /// judged, since whatever it does will show then at the latest.
    pub(super) translation: Translation,
}

impl Situation {
    pub(super) fn read(snapshot: Snapshot, memory: &Memory) -> Self {
        let translation = translate(&snapshot.repaired(), memory);
        Self { snapshot, translation }
    }
}

/// The stages that a service goes through, in this order. Every service is in any of them at any time.
pub(super) struct Stages {
    /// Workloads and Upstreams are written.
    pub(super) prepared: Option<Situation>,
    /// The new routes as well, and the old ones are still there.
    pub(super) routed: Option<Situation>,
    /// What nothing desires any more is gone.
    pub(super) done: Option<Situation>,
}

impl Stages {
    /// The stages of all changes, taken together. One that is like the one before is left out.
    pub(super) fn of(base: &Situation, changes: &[Change<'_>]) -> Self {
        let prepared = with_backends(&base.snapshot, changes);
        let routed = with_routes(&prepared, changes);
        let done = without_surplus(&routed, changes);
        let memory = &base.translation.memory;
        let read = |snapshot: &Snapshot, before: &Snapshot| {
            (!snapshot.is(before)).then(|| Situation::read(snapshot.clone(), memory))
        };
        Self {
            done: read(&done, &routed),
            routed: read(&routed, &prepared),
            prepared: read(&prepared, &base.snapshot),
        }
    }

    /// Those that differ from the one before, in order.
    pub(super) fn each(&self) -> impl Iterator<Item = &Situation> {
        [&self.prepared, &self.routed, &self.done].into_iter().flatten()
    }
}

fn with_backends(base: &Snapshot, changes: &[Change<'_>]) -> Snapshot {
    let mut snapshot = base.clone();
    changes.iter().for_each(|change| snapshot.extend(&change.decoded.backends));
    snapshot
}

fn with_routes(prepared: &Snapshot, changes: &[Change<'_>]) -> Snapshot {
    let mut snapshot = prepared.clone();
    changes.iter().for_each(|change| snapshot.extend(&change.decoded.routes));
    snapshot
}

fn without_surplus(routed: &Snapshot, changes: &[Change<'_>]) -> Snapshot {
    let mut snapshot = routed.clone();
    for id in changes.iter().flat_map(|change| change.surplus) {
        snapshot.remove(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name);
    }
    snapshot
}

/// The objects as they are while the changes are under way: what is new is there, and what is to go
/// is there too.
pub(super) fn under_way(base: &Snapshot, changes: &[Change<'_>]) -> Snapshot {
    with_routes(&with_backends(base, changes), changes)
}

/// The objects when the changes are done.
pub(super) fn done(base: &Snapshot, changes: &[Change<'_>]) -> Snapshot {
    without_surplus(&under_way(base, changes), changes)
}

/// The objects of a change that routing looks at.
pub(super) fn own(change: &Change<'_>) -> impl Iterator<Item = ObjectRef> {
    let desired = change.desired.manifests().map(Manifest::id);
    let ids = desired.chain(change.surplus);
    ids.filter(|id| Snapshot::ROUTING.iter().any(|kind| kind.kind == id.kind)).map(reference)
}

pub(super) fn reference(id: &ObjectId) -> ObjectRef {
    ObjectRef::new(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name)
}
