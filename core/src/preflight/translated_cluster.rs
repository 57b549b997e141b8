//! What the objects of a cluster mean at one moment.

use std::sync::Arc;

use gloo::{Memory, Snapshot, Translation, translate};

use super::change::Change;

/// Objects, and what they mean.
#[derive(Debug)]
pub(super) struct TranslatedCluster {
    pub(super) snapshot: Snapshot,
    /// What the objects mean once those that cannot be decoded are repaired: by this a change is
    /// judged, since whatever it does will show then at the latest.
    pub(super) translation: Translation,
}

impl TranslatedCluster {
    pub(super) fn read(snapshot: Snapshot, memory: &Memory) -> Self {
        let translation = translate(&snapshot.repaired(), memory);
        Self { snapshot, translation }
    }
}

/// The stages that a service goes through, in this order. Every service is in any of them at any time.
pub(super) struct Stages {
    /// Workloads and Upstreams are written.
    pub(super) prepared: Option<TranslatedCluster>,
    /// The new routes as well, and the old ones are still there.
    pub(super) routed: Option<TranslatedCluster>,
    /// What nothing desires any more is gone.
    pub(super) done: Option<TranslatedCluster>,
}

impl Stages {
    /// The stages of all changes, taken together. One that is like the one before is left out.
    pub(super) fn of(base: &TranslatedCluster, changes: &[Arc<Change>]) -> Self {
        let prepared = with_backends(&base.snapshot, changes);
        let routed = with_routes(&prepared, changes);
        let done = without_pruning(&routed, changes);
        let memory = &base.translation.memory;
        let read = |snapshot: &Snapshot, before: &Snapshot| {
            (!snapshot.is(before)).then(|| TranslatedCluster::read(snapshot.clone(), memory))
        };
        Self {
            done: read(&done, &routed),
            routed: read(&routed, &prepared),
            prepared: read(&prepared, &base.snapshot),
        }
    }

    /// Those that differ from the one before, in order.
    pub(super) fn each(&self) -> impl Iterator<Item = &TranslatedCluster> {
        [&self.prepared, &self.routed, &self.done].into_iter().flatten()
    }
}

fn with_backends(base: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    let mut snapshot = base.clone();
    changes.iter().for_each(|change| snapshot.extend_backends(&change.decoded));
    snapshot
}

fn with_routes(prepared: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    let mut snapshot = prepared.clone();
    for object in changes.iter().flat_map(|change| change.makes_room(prepared)) {
        snapshot.remove(&object.kind, &object.namespace, &object.name);
    }
    changes.iter().for_each(|change| snapshot.extend_routes(&change.decoded));
    snapshot
}

fn without_pruning(routed: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    let mut snapshot = routed.clone();
    for object in changes.iter().flat_map(|change| &change.deleted) {
        snapshot.remove(&object.kind, &object.namespace, &object.name);
    }
    snapshot
}

/// The objects as they are while the changes are under way: what is new is there, and what is to go
/// is there too.
pub(super) fn under_way(base: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    with_routes(&with_backends(base, changes), changes)
}
