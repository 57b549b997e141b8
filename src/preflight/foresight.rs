//! Whether an answer still holds after the cluster has changed.

use std::collections::BTreeSet;

use gloo::{ObjectRef, Snapshot};

use super::{Change, group, situation};
use crate::inventory::Manifest;

/// Whether all that has happened between two looks at the cluster is what these changes do to
/// backends and RouteTables, in part or wholly. When they were admitted, each was found to leave the
/// others as they are. What says who is served at all may be of use to anybody, and is never foreseen.
pub fn foreseen(before: &Snapshot, after: &Snapshot, changes: &[Change<'_>]) -> bool {
    let differing = before.differing(after);
    if differing.is_empty() {
        return true;
    }
    let touched: BTreeSet<(&str, &str, &str)> =
        differing.iter().map(|it| (&*it.kind, &*it.namespace, &*it.name)).collect();
    let acts = |change: &&Change<'_>| {
        let mut ids = change.desired.manifests().map(Manifest::id).chain(change.surplus);
        ids.any(|id| {
            let namespace = id.namespace.as_deref().unwrap_or_default();
            touched.contains(&(&*id.kind, namespace, &*id.name))
        })
    };
    let changes: Vec<Change<'_>> = changes.iter().filter(acts).copied().collect();
    let own: BTreeSet<ObjectRef> = changes.iter().flat_map(situation::own).collect();
    let done = situation::done(before, &changes);
    differing.iter().all(|object| {
        let serves = matches!(object.kind.as_str(), "VirtualService" | "Gateway" | "Settings")
            || group::delegates(before, object)
            || group::delegates(after, object);
        !serves && own.contains(object) && after.agrees(&done, object)
    })
}
