use std::collections::BTreeSet;

use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::preflight::Prediction;
use coalmine_core::reason::Blocker;

/// What the preflight said last, and of which job in which surroundings.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Clearance {
    /// The job that was admitted, and the surroundings in which it was.
    admitted: Option<(Digest, u64)>,
    prediction: Prediction,
    /// Whether changes would not have reached Envoy in earlier surroundings, and the preflight was not asked
    /// since.
    was_blocked: bool,
}

/// What an admission changes about the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reconcile) enum Effect {
    /// The plan is the same.
    None,
    /// Another plan has to be made.
    Replan,
    /// Also, changes reach Envoy again.
    Unblocked,
}

impl Clearance {
    /// Whether the job is admitted in these surroundings.
    pub(in crate::reconcile) fn holds(&self, surroundings: (Digest, u64)) -> bool {
        self.admitted == Some(surroundings)
    }

    /// The surroundings may be others. What kept changes from Envoy in the old ones may be repaired; the
    /// preflight says so before anything is written.
    pub(in crate::reconcile) fn enter(&mut self, surroundings: (Digest, u64)) {
        if !self.holds(surroundings) {
            self.was_blocked |= self.prediction.blocked_by.take().is_some();
        }
    }

    /// Takes what the preflight said of a job that it admitted.
    pub(in crate::reconcile) fn admit(
        &mut self,
        surroundings: (Digest, u64),
        prediction: Prediction,
    ) -> Effect {
        self.admitted = Some(surroundings);
        let is_free = prediction.blocked_by.is_none() && std::mem::take(&mut self.was_blocked);
        let is_new = prediction != self.prediction;
        self.prediction = prediction;
        match (is_free, is_new) {
            (true, _) => Effect::Unblocked,
            (false, true) => Effect::Replan,
            (false, false) => Effect::None,
        }
    }

    /// The routes before are about to be applied, which is what no job of the service asks for.
    pub(in crate::reconcile) fn admit_rollback(&mut self, job: Digest) {
        self.admitted = Some((job, 0));
    }

    /// Ends the admission of another job; true if there was one.
    pub(in crate::reconcile) fn end_unless(&mut self, job: Digest) -> bool {
        self.admitted.take_if(|(admitted, _)| *admitted != job).is_some()
    }

    /// Ends the admission; true if there was one.
    pub(in crate::reconcile) fn end(&mut self) -> bool {
        self.admitted.take().is_some()
    }

    /// Upstreams on which Gloo will give a verdict before the new routes are there.
    pub(in crate::reconcile) fn judged_upstreams(&self) -> &BTreeSet<ObjectId> {
        &self.prediction.judged_upstreams
    }

    /// Why changes of routes would not reach Envoy.
    pub(in crate::reconcile) fn blocked_by(&self) -> Option<&Blocker> {
        self.prediction.blocked_by.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gloo::ObjectRef;
    use serde_json::json;

    use super::*;

    fn blocked() -> Prediction {
        let object = Arc::new(ObjectRef::new("RouteTable", "golf", "golf"));
        let gateway = Arc::new(ObjectRef::new("Gateway", "gloo-system", "gateway-proxy"));
        let blocked_by = Some(Blocker::Frozen { object, gateway, words: "no".into() });
        Prediction { blocked_by, ..Prediction::default() }
    }

    fn job(number: u8) -> Digest {
        Digest::of(&json!(number))
    }

    #[test]
    fn a_blocker_is_forgotten_in_other_surroundings_and_its_end_is_noticed_once() {
        let mut clearance = Clearance::default();
        assert_eq!(clearance.admit((job(1), 1), blocked()), Effect::Replan);
        assert_eq!(clearance.admit((job(1), 1), blocked()), Effect::None);
        clearance.enter((job(1), 1));
        assert!(clearance.blocked_by().is_some(), "the surroundings are the same");
        clearance.enter((job(1), 2));
        assert!(clearance.blocked_by().is_none() && !clearance.holds((job(1), 2)));
        assert_eq!(clearance.admit((job(1), 2), Prediction::default()), Effect::Unblocked);
        assert_eq!(clearance.admit((job(1), 3), Prediction::default()), Effect::None);
    }

    #[test]
    fn a_blocker_that_is_still_there_in_other_surroundings_is_no_news() {
        let mut clearance = Clearance::default();
        clearance.admit((job(1), 1), blocked());
        clearance.enter((job(1), 2));
        assert_eq!(clearance.admit((job(1), 2), blocked()), Effect::Replan);
        clearance.enter((job(1), 3));
        assert_eq!(clearance.admit((job(1), 3), Prediction::default()), Effect::Unblocked);
    }

    #[test]
    fn an_admission_ends_with_its_job() {
        let mut clearance = Clearance::default();
        assert!(!clearance.end_unless(job(1)) && !clearance.end());
        clearance.admit((job(1), 1), Prediction::default());
        assert!(!clearance.end_unless(job(1)) && clearance.end_unless(job(2)));
        clearance.admit_rollback(job(3));
        assert!(clearance.end_unless(job(1)) && !clearance.end());
    }
}
