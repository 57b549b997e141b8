//! Whether an answer still holds after the objects of the Gateway API have changed.

use std::sync::Arc;

use gateway_api::{ObjectRef, Snapshot};

use super::super::change::Change;
use super::surroundings::delegates;

/// Whether all that has happened between two looks is what these changes do to Services and to HTTPRoutes that hand
/// nothing on, in part or wholly; the sister of [`super::super::are_expected`]. What says who is served at all may be of
/// use to anybody, and is never foreseen.
pub fn http_routes_are_expected(
    before: &Snapshot,
    after: &Snapshot,
    changes: &[Arc<Change>],
) -> bool {
    if before.is(after) {
        return true;
    }
    if !before.is_read_alike(after) {
        return false;
    }
    before.differing(after).iter().all(|object| {
        let is_plain = matches!(object.kind.as_str(), "HTTPRoute" | "Service")
            && !delegates(before, object)
            && !delegates(after, object);
        is_plain && changes.iter().any(|change| is_done(change, object, after))
    })
}

/// Whether the object is as this change leaves it.
fn is_done(change: &Change, object: &ObjectRef, now: &Snapshot) -> bool {
    let own = &change.http_routes;
    own.written.contains(object) && now.agrees(&own.decoded, object)
        || own.deleted.contains(object) && !now.contains(object)
}
