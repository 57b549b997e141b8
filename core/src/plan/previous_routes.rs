use std::collections::BTreeMap;

use crate::health::Verdict;
use crate::object::{Manifest, ObjectId};

/// The routes that were there before ours: what a rollback restores while Gloo has not judged the new ones.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousRoutes {
    /// By object what it was and how Gloo judged that; `None` for one that was not there.
    pub before: BTreeMap<ObjectId, Option<(Manifest, Verdict)>>,
}

impl PreviousRoutes {
    /// Whether it says anything about this object.
    pub fn concerns(&self, id: &ObjectId) -> bool {
        self.before.contains_key(id)
    }

    /// Whether there is something to go back to.
    pub fn was_there(&self, id: &ObjectId) -> bool {
        self.before.get(id).is_some_and(Option::is_some)
    }

    /// Routes that are new may draw a warning (a VirtualService that selects no table yet does, case
    /// 02-selectors); routes that were there before may not, whether or not Gloo had judged them yet.
    pub fn is_worse(&self, id: &ObjectId, now: &Verdict) -> bool {
        match self.before.get(id) {
            Some(Some((_, before))) => now.rank() > before.rank(),
            Some(None) => matches!(now, Verdict::Rejected(_)),
            None => false,
        }
    }
}
