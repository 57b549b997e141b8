//! Which of several changes an object belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use gloo::ObjectRef;

use super::change::Change;
use crate::reason::Refusal;

/// The objects of the changes at hand, each with the position of its change.
pub(super) struct Owners(HashMap<ObjectRef, usize>);

impl Owners {
    /// # Errors
    /// An object that two of the changes have.
    pub(super) fn of(changes: &[Arc<Change>]) -> Result<Self, Refusal> {
        let mut owners = HashMap::new();
        for (at, change) in changes.iter().enumerate() {
            for object in change.own() {
                if let Some(other) = owners.insert(object.clone(), at).filter(|other| *other != at)
                {
                    let service = changes[other].service.clone();
                    return Err(Refusal::Claimed { object: Arc::new(object.clone()), service });
                }
            }
        }
        Ok(Self(owners))
    }

    /// The position of the change that has the object; `None`: it is another owner's.
    pub(super) fn of_object(&self, object: &ObjectRef) -> Option<usize> {
        self.0.get(object).copied()
    }

    pub(super) fn has(&self, object: &ObjectRef) -> bool {
        self.0.contains_key(object)
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = (&ObjectRef, usize)> {
        self.0.iter().map(|(object, at)| (object, *at))
    }
}
