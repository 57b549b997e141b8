//! Whether a version is ready for requests.

use super::backend::{Backend, Need, Pods};
use super::desired::Desired;
use super::observation::Observation;
use super::route_times::after;
use super::step::Step;
use crate::health::{Health, Shortfall, Verdict};
use crate::kind::Kind;
use crate::object::ObjectId;
use crate::object_state::Detail;
use crate::reason::{PodsNotReady, Reason};
use crate::traffic::Shares;

impl Need<'_> {
    /// The wait for it, or nothing when it holds.
    pub(super) fn unmet(self, seen: &Observation) -> Option<Step> {
        let reason = match self {
            Self::Everything(Backend::Upstream(id)) => {
                let is_there = seen.object(id).is_some_and(|facts| !facts.terminating);
                (!is_there).then(|| Reason::UpstreamMissing(id.clone()))
            }
            Self::Everything(Backend::Pods(pods)) => {
                rollout(pods, seen).or_else(|| reachable(pods, seen, true))
            }
            Self::Rollout(pods) => rollout(pods, seen),
            Self::Answers(pods) => reachable(pods, seen, false),
        };
        reason.map(Step::from)
    }
}

fn rollout(pods: &Pods, seen: &Observation) -> Option<Reason> {
    if !pods.ours {
        return None;
    }
    let (shortfall, has_failed) = match seen.detail(&pods.deployment) {
        Some(Detail::Deployment { health: Health::Ready, .. }) => return None,
        Some(Detail::Deployment { health: Health::Waiting(lacks), .. }) => (lacks.clone(), false),
        Some(Detail::Deployment { health: Health::Failed(lacks), .. }) => (lacks.clone(), true),
        _ => (Shortfall::Missing, false),
    };
    let Pods { version, selector, deployment, .. } = pods;
    let applied = seen.applied_routes();
    let applied = applied.as_ref();
    let mut used = applied.into_iter().flat_map(Shares::used);
    let answering = used.find(|other| other != version && seen.pods.answers(other));
    Some(Reason::PodsNotReady(Box::new(PodsNotReady {
        deployment: deployment.clone(),
        version: version.clone(),
        selector: selector.clone(),
        shortfall,
        has_failed,
        trouble: seen.pods.trouble(pods).cloned(),
        share: applied.map_or(0, |shares| shares.share(version)),
        by_header: applied.is_some_and(|shares| shares.is_header_target(version)),
        is_primary: applied.is_some_and(|shares| shares.primary() == Some(version)),
        answering: answering.map(str::to_owned),
    })))
}

/// Whether the v1 Endpoints of the Services that the gateway reads hold the version's ready pods: all of
/// them, or at least one.
fn reachable(pods: &Pods, seen: &Observation, all: bool) -> Option<Reason> {
    if pods.parked {
        return None;
    }
    let (ready, known) = seen.pods.ready_and_reachable(pods);
    if ready > 0 && (known == ready || known > 0 && !all) {
        return None;
    }
    let Pods { version, selector, service, endpoints, .. } = pods;
    let service = endpoints.last().unwrap_or(service);
    Some(Reason::NotInEndpoints {
        endpoints: ObjectId::of(Kind::Endpoints, service.namespace.as_deref(), &service.name),
        version: version.clone(),
        selector: selector.clone(),
        missing: (ready > 0).then_some(ready - known),
    })
}

/// CustomResourceDefinitions that the API server does not serve.
pub(super) fn not_established(desired: &Desired, seen: &Observation) -> Option<Step> {
    let ids = desired.workloads.iter().map(|manifest| manifest.id());
    let mut ids = ids.filter(|id| id.is(Kind::CustomResourceDefinition));
    let reason = ids.find_map(|id| match seen.detail(id) {
        Some(Detail::Definition { established: true, .. }) => None,
        Some(Detail::Definition { refused, .. }) => {
            Some(Reason::NotEstablished { object: id.clone(), refused: refused.clone() })
        }
        _ => Some(Reason::NotEstablished { object: id.clone(), refused: None }),
    });
    reason.map(Step::from)
}

/// Upstreams that Gloo does not accept, or has not judged.
pub(super) fn unjudged_upstreams(desired: &Desired, seen: &Observation) -> Option<Step> {
    let ids = desired.upstreams.iter().map(|manifest| manifest.id());
    let mut ids = ids.filter(|id| seen.judged_upstreams.contains(id));
    let reason = ids.find_map(|id| {
        let object = id.clone();
        match seen.object(id).and_then(|facts| facts.verdict()) {
            Some(Verdict::Accepted) => None,
            Some(verdict) => {
                let verdict = verdict.clone();
                Some(Reason::Verdict { object, verdict, unanswered: None })
            }
            None => {
                let gloo_namespace = seen.gloo_namespace.clone();
                Some(Reason::NoVerdict { object, gloo_namespace, is_overdue: false })
            }
        }
    });
    reason.map(Step::from)
}

/// Endpoints take another way to Envoy than routes do, and a slower one (gloo.md: up to 3.6 s against
/// 2.5 s), so a version that gets requests for the first time must have been in the Endpoints for the
/// settle time, and Gloo must have judged its Upstreams that long ago. Of a version that only has to
/// answer, one pod must have been there so long: a primary whose pods have all just come had none to
/// answer its share. All these objects carry their times themselves, so a process that was
/// restarted waits no less. A service without routes has no requests to lose, unless it takes over those of another.
pub(super) fn unknown_to_proxies(
    needs: &[Need<'_>],
    desired: &Desired,
    seen: &Observation,
) -> Option<Step> {
    if !seen.takes_over {
        seen.applied_routes()?;
    }
    let mut youngest = None;
    for need in needs {
        youngest = youngest.max(match need {
            // Its Deployment tells of new pods even while the watches of pods and Endpoints still
            // show those of a Deployment of that name that is gone.
            Need::Everything(Backend::Pods(pods)) => {
                let deployment = seen.objects.get(&pods.deployment);
                let rolled_out = deployment.and_then(|facts| facts.changed_at);
                seen.pods.reachable_since(pods).max().flatten().max(rolled_out)
            }
            Need::Answers(pods) => seen.pods.reachable_since(pods).min().flatten(),
            Need::Everything(Backend::Upstream(_)) | Need::Rollout(_) => None,
        });
    }
    for manifest in &desired.upstreams {
        let facts = seen.objects.get(manifest.id());
        youngest = youngest.max(facts.and_then(|facts| facts.changed_at));
    }
    // Kubernetes cuts off the fraction of a second.
    let until = after(after(youngest?, seen.settle), std::time::Duration::from_secs(1));
    (until > seen.now).then(|| Step::until(until, Reason::ProxiesLearn))
}
