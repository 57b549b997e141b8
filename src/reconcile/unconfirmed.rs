//! Writes of which nobody knows whether they were done, because the answer did not come.

use super::observe::Comparison;
use super::{Pass, PassError};
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::{PreviousRoutes, Step};

impl Pass<'_> {
    /// Takes the step. What has no answer may have been done all the same, and the watches may tell of it
    /// late: routes that are seen in the cluster need not be those that are there. A pass that is dropped or
    /// panics meanwhile has no answer either.
    pub(super) async fn attempt(
        &mut self,
        step: &Step,
        comparison: &Comparison,
    ) -> Result<(), PassError> {
        let ids = written_by(step, self.memory.rollback.previous().map(AsRef::as_ref));
        self.memory.unconfirmed.begin(ids.iter().cloned());
        let taken = self.take(step, comparison).await;
        let is_unanswered = matches!(&taken, Err(PassError::Cluster(error))
            if error.is_unconfirmed());
        if !is_unanswered {
            self.memory.unconfirmed.confirm(&ids);
        }
        taken
    }

    /// Looks what became of such writes, before anything rests on them.
    pub(super) async fn clear_doubts(&mut self) -> Result<(), PassError> {
        let reconciler = self.reconciler;
        while let Some(id) = self.memory.unconfirmed.first().cloned() {
            match reconciler.cluster.get(&id).await? {
                Some(object) => {
                    // Of somebody else's the watch may never tell that they are gone.
                    if matches!(Claim::on(&object, &reconciler.instance), Claim::Ours(_)) {
                        reconciler.cache.record(&object);
                    }
                }
                None => reconciler.cache.record_deletion(&id),
            }
            self.memory.unconfirmed.confirm([&id]);
        }
        Ok(())
    }
}

fn written_by(step: &Step, previous: Option<&PreviousRoutes>) -> Vec<ObjectId> {
    match step {
        Step::Apply(manifests) | Step::Route(manifests) | Step::Repeat(manifests) => {
            manifests.iter().map(Manifest::id).cloned().collect()
        }
        Step::RollBack(_) => {
            previous.into_iter().flat_map(|it| it.before.keys().cloned()).collect()
        }
        Step::Delete(ids) | Step::Empty(ids) => ids.clone(),
        Step::Await(_) => Vec::new(),
    }
}
