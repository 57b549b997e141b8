use std::collections::BTreeMap;

use jiff::Timestamp;

use coalmine_core::health::Verdict;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::Facts;
use coalmine_core::plan::RouteTimes;

/// The routes of a service and the policies that guard them as they were seen last, and since when they are so, whoever
/// changed them. A write of ours whose answer was lost shows in this way too.
#[derive(Debug)]
pub(in crate::reconcile) struct RouteWatch {
    last: BTreeMap<ObjectId, RouteState>,
    times: RouteTimes,
}

#[derive(Debug, PartialEq)]
struct RouteState {
    /// What of them is ours.
    owned: Digest,
    /// Whether they are being deleted.
    terminating: bool,
    /// The rank of Gloo's verdict.
    rank: Option<u8>,
}

impl RouteState {
    fn of(facts: &Facts) -> Self {
        let Facts { owned, terminating, .. } = *facts;
        Self { owned, terminating, rank: facts.verdict().map(Verdict::rank) }
    }

    fn has_same_content(&self, other: &Self) -> bool {
        (self.owned, self.terminating) == (other.owned, other.terminating)
    }
}

impl RouteWatch {
    /// No routes; those that are seen first count as changed then.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { last: BTreeMap::new(), times: RouteTimes::since(now) }
    }

    /// Compares the routes with those that were seen last.
    pub(in crate::reconcile) fn observe(
        &mut self,
        objects: &BTreeMap<ObjectId, Facts>,
        now: Timestamp,
    ) {
        let routes = objects.iter().filter(|(id, _)| id.is_route() || id.is_guard());
        let routes: BTreeMap<_, _> =
            routes.map(|(id, facts)| (id.clone(), RouteState::of(facts))).collect();
        if routes == self.last {
            return;
        }
        self.times.judged_at = now;
        let is_same = |(id, state): (&ObjectId, &RouteState)| {
            self.last.get(id).is_some_and(|known| known.has_same_content(state))
        };
        if routes.len() != self.last.len() || !routes.iter().all(is_same) {
            self.times.changed_at = now;
        }
        self.last = routes;
    }

    /// What is there reaches Envoy only from now on.
    pub(in crate::reconcile) fn restart(&mut self, now: Timestamp) {
        self.times.judged_at = now;
    }

    /// They were written again in other words.
    pub(in crate::reconcile) fn repeated(&mut self, now: Timestamp) {
        self.times.repeated_at = now;
    }

    /// Whether Gloo has a verdict on all routes that were seen last.
    pub(in crate::reconcile) fn all_judged(&self) -> bool {
        let mut routes = self.last.iter().filter(|(id, _)| id.is_route());
        routes.all(|(_, state)| state.rank.is_some())
    }

    /// When they changed.
    pub(in crate::reconcile) fn times(&self) -> RouteTimes {
        self.times
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn seen(state: &str) -> BTreeMap<ObjectId, Facts> {
        let object = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": "echo-routes", "namespace": "echo"},
            "status": {"statuses": {"gloo-system": {"state": state}}}});
        let id = ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes");
        [(id, Facts::of(&object, "default", "gloo-system"))].into()
    }

    #[test]
    fn routes_that_gloo_accepts_after_it_had_rejected_them_are_served_from_then_on() {
        let mut watch = RouteWatch::new(second(0));
        let mut judged = |state: &str, now: i64| {
            watch.observe(&seen(state), second(now));
            (watch.times().changed_at, watch.times().judged_at, watch.all_judged())
        };
        assert_eq!(judged("Pending", 1), (second(1), second(1), false));
        assert_eq!(judged("Rejected", 2), (second(1), second(2), true));
        assert_eq!(judged("Rejected", 3), (second(1), second(2), true));
        assert_eq!(judged("Accepted", 9), (second(1), second(9), true));
    }

    #[test]
    fn policies_that_change_count_and_are_none_to_judge() {
        let object = |kind: &str| {
            json!({"apiVersion": "gateway.kgateway.dev/v1alpha1", "kind": kind,
                "metadata": {"name": "echo", "namespace": "echo"}})
        };
        let mut watch = RouteWatch::new(second(0));
        let mut objects = seen("Accepted");
        for (at, kind) in [(1, "GatewayExtension"), (2, "TrafficPolicy")] {
            let id = ObjectId::new("gateway.kgateway.dev/v1alpha1", kind, Some("echo"), "echo");
            objects.insert(id, Facts::of(&object(kind), "default", "gloo-system"));
            watch.observe(&objects, second(at));
            assert!(watch.times().changed_at == second(at) && watch.all_judged(), "{kind}");
        }
        objects.retain(|id, _| id.is_route());
        watch.observe(&objects, second(5));
        let times = RouteTimes { repeated_at: second(0), ..RouteTimes::since(second(5)) };
        assert_eq!(watch.times(), times);
    }

    #[test]
    fn routes_that_go_have_changed() {
        let mut watch = RouteWatch::new(second(0));
        watch.observe(&seen("Accepted"), second(1));
        watch.observe(&BTreeMap::new(), second(5));
        let times = RouteTimes { repeated_at: second(0), ..RouteTimes::since(second(5)) };
        assert_eq!(watch.times(), times);
    }

    #[test]
    fn routes_that_reach_envoy_late_are_no_other_routes() {
        let mut watch = RouteWatch::new(second(0));
        watch.observe(&seen("Accepted"), second(1));
        watch.restart(second(7));
        let times = RouteTimes { changed_at: second(1), ..RouteTimes::since(second(7)) };
        assert_eq!(watch.times(), RouteTimes { repeated_at: second(0), ..times });
        // Nor are those that say the same in other words.
        watch.repeated(second(9));
        assert_eq!(watch.times(), RouteTimes { repeated_at: second(9), ..times });
    }
}
