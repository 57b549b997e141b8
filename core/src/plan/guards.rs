//! Policies that keep requests from rules: they have to work before a rule can be reached.

use super::desired::Desired;
use super::observation::Observation;
use super::route_times::after;
use super::step::Step;
use crate::health::Verdict;
use crate::kind::Kind;
use crate::object::ObjectId;
use crate::reason::Reason;

/// The wait for a policy that is not accepted. One that is changed is written first, and judged then.
pub(super) fn not_accepted(desired: &Desired, seen: &Observation) -> Option<Step> {
    let mut policies = policies(desired).filter(|id| !seen.changed.contains(*id));
    let reason = policies.find_map(|id| {
        let object = id.clone();
        match seen.object(id).and_then(|facts| facts.verdict()) {
            Some(Verdict::Accepted) => None,
            Some(verdict) => {
                Some(Reason::Verdict { object, verdict: verdict.clone(), unanswered: None })
            }
            None => {
                let gloo_namespace = seen.gloo_namespace.clone();
                Some(Reason::NoVerdict { object, gloo_namespace, is_overdue: false })
            }
        }
    });
    reason.map(Step::from)
}

/// The wait until the controller knows what policies refer to. It reads each kind by a watch of its own, and a policy that
/// comes before what it names is answered with 500 for all that it is for. Kubernetes cuts off the fraction of a second.
pub(super) fn unknown_extensions(desired: &Desired, seen: &Observation) -> Option<Step> {
    let ids = desired.workloads.iter().map(|manifest| manifest.id());
    let ids = ids.filter(|id| id.is(Kind::GatewayExtension));
    let changed = ids.filter_map(|id| seen.object(id)?.changed_at);
    let until = after(after(changed.max()?, seen.settle), std::time::Duration::from_secs(1));
    (until > seen.now).then(|| Step::until(until, Reason::ProxiesLearn))
}

fn policies(desired: &Desired) -> impl Iterator<Item = &ObjectId> {
    desired.workloads.iter().map(|manifest| manifest.id()).filter(|id| id.is_policy())
}
