//! The safe order (design, section 5): which steps lead from what is seen to what is desired.
//!
//! [`plan`] is a pure function, asked again after every write and after every change in the cluster.
//! Only its first step is ever taken, so nothing rests on a state that is gone, and a process that
//! dies between any two steps goes on from what it finds.
//!
//! The order keeps two promises whatever is found: no route gives a version more requests than before
//! unless that version is ready and every proxy has had time to learn of its pods; and nothing that
//! could still be in use is taken away before the routes that do without it have settled.

mod desired;
mod job;
mod observation;
mod ready;
pub mod transition;

use jiff::Timestamp;

pub use desired::{Backend, Desired, Pods};
pub use job::{Job, gone};
pub use observation::{Answering, Observation, Undo};

use crate::health::Verdict;
use crate::kind::Kind;
use crate::labels::SERVICE;
use crate::object::{Manifest, ObjectId};
use crate::object_state::Facts;
use crate::traffic::Shares;
use ready::Need;

/// One thing to do, or to wait for.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write these; for Gloo's kinds with the status `Pending`, so that its verdict is fresh.
    Apply(Vec<Manifest>),
    /// Write these routes, and remember the ones before until Gloo has judged.
    Route(Vec<Manifest>),
    /// Write the routes before again.
    PutBack {
        /// What Gloo said about the new ones, or that it said nothing.
        reason: String,
        /// Whether it was a verdict. What Gloo did not judge may be tried again when it judges again.
        is_judged: bool,
    },
    /// Delete these.
    Delete(Vec<ObjectId>),
    /// Nothing can be done now.
    Await(Wait),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// The object, or what else it is about.
    pub on: String,
    /// What is missing.
    pub reason: String,
    /// When it is over by itself, for waits that only take time.
    pub until: Option<Timestamp>,
    /// Whether it is unlikely to end without somebody's help.
    pub lasting: bool,
    /// What a person can do about it.
    pub advice: String,
}

/// The steps that are left, in order; none when everything is as desired and healthy.
pub fn plan(desired: &Desired, seen: &Observation) -> Vec<Step> {
    let mut steps = Steps::default();
    let (mut late, early) = desired.changed_late_and_early(&desired.workloads, seen);
    steps.apply(early);
    let (late_upstreams, early) = desired.changed_late_and_early(&desired.upstreams, seen);
    steps.apply(early);
    late.extend(late_upstreams);

    let routes = desired.changed(&desired.routes, seen);
    if !routes.is_empty() {
        if let Some(reason) = &seen.refused_routes {
            steps.wait(refused(&desired.routes, reason));
        }
        steps.extend(blocked(seen));
        let gains = desired.gains(seen);
        steps.extend(gains.iter().filter_map(|need| need.unmet(seen)));
        steps.extend(ready::unjudged_upstreams(desired, seen));
        steps.extend(ready::unknown_to_proxies(&gains, desired, seen));
        steps.0.push(Step::Route(routes));
    }
    steps.extend(verdicts(desired, seen));

    let (old_routes, old_rest): (Vec<_>, Vec<_>) =
        seen.surplus.iter().cloned().partition(ObjectId::is_route);
    if !seen.surplus.is_empty() {
        steps.extend(blocked(seen));
    }
    steps.delete(old_routes);
    let routed: Vec<Need<'_>> = desired.routed.iter().map(Need::Everything).collect();
    steps.extend(routed.iter().filter_map(|need| need.unmet(seen)));
    if !(old_rest.is_empty() && late.is_empty()) {
        steps.extend(leaving(seen));
        // Also when this process changed no route: the one before it may have died right after.
        steps.extend(followed(seen));
        // What goes may have answered for pods that have just come.
        steps.extend(ready::unknown_to_proxies(&routed, desired, seen));
        steps.apply(late);
        steps.delete(old_rest);
    }
    for pods in &desired.unrouted {
        steps.extend(Need::Rollout(pods).unmet(seen));
    }
    steps.0
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn apply(&mut self, manifests: Vec<Manifest>) {
        if !manifests.is_empty() {
            self.0.push(Step::Apply(manifests));
        }
    }

    fn delete(&mut self, ids: Vec<ObjectId>) {
        if !ids.is_empty() {
            self.0.push(Step::Delete(ids));
        }
    }

    fn wait(&mut self, wait: Wait) {
        self.0.push(Step::Await(wait));
    }

    fn extend(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.0.extend(steps);
    }
}

/// What Gloo makes of the desired routes that are in the cluster.
fn verdicts(desired: &Desired, seen: &Observation) -> Option<Step> {
    let judged = desired.routes.iter().map(Manifest::id).filter(|id| !seen.changed.contains(id));
    judged.filter_map(|id| verdict(id, desired, seen)).next()
}

fn verdict(id: &ObjectId, desired: &Desired, seen: &Observation) -> Option<Step> {
    let facts = seen.objects.get(id)?;
    let undo = seen.undo.as_ref().filter(|undo| undo.concerns(id));
    let gloo = &seen.gloo_namespace;
    let advice = format!("does Gloo run in namespace {gloo}, and what does its log say?");
    let Some(verdict) = facts.verdict() else {
        let is_overdue = seen.overdue.as_deref() == Some(&id.to_string());
        if is_overdue && undo.is_some_and(|undo| undo.was_there(id)) {
            let reason = format!("{id}: Gloo gave no verdict in time; {advice}");
            return Some(Step::PutBack { reason, is_judged: false });
        }
        let reason = "Gloo has given no verdict on it yet".into();
        return Some(Step::Await(Wait::on(id, reason, advice)));
    };
    let (word, said) = match verdict {
        Verdict::Accepted => return None,
        Verdict::Warning(_) if desired.tolerates_warnings => return None,
        Verdict::Warning(said) => ("Warning", said),
        Verdict::Rejected(said) => ("Rejected", said),
    };
    let reason = format!("Gloo says {word}: {said}");
    match undo {
        // Objects that arrive together can draw a warning about each other that is gone a moment
        // later.
        Some(undo) if undo.is_worse(id, verdict) => {
            let until = seen.settled_at();
            let is_served = matches!(verdict, Verdict::Warning(_));
            Some(if until > seen.now {
                Step::Await(Wait { until: Some(until), ..Wait::on(id, reason, advice) })
            } else if is_served && let Some(version) = nobody_answers(undo, id, facts, seen) {
                let reason = format!(
                    "{reason}; by the previous routes {version} would get more \
                    requests, and none of its pods is ready"
                );
                Step::Await(Wait::on(id, reason, "correct what it names".into()))
            } else {
                Step::PutBack { reason: format!("{id}: {reason}"), is_judged: true }
            })
        }
        _ => Some(Step::Await(Wait::on(id, reason, "correct what it names".into()))),
    }
}

/// A version that would get more requests by the routes before than by those that are served now, and has
/// no pods that answer. Pods of which no version is known are those of a version that somebody else deploys.
fn nobody_answers(undo: &Undo, id: &ObjectId, now: &Facts, seen: &Observation) -> Option<String> {
    let (before, _) = undo.before.get(id)?.as_ref()?;
    let service = before.object()["metadata"]["labels"][SERVICE].as_str()?;
    let (before, now) = (Shares::read(service, before.object()), now.shares()?);
    let is_ours = |version: &str| {
        let name = format!("{service}-{version}");
        seen.objects.keys().any(|id| id.is(Kind::Deployment) && id.name == name)
    };
    let answers = |version: &str| {
        seen.answering.contains(&Some(version.into()))
            || !is_ours(version) && seen.answering.contains(&None)
    };
    before.gains(now).find(|version| !answers(version)).map(str::to_owned)
}

/// Routes that are being deleted, and are served until they are gone.
fn leaving(seen: &Observation) -> Option<Step> {
    let mut routes = seen.objects.iter().filter(|(id, facts)| id.is_route() && facts.terminating);
    let (id, _) = routes.next()?;
    let advice = "does it have a finalizer, and who is to take it away?".into();
    Some(Step::Await(Wait::on(id, "it is being deleted and not gone yet".into(), advice)))
}

/// Envoy takes up new routes, and finishes what it sent elsewhere, within the settle time.
fn followed(seen: &Observation) -> Option<Step> {
    let until = seen.followed_at();
    (until > seen.now).then(|| {
        Step::Await(Wait {
            on: "routes".into(),
            reason: "they settle before anything old is taken away".into(),
            until: Some(until),
            lasting: false,
            advice: String::new(),
        })
    })
}

/// Envoy goes by the routes it has until somebody has repaired the mistake: new ones would not reach
/// it, and what it still uses may not go.
fn blocked(seen: &Observation) -> Option<Step> {
    let reason = seen.blocked_by.clone()?;
    Some(Step::Await(Wait {
        on: "Gloo".into(),
        reason,
        until: None,
        lasting: true,
        advice: "no route is changed and nothing deleted until that is repaired".into(),
    }))
}

fn refused(routes: &[Manifest], reason: &str) -> Wait {
    let on = routes.first().map(|manifest| manifest.id().to_string()).unwrap_or_default();
    Wait {
        on,
        reason: reason.to_owned(),
        until: None,
        lasting: true,
        advice: "the previous routes are in force, correct the values and push again".into(),
    }
}

impl Wait {
    fn on(id: &ObjectId, reason: String, advice: String) -> Self {
        Self { on: id.to_string(), reason, until: None, lasting: false, advice }
    }
}

#[cfg(test)]
mod tests;
