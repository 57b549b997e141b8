//! Whether an answer still holds after the cluster has changed.

use std::sync::Arc;

use gloo::{ObjectRef, Snapshot};

use super::change::Change;
use super::group;
use crate::kind::Kind;

/// Whether all that has happened between two looks at the cluster is what these changes do to
/// backends and RouteTables, in part or wholly. When they were admitted, each was found to leave the
/// others as they are. What says who is served at all may be of use to anybody, and is never foreseen.
pub fn are_expected(before: &Snapshot, after: &Snapshot, changes: &[Arc<Change>]) -> bool {
    let differing = before.differing(after);
    if differing.is_empty() {
        return true;
    }
    let acts = |change: &&Arc<Change>| change.own().any(|object| differing.contains(object));
    let changes: Vec<&Arc<Change>> = changes.iter().filter(acts).collect();
    differing.iter().all(|object| {
        let kind = Kind::of_reference(object);
        let serves = kind == Some(Kind::VirtualService)
            || kind.is_some_and(group::concerns_anybody)
            || group::delegates(before, object)
            || group::delegates(after, object);
        !serves && changes.iter().any(|change| is_done(change, object, after))
    })
}

/// Whether the object is as this change leaves it.
fn is_done(change: &Change, object: &ObjectRef, now: &Snapshot) -> bool {
    change.written.contains(object) && now.agrees(&change.decoded, object)
        || change.deleted.contains(object) && !now.contains(object)
}
