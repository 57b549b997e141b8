//! The safe order (design, section 5): which steps lead from what is seen to what is desired.
//!
//! [`plan`] is a pure function, asked again after every write and after every change in the cluster.
//! Only its first step is ever taken, so nothing rests on a state that is gone, and a process that
//! dies between any two steps goes on from what it finds.
//!
//! The order keeps two promises whatever is found: no route gives a version more requests than before
//! unless that version is ready and every proxy has had time to learn of its pods; and nothing that
//! could still be in use is taken away before the routes that do without it have settled.

mod backend;
mod desired;
mod guards;
mod job;
mod live_pods;
mod newcomers;
mod observation;
mod previous_routes;
mod ready;
mod repetition;
mod retention;
mod route_times;
mod route_writes;
mod step;
mod succession;
pub mod transition;

pub use backend::{Backend, Pods};
pub use desired::Desired;
pub use job::{Job, gone};
pub use live_pods::LivePods;
pub use newcomers::{Newcomers, newcomers};
pub use observation::Observation;
pub use previous_routes::PreviousRoutes;
pub use retention::{Retained, retained};
pub use route_times::RouteTimes;
pub use step::{Step, Wait};
pub use succession::{has_same_domain, takes_over, takes_over_from};

use crate::health::Verdict;
use crate::kind::Kind;
use crate::labels::SERVICE;
use crate::object::{Manifest, ObjectId};
use crate::object_state::Facts;
use crate::reason::{Reason, Subject};
use crate::traffic::Shares;
use crate::values::object_name;
use backend::Need;
use step::Steps;

/// The steps that are left, in order; none when everything is as desired and healthy.
pub fn plan(desired: &Desired, seen: &Observation) -> Vec<Step> {
    let mut steps = Steps::default();
    let (mut late, early) = desired.changed_late_and_early(&desired.workloads, seen);
    let (policies, early): (Vec<_>, Vec<_>) =
        early.into_iter().partition(|manifest| manifest.id().is_policy());
    steps.apply(early);
    steps.extend(ready::not_established(desired, seen));
    let (late_upstreams, early) = desired.changed_late_and_early(&desired.upstreams, seen);
    steps.apply(early);
    late.extend(late_upstreams);
    if !policies.is_empty() {
        steps.extend(guards::unknown_extensions(desired, seen));
        steps.apply(policies);
    }

    let routes = desired.changed(&desired.routes, seen);
    let desired_routes_change = !routes.is_empty();
    if desired_routes_change {
        if let Some(reason) = &seen.refused_routes {
            steps.extend([Reason::RolledBack(Box::new(reason.clone())).into()]);
        }
        steps.extend(blocked(seen));
        let gains = desired.gains(seen);
        steps.extend(gains.iter().filter_map(|need| need.unmet(seen)));
        steps.extend(ready::unjudged_upstreams(desired, seen));
        steps.extend(ready::unknown_to_proxies(&gains, desired, seen));
        // A domain cannot be in two VirtualServices: the one that goes makes room at the last moment.
        let others = seen.in_place.iter().find(|id| !seen.to_prune.contains(*id));
        steps.extend(others.map(|id| Reason::PredecessorGoes(id.clone()).into()));
        steps.delete(
            seen.in_place.iter().filter(|id| seen.to_prune.contains(*id)).cloned().collect(),
        );
        if route_writes::is_under_way(desired, &routes, seen) {
            steps.extend(guards::not_accepted(desired, seen));
            steps.extend(in_time(seen, Reason::ProxiesLearn));
        }
        steps.route(route_writes::next_writes(desired, routes, seen));
    }
    steps.extend(verdicts(desired, seen));
    steps.extend(guards::not_accepted(desired, seen));
    if seen.takes_over {
        // Once this service is ready the routes of the other one go.
        steps.extend(in_time(seen, Reason::ProxiesLearn));
    }

    let (old_routes, old_rest): (Vec<_>, Vec<_>) =
        seen.to_prune.iter().cloned().partition(ObjectId::is_route);
    if !seen.to_prune.is_empty() {
        steps.extend(blocked(seen));
    }
    let in_place = |id: &ObjectId| desired_routes_change && seen.in_place.contains(id);
    let leaves_requests = |id: &ObjectId| route_writes::leaves_requests(desired, id);
    if old_routes.iter().any(leaves_requests) || route_writes::has_emptied(&old_routes, seen) {
        steps.extend(followed(seen));
    }
    steps.empty(route_writes::to_empty(&old_routes, seen));
    steps.delete(old_routes.into_iter().filter(|id| !in_place(id)).collect());
    let routed: Vec<Need<'_>> = desired.routed.iter().map(Need::Everything).collect();
    steps.extend(routed.iter().filter_map(|need| need.unmet(seen)));
    if !(old_rest.is_empty() && late.is_empty()) {
        steps.extend(leaving(seen));
        // Also when this process changed no route: the one before it may have died right after.
        steps.extend(followed(seen));
        // What goes may have answered for pods that have just come.
        steps.extend(ready::unknown_to_proxies(&routed, desired, seen));
        steps.apply(late);
        // What they refer to goes when no gateway looks for it any more.
        let (policies, old_rest): (Vec<_>, Vec<_>) =
            old_rest.into_iter().partition(ObjectId::is_policy);
        steps.delete(policies);
        steps.delete(old_rest);
    }
    for pods in &desired.unrouted {
        steps.extend(Need::Rollout(pods).unmet(seen));
    }
    steps.into_vec()
}

/// What Gloo makes of the desired routes that are in the cluster.
fn verdicts(desired: &Desired, seen: &Observation) -> Option<Step> {
    let judged = desired.routes.iter().map(Manifest::id).filter(|id| !seen.changed.contains(id));
    judged.filter_map(|id| verdict(id, desired, seen)).next()
}

fn verdict(id: &ObjectId, desired: &Desired, seen: &Observation) -> Option<Step> {
    let facts = seen.objects.get(id)?;
    let object = id.clone();
    let previous = seen.previous.as_ref().filter(|previous| previous.concerns(id));
    let Some(verdict) = facts.verdict() else {
        let is_overdue = seen.overdue == Some(Subject::Object(object.clone()))
            && previous.is_some_and(|previous| previous.was_there(id));
        let gloo_namespace = seen.gloo_namespace.clone();
        let reason = Reason::NoVerdict { object, gloo_namespace, is_overdue };
        if is_overdue {
            return Some(Step::RollBack(reason));
        }
        let repeated = repetition::repetition(id, desired, seen, &reason);
        return Some(repeated.unwrap_or_else(|| reason.into()));
    };
    match verdict {
        Verdict::Accepted => return None,
        Verdict::Warning(_) if desired.tolerates_warnings => return None,
        Verdict::Warning(_) | Verdict::Rejected(_) => {}
    }
    let is_served = matches!(verdict, Verdict::Warning(_));
    let reason = |unanswered| Reason::Verdict { object, verdict: verdict.clone(), unanswered };
    let Some(previous) = previous.filter(|previous| previous.is_worse(id, verdict)) else {
        return Some(reason(None).into());
    };
    // Objects that arrive together can draw a warning about each other that is gone a moment later.
    let until = seen.settled_at();
    Some(if until > seen.now {
        Step::until(until, reason(None))
    } else if is_served && let Some(version) = nobody_answers(previous, id, facts, seen) {
        reason(Some(version)).into()
    } else {
        Step::RollBack(reason(None))
    })
}

/// A version that would get more requests by the routes before than by those that are served now, and has
/// no pods that answer. Pods of which no version is known are those of a version that somebody else deploys.
fn nobody_answers(
    previous: &PreviousRoutes,
    id: &ObjectId,
    now: &Facts,
    seen: &Observation,
) -> Option<String> {
    let (before, _) = previous.before.get(id)?.as_ref()?;
    let service = before.object()["metadata"]["labels"][SERVICE].as_str()?;
    let (before, now) = (Shares::read(service, before.object()), now.shares()?);
    let is_ours = |version: &str| {
        let name = object_name(service, version);
        seen.objects.keys().any(|id| id.is(Kind::Deployment) && id.name == name)
    };
    let answers = |version: &str| {
        seen.pods.answers(version) || !is_ours(version) && seen.pods.unknown_answer()
    };
    before.gains(now).find(|version| !answers(version)).map(str::to_owned)
}

/// Routes and policies that are being deleted, and are served until they are gone.
fn leaving(seen: &Observation) -> Option<Step> {
    let mut routes = seen
        .objects
        .iter()
        .filter(|(id, facts)| facts.terminating && (id.is_route() || id.is_policy()));
    let (id, _) = routes.next()?;
    Some(Reason::Leaving(id.clone()).into())
}

/// Envoy accepts new routes, and finishes what it sent elsewhere, within the settle time.
fn followed(seen: &Observation) -> Option<Step> {
    in_time(seen, Reason::RoutesSettle)
}

/// The wait until every proxy follows the routes that are there.
fn in_time(seen: &Observation, reason: Reason) -> Option<Step> {
    let until = seen.followed_at();
    (until > seen.now).then(|| Step::until(until, reason))
}

/// Envoy goes by the routes it has until somebody has repaired the mistake: new ones would not reach
/// it, and what it still uses may not go.
fn blocked(seen: &Observation) -> Option<Step> {
    Some(Reason::Blocked(seen.blocked_by.clone()?).into())
}

#[cfg(test)]
mod tests;
