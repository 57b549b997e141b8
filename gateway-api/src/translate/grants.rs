//! Whether an object may refer to one of another namespace.

use crate::api::GROUP;
use crate::snapshot::Snapshot;

/// Whether an object of the Gateway API may refer to an object: that of its own namespace always, that of another by a
/// ReferenceGrant there.
pub(super) fn permits(
    snapshot: &Snapshot,
    from: (&str, &str),
    to: (&str, &str, &str, &str),
) -> bool {
    let (from_kind, from_namespace) = from;
    let (group, kind, namespace, name) = to;
    namespace == from_namespace
        || snapshot.grants.iter().any(|(reference, grant)| {
            let from = [GROUP, from_kind, from_namespace];
            reference.namespace == namespace && grant.spec.allows(from, [group, kind, name])
        })
}
