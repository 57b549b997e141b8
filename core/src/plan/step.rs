use jiff::Timestamp;

use crate::object::{Manifest, ObjectId};
use crate::reason::Reason;

/// One thing to do, or to wait for.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write these; for Gloo's kinds with the status `Pending`, so that its verdict is fresh.
    Apply(Vec<Manifest>),
    /// Write these routes, and remember the ones before until Gloo has judged.
    Route(Vec<Manifest>),
    /// Write these routes, which are live and have no status, in other words that mean the same. The wait for their
    /// status goes on.
    Repeat(Vec<Manifest>),
    /// Write the routes before again, because of what Gloo said about the new ones, or because it said
    /// nothing. What Gloo did not judge may be tried again when it judges again.
    RollBack(Reason),
    /// Write these HTTPRoutes, which are to be deleted, so that no request fits any of their rules.
    Empty(Vec<ObjectId>),
    /// Delete these.
    Delete(Vec<ObjectId>),
    /// Nothing can be done now.
    Await(Wait),
}

/// A reason to wait, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// What is waited for.
    pub reason: Reason,
    /// When it is over by itself, for waits that only take time.
    pub until: Option<Timestamp>,
    /// When something is done meanwhile, for waits that the deadline ends.
    pub interrupted_at: Option<Timestamp>,
}

impl From<Reason> for Step {
    /// Waits for as long as the reason holds.
    fn from(reason: Reason) -> Self {
        Self::Await(Wait { reason, until: None, interrupted_at: None })
    }
}

impl Step {
    /// Waits until this moment.
    pub(super) fn until(moment: Timestamp, reason: Reason) -> Self {
        Self::Await(Wait { reason, until: Some(moment), interrupted_at: None })
    }

    /// Waits for as long as the reason holds, and does something at this moment.
    pub(super) fn interrupted(moment: Timestamp, reason: Reason) -> Self {
        Self::Await(Wait { reason, until: None, interrupted_at: Some(moment) })
    }
}

/// Steps in their order, without those that have nothing to do.
#[derive(Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    pub(super) fn apply(&mut self, manifests: Vec<Manifest>) {
        if !manifests.is_empty() {
            self.0.push(Step::Apply(manifests));
        }
    }

    pub(super) fn route(&mut self, routes: Vec<Manifest>) {
        if !routes.is_empty() {
            self.0.push(Step::Route(routes));
        }
    }

    pub(super) fn empty(&mut self, ids: Vec<ObjectId>) {
        if !ids.is_empty() {
            self.0.push(Step::Empty(ids));
        }
    }

    pub(super) fn delete(&mut self, ids: Vec<ObjectId>) {
        if !ids.is_empty() {
            self.0.push(Step::Delete(ids));
        }
    }

    pub(super) fn extend(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.0.extend(steps);
    }

    pub(super) fn into_vec(self) -> Vec<Step> {
        self.0
    }
}
