//! Which of several changes an object belongs to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gloo::ObjectRef;

use super::change::Change;
use crate::reason::Refusal;

/// The objects of the changes at hand, each with the position of its change.
pub(super) struct Owners {
    objects: HashMap<ObjectRef, usize>,
    /// Those that their change deletes.
    deleted: HashSet<ObjectRef>,
    /// Routes of services that are removed, each with the position of a change that may take their requests.
    departing: HashSet<(usize, ObjectRef)>,
}

impl Owners {
    /// # Errors
    /// An object that two of the changes have.
    pub(super) fn of(changes: &[Arc<Change>]) -> Result<Self, Refusal> {
        Self::over(changes, |change| (&change.written, &change.deleted))
    }

    /// The same of the objects that the Gateway API's implementations see.
    ///
    /// # Errors
    /// An object that two of the changes have.
    pub(super) fn of_http_routes(changes: &[Arc<Change>]) -> Result<Self, Refusal> {
        Self::over(changes, |change| (&change.http_routes.written, &change.http_routes.deleted))
    }

    /// Of the objects that a change writes and deletes.
    fn over(
        changes: &[Arc<Change>],
        of: impl Fn(&Change) -> (&Vec<ObjectRef>, &Vec<ObjectRef>),
    ) -> Result<Self, Refusal> {
        let mut objects = HashMap::new();
        for (at, change) in changes.iter().enumerate() {
            let (written, deleted) = of(change);
            for object in written.iter().chain(deleted) {
                if let Some(other) = objects.insert(object.clone(), at).filter(|other| *other != at)
                {
                    let service = changes[other].service.clone();
                    return Err(Refusal::Claimed { object: Arc::new(object.clone()), service });
                }
            }
        }
        let deleted = changes.iter().flat_map(|change| of(change).1.iter().cloned()).collect();
        let departing = changes.iter().enumerate().flat_map(|(at, change)| {
            change.departing.iter().map(move |object| (at, object.clone()))
        });
        Ok(Self { objects, deleted, departing: departing.collect() })
    }

    /// Whether the object goes with the change that it belongs to.
    pub(super) fn goes(&self, object: &ObjectRef) -> bool {
        self.deleted.contains(object)
    }

    /// Whether the change at this position may take requests from the object, which goes after it.
    pub(super) fn succeeds(&self, at: usize, object: &Arc<ObjectRef>) -> bool {
        self.departing.contains(&(at, ObjectRef::clone(object)))
    }

    /// The position of the change that has the object; `None`: it is another owner's.
    pub(super) fn of_object(&self, object: &ObjectRef) -> Option<usize> {
        self.objects.get(object).copied()
    }

    pub(super) fn has(&self, object: &ObjectRef) -> bool {
        self.objects.contains_key(object)
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = (&ObjectRef, usize)> {
        self.objects.iter().map(|(object, at)| (object, *at))
    }
}
