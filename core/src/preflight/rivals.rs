//! Whether two routes of a virtual host that may have requests in common may stand together, of whichever API they are.

use std::sync::Arc;

use gloo::ObjectRef;

use super::ownership::Owners;
use crate::reason::{Conflict, Refusal};

/// A route of a virtual host.
pub(super) trait Rival {
    /// The object that has it.
    fn holder(&self) -> &Arc<ObjectRef>;

    /// Its path, as people write it.
    fn path(&self) -> String;

    /// Whether it does the same with a request.
    fn does_the_same(&self, other: &Self) -> bool;

    /// Whether it takes every request that the other takes, as far as can be told.
    fn covers(&self, other: &Self) -> bool;

    /// Whether it, coming before the other, takes requests that the other has a better claim to.
    fn takes_from(&self, other: &Self) -> bool;
}

/// How the paths of one matcher lie to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathRelation {
    /// None in common.
    Apart,
    /// All of them are the other's too, and the other has more.
    Within,
    /// Anything else: the same, more, or nobody can tell.
    Across,
}

/// Why a change may not have one of two routes, of which `first` comes first; `None` when nothing speaks against it.
/// Each stands with the position of its change, and `host` is what people call the virtual host.
pub(super) fn refusal<R: Rival>(
    (first, one): (&R, Option<usize>),
    (second, other): (&R, Option<usize>),
    owners: &Owners,
    host: impl FnOnce() -> String,
) -> Option<Refusal> {
    match (one, other) {
        (None, None) => None,
        (one, other) if one == other => {
            // What moves to another namespace is there twice for a moment, and both answer.
            let moves = owners.goes(first.holder()) || owners.goes(second.holder());
            let is_shadowed = !moves && !first.does_the_same(second) && first.covers(second);
            is_shadowed.then(|| Refusal::Shadowed {
                object: Arc::clone(second.holder()),
                path: second.path(),
                before: first.path(),
            })
        }
        (Some(at), None) if owners.succeeds(at, second.holder()) => None,
        (None, Some(at)) if owners.succeeds(at, first.holder()) => None,
        (Some(_), _) if first.takes_from(second) => Some(conflict(host(), first, second, true)),
        (_, Some(_)) if first.covers(second) => Some(conflict(host(), second, first, false)),
        _ => None,
    }
}

/// Two routes that want the same requests of a virtual host.
pub(super) fn conflict<R: Rival>(
    host: String,
    ours: &R,
    theirs: &R,
    ours_is_first: bool,
) -> Refusal {
    Refusal::Conflict(Conflict {
        host,
        ours: ours.path(),
        theirs: theirs.path(),
        ours_is_first,
        owner: Arc::clone(theirs.holder()),
    })
}
