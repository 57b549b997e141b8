//! Whether an answer still holds after the cluster has changed.

use std::collections::BTreeSet;

use gloo::{ObjectRef, Snapshot};

use super::{Change, group, situation};

/// Whether all that has happened between two looks at the cluster is what these changes do to
/// backends and RouteTables, in part or wholly. When they were admitted, each was found to leave the
/// others as they are. What says who is served at all may be of use to anybody, and is never foreseen.
pub fn foreseen(before: &Snapshot, after: &Snapshot, changes: &[Change<'_>]) -> bool {
    let differing = before.differing(after);
    if differing.is_empty() {
        return true;
    }
    let acts = |change: &&Change<'_>| situation::own(change).any(|it| differing.contains(&it));
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
