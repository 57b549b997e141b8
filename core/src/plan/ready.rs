//! Whether a version is ready for requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::desired::{Backend, Desired, Pods};
use super::observation::{Observation, after};
use super::{Step, Wait};
use crate::health::{Health, Verdict};
use crate::kind::Kind;
use crate::object::ObjectId;
use crate::object_state::{Detail, PodFacts};

/// What must hold of a version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need<'a> {
    /// Its rollout is complete, and all its ready pods can be reached.
    Everything(&'a Backend),
    /// Its rollout is complete.
    Rollout(&'a Pods),
    /// At least one pod of it can be reached.
    Answers(&'a Pods),
}

impl Need<'_> {
    /// The wait for it, or nothing when it holds.
    pub(super) fn unmet(self, seen: &Observation) -> Option<Step> {
        match self {
            Self::Everything(Backend::Upstream(id)) => {
                let is_there = seen.objects.get(id).is_some_and(|facts| !facts.terminating);
                let advice = "the routes stay as they were; create it, or name another".into();
                (!is_there).then(|| Step::Await(Wait::on(id, "it does not exist".into(), advice)))
            }
            Self::Everything(Backend::Pods(pods)) => {
                rollout(pods, seen).or_else(|| reachable(pods, seen, true))
            }
            Self::Rollout(pods) => rollout(pods, seen),
            Self::Answers(pods) => reachable(pods, seen, false),
        }
    }
}

fn rollout(pods: &Pods, seen: &Observation) -> Option<Step> {
    if !pods.ours {
        return None;
    }
    let id = &pods.deployment;
    let health = match seen.objects.get(id).map(|facts| &facts.detail) {
        Some(Detail::Deployment { health, .. }) => health.clone(),
        _ => Health::Waiting("it does not exist".into()),
    };
    let (reason, failed) = match health {
        Health::Ready => return None,
        Health::Waiting(reason) => (reason, false),
        Health::Failed(reason) => (reason, true),
    };
    let troubles = of(pods, seen).iter().filter_map(|pod| pod.trouble.as_ref());
    let trouble = troubles.max_by_key(|trouble| trouble.lasting);
    let advice = advice(pods, seen);
    Some(Step::Await(Wait {
        lasting: failed || trouble.is_some_and(|trouble| trouble.lasting),
        ..match trouble {
            Some(trouble) => Wait::on(id, format!("{reason}: {}", trouble.words), advice),
            None => Wait::on(id, reason, advice),
        }
    }))
}

/// What to do about pods that are not ready. It is more urgent when they have requests already.
fn advice(pods: &Pods, seen: &Observation) -> String {
    let Pods { version, selector, .. } = pods;
    let look = format!("look at the pods with `kubectl describe pods -l {selector}`");
    let in_force = seen.routes_in_force();
    let share = in_force.map_or(0, |shares| shares.share(version));
    let by_header = in_force.is_some_and(|shares| shares.is_header_target(version));
    let has = match (share, by_header) {
        (0, false) => {
            return format!("the routes stay as they were; {look}, or push values that work");
        }
        (0, true) => "the requests with its headers".to_owned(),
        (share, _) => format!("{share} % of the requests"),
    };
    format!(
        "{version} has {has}, and other versions answer them only with `fallback: any`; give them back \
         by the commit before or with `weight: 0`, or push values that work; {look}"
    )
}

/// Whether the Service's v1 Endpoints (the ones Gloo reads) hold the version's ready pods: all of
/// them, or at least one.
fn reachable(pods: &Pods, seen: &Observation, all: bool) -> Option<Step> {
    if pods.parked {
        return None;
    }
    let ready = of(pods, seen).iter().filter(|pod| pod.ready_since.is_some());
    let ready: BTreeSet<&Arc<str>> = ready.map(|pod| &pod.name).collect();
    let known = ready.iter().filter(|name| seen.addresses.contains_key(**name)).count();
    let missing = ready.len() - known;
    let reason = match (ready.len(), known, missing) {
        (0, ..) => "no pod of it is ready".to_owned(),
        (_, _, 0) => return None,
        (_, 1.., _) if !all => return None,
        _ => format!("{missing} of its ready pods are not in the Endpoints yet"),
    };
    let (selector, service) = (&pods.selector, &pods.service);
    let id = ObjectId::of(Kind::Endpoints, service.namespace.as_deref(), &service.name);
    let advice = format!(
        "the routes stay as they were; are there ready pods with the labels {selector}, and does the Service select them?"
    );
    Some(Step::Await(Wait::on(&id, format!("{}: {reason}", pods.version), advice)))
}

/// Upstreams that Gloo does not accept, or has not judged.
pub(super) fn unjudged_upstreams(desired: &Desired, seen: &Observation) -> Option<Step> {
    let ids = desired.upstreams.iter().map(|manifest| manifest.id());
    let mut ids = ids.filter(|id| seen.judged_upstreams.contains(id));
    ids.find_map(|id| {
        let reason = match seen.objects.get(id).and_then(|facts| facts.verdict()) {
            Some(Verdict::Accepted) => return None,
            Some(Verdict::Warning(said)) => format!("Gloo says Warning: {said}"),
            Some(Verdict::Rejected(said)) => format!("Gloo says Rejected: {said}"),
            None => "Gloo has given no verdict on it yet".to_owned(),
        };
        let gloo = &seen.gloo_namespace;
        let advice = format!("does Gloo run in namespace {gloo}, and what does its log say?");
        Some(Step::Await(Wait::on(id, reason, advice)))
    })
}

/// Endpoints take another way to Envoy than routes do, and a slower one (gloo.md: up to 3.6 s against
/// 2.5 s), so a version that gets requests for the first time must have been in the Endpoints for the
/// settle time, and Gloo must have judged its Upstreams that long ago. Of a version that only has to
/// answer, one pod must have been there so long: a primary whose pods have all just come had none to
/// answer its share. All these objects carry their times themselves, so a process that was
/// restarted waits no less. A service without routes has no requests to lose.
pub(super) fn unknown_to_proxies(
    needs: &[Need<'_>],
    desired: &Desired,
    seen: &Observation,
) -> Option<Step> {
    seen.routes_in_force()?;
    let mut youngest = None;
    for need in needs {
        youngest = youngest.max(match need {
            // Its Deployment tells of new pods even while the watches of pods and Endpoints still
            // show those of a Deployment of that name that is gone.
            Need::Everything(Backend::Pods(pods)) => {
                let deployment = seen.objects.get(&pods.deployment);
                let rolled_out = deployment.and_then(|facts| facts.changed_at);
                reachable_since(pods, seen).max().flatten().max(rolled_out)
            }
            Need::Answers(pods) => reachable_since(pods, seen).min().flatten(),
            Need::Everything(Backend::Upstream(_)) | Need::Rollout(_) => None,
        });
    }
    for manifest in &desired.upstreams {
        let facts = seen.objects.get(manifest.id());
        youngest = youngest.max(facts.and_then(|facts| facts.changed_at));
    }
    // Kubernetes cuts off the fraction of a second.
    let until = after(after(youngest?, seen.settle), std::time::Duration::from_secs(1));
    (until > seen.now).then(|| {
        Step::Await(Wait {
            on: "proxies".into(),
            reason: "every proxy is given time to learn of new pods and Upstreams".into(),
            until: Some(until),
            lasting: false,
            advice: String::new(),
        })
    })
}

/// Since when each pod of a version that is ready and in the Endpoints is both.
fn reachable_since<'a>(
    pods: &Pods,
    seen: &'a Observation,
) -> impl Iterator<Item = Option<Timestamp>> + 'a {
    of(pods, seen).iter().filter_map(|pod| {
        let (ready, known) = (pod.ready_since?, *seen.addresses.get(&pod.name)?);
        Some(known.max(Some(ready)))
    })
}

fn of<'a>(pods: &Pods, seen: &'a Observation) -> &'a [PodFacts] {
    seen.pods.get(&pods.selector).map_or(&[], Vec::as_slice)
}
