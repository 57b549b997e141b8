use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::Facts;
use coalmine_core::plan::PreviousRoutes;
use coalmine_core::reason::Reason;

/// The routes before the present ones, and those that were given up for them.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Rollback {
    /// The routes before, while Gloo has not judged the present ones.
    previous: Option<Arc<PreviousRoutes>>,
    /// The digest of the routes that were rolled back, and why.
    refused: Option<(Digest, Reason)>,
}

impl Rollback {
    /// The routes before, while there is a rollback to them.
    pub(in crate::reconcile) fn previous(&self) -> Option<&Arc<PreviousRoutes>> {
        self.previous.as_ref()
    }

    /// New routes are about to take the place of these.
    pub(in crate::reconcile) fn remember(&mut self, previous: PreviousRoutes) {
        self.previous = Some(Arc::new(previous));
    }

    /// Forgets the routes before, once Gloo has accepted those that are there.
    pub(in crate::reconcile) fn settle(
        &mut self,
        changed: &BTreeSet<ObjectId>,
        objects: &BTreeMap<ObjectId, Facts>,
    ) {
        self.previous.take_if(|previous| is_accepted(previous, changed, objects));
    }

    /// The routes with this digest are given up, and not tried again. The rollback stays until it was taken, so
    /// that what fails half-way is done again.
    pub(in crate::reconcile) fn refuse(&mut self, routes: Digest, reason: Reason) {
        self.refused = Some((routes, reason));
    }

    /// The routes before are there again.
    pub(in crate::reconcile) fn is_done(&mut self) {
        self.previous = None;
    }

    /// Why routes with this digest are not tried again.
    pub(in crate::reconcile) fn refusal(&self, routes: Digest) -> Option<&Reason> {
        self.refused.as_ref().filter(|(refused, _)| *refused == routes).map(|(_, reason)| reason)
    }

    /// Gloo has a verdict on everything: what it had none on may be tried again.
    pub(in crate::reconcile) fn gloo_answers(&mut self) {
        self.refused.take_if(|(_, reason)| !reason.is_verdict());
    }
}

/// Whether Gloo has judged the routes that are there, and likes them no less than those of before:
/// there is no need to go back any more, also if something else is desired by now. Routes that are
/// still those of before say nothing, unless they are desired.
fn is_accepted(
    previous: &PreviousRoutes,
    changed: &BTreeSet<ObjectId>,
    objects: &BTreeMap<ObjectId, Facts>,
) -> bool {
    previous.before.iter().all(|(id, before)| {
        let Some(facts) = objects.get(id) else { return false };
        let is_new = before.as_ref().is_none_or(|(routes, _)| facts.owned != routes.digest());
        (is_new || !changed.contains(id))
            && facts.verdict().is_some_and(|verdict| !previous.is_worse(id, verdict))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use coalmine_core::health::Verdict;
    use coalmine_core::labels::{FIELD_MANAGER, INSTANCE};
    use coalmine_core::object::Manifest;
    use coalmine_core::object_state::identify;

    #[test]
    fn there_is_no_rollback_to_before_routes_that_gloo_has_accepted_since() {
        let table = |version: &str, state: &str| {
            let labels = json!({format!("f:{INSTANCE}"): {}});
            json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable", "spec": {"routes": [version]},
                "metadata": {"name": "echo", "namespace": "echo", "labels": {INSTANCE: "default"},
                    "managedFields": [{"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1":
                        {"f:metadata": {"f:labels": labels}, "f:spec": {"f:routes": {}}}}]},
                "status": {"statuses": {"gloo-system": {"state": state}}}})
        };
        let id = identify(&table("v1", ""), "gateway.solo.io/v1", "RouteTable");
        let accepted = |live: &Value, before: Option<&Value>| {
            let before = before.map(|routes| {
                let mut routes = routes.clone();
                routes["metadata"].as_object_mut().unwrap().remove("managedFields");
                (Manifest::new(routes).expect("named"), Verdict::Accepted)
            });
            let objects = [(id.clone(), Facts::of(live, "default", "gloo-system"))].into();
            let mut rollback = Rollback::default();
            rollback.remember(PreviousRoutes { before: [(id.clone(), before)].into() });
            rollback.settle(&[id.clone()].into(), &objects);
            rollback.previous().is_none()
        };
        let (old, new) = (table("v1", "Accepted"), table("v2", "Accepted"));
        assert!(accepted(&new, Some(&old)) && accepted(&new, None));
        assert!(!accepted(&table("v2", "Rejected"), Some(&old)));
        assert!(!accepted(&table("v2", "Pending"), None));
        // The new ones may have been written, and not be seen yet.
        assert!(!accepted(&old, Some(&old)));
    }

    #[test]
    fn routes_without_a_verdict_are_tried_again_when_gloo_answers_and_rejected_ones_are_not() {
        let object = ObjectId::new("v1", "RouteTable", Some("echo"), "echo");
        let silent = Reason::NoVerdict {
            object: object.clone(),
            gloo_namespace: "gloo-system".into(),
            is_overdue: true,
        };
        let verdict = Verdict::Rejected("no".into());
        let rejected = Reason::Verdict { object, verdict, unanswered: None };
        let (routes, others) = (Digest::of(&json!(1)), Digest::of(&json!(2)));
        let mut rollback = Rollback::default();
        for (reason, stays) in [(silent, false), (rejected, true)] {
            rollback.refuse(routes, reason.clone());
            assert_eq!(rollback.refusal(routes), Some(&reason));
            assert_eq!(rollback.refusal(others), None);
            rollback.gloo_answers();
            assert_eq!(rollback.refusal(routes).is_some(), stays);
        }
    }
}
