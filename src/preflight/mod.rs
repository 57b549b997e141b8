//! What Gloo would make of a change, before it is written.
//!
//! Gloo does not protect teams from each other: one route that Envoy refuses stops updates for
//! everybody, mostly with `Accepted` in every status (gloo-conformance cases 08-weights,
//! 12-domains-duplicate, 13-undecodable). So the cluster's Gloo objects are translated as they are
//! and as they would be, and a change that would harm anybody is not made.

mod conflict;

use std::collections::BTreeSet;

use gloo::{Memory, ObjectRef, Snapshot, State, Status, Translation, translate};
use serde_json::Value;

use crate::inventory::{Manifest, ObjectId};
use crate::plan::{Desired, Findings, is_route};
use conflict::Conflict;

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One such object keeps Gloo from taking up any change of its kind.
    #[error("{object}: Gloo cannot decode it ({reason}) and would take up no change of any {} any more; correct it", object.kind)]
    Undecodable {
        /// The object.
        object: ObjectRef,
        /// What is wrong with it.
        reason: String,
    },
    /// Envoy would keep what it has, for every team.
    #[error(
        "Envoy would refuse the whole route configuration, and no team's change would reach it any more: {0}"
    )]
    WholeConfiguration(String),
    /// An object would be judged worse than now, or than it has to be.
    #[error("{object}: Gloo would say {state:?}: {reason}")]
    Verdict {
        /// The object, ours or a stranger's.
        object: ObjectRef,
        /// Warning or Rejected.
        state: State,
        /// Gloo's words.
        reason: String,
    },
    /// A route of ours would not work, which no object's status would show.
    #[error("Gloo would leave every object Accepted and yet not serve a route as written: {0}")]
    Route(String),
    /// A stranger's route would go.
    #[error("the virtual host {0} would lose routes that are not this service's")]
    RoutesLost(String),
    /// Two claim the same requests.
    #[error(transparent)]
    Conflict(Conflict),
}

/// What is known about a change that harms nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// See [`Findings::judged_upstreams`].
    pub judged_upstreams: BTreeSet<ObjectId>,
}

/// The change in question.
pub struct Change<'a> {
    /// The namespace of Gloo itself.
    pub gloo_namespace: &'a str,
    /// Every Settings, Gateway, VirtualService, RouteTable, Upstream and Service of the cluster.
    pub objects: &'a [Value],
    /// What the service should be.
    pub desired: &'a Desired,
    /// What has to be done for that.
    pub findings: &'a Findings,
    /// Whether warnings about the change's own objects are all right.
    pub tolerates_warnings: bool,
}

/// Translates the cluster's Gloo objects without and with the change and compares.
///
/// # Errors
/// The first harm found, the gravest kind first.
pub fn check(change: &Change<'_>) -> Result<Prediction, Refusal> {
    let live = change.live();
    let before = translate(&live, &Memory::default());
    let prepared = change.prepared(&live);
    let changed = change.changed(&prepared);

    let broken_before: Vec<_> = live.undecodable();
    for (object, reason) in changed.undecodable() {
        if !broken_before.iter().any(|(other, _)| *other == object) {
            return Err(Refusal::Undecodable { object, reason: reason.to_owned() });
        }
    }
    let after = translate(&changed, &before.memory);
    if let (Some(reason), None) = (&after.refused, &before.refused) {
        return Err(Refusal::WholeConfiguration(reason.clone()));
    }
    change.compare_verdicts(&before, &after)?;
    change.compare_routes(&live, &changed, &before, &after)?;

    let judged = translate(&prepared, &before.memory).statuses;
    let upstreams = change.desired.upstreams.iter().map(Manifest::id);
    let has_verdict = |id: &&ObjectId| {
        judged.get(&reference(id)).is_some_and(|status| status.state != State::Pending)
    };
    Ok(Prediction { judged_upstreams: upstreams.filter(has_verdict).cloned().collect() })
}

impl Change<'_> {
    fn live(&self) -> Snapshot {
        let mut live = Snapshot::new(self.gloo_namespace);
        for object in self.objects {
            live.upsert(object);
        }
        live
    }

    /// With everything but the new routes.
    fn prepared(&self, live: &Snapshot) -> Snapshot {
        let mut prepared = live.clone();
        for manifest in self.desired.workloads.iter().chain(&self.desired.upstreams) {
            prepared.upsert(manifest.object());
        }
        prepared
    }

    /// With everything, and without what is to be deleted.
    fn changed(&self, prepared: &Snapshot) -> Snapshot {
        let mut changed = prepared.clone();
        for manifest in &self.desired.routes {
            changed.upsert(manifest.object());
        }
        for id in &self.findings.surplus {
            remove(&mut changed, id);
        }
        changed
    }

    /// The objects of this service.
    fn own(&self) -> BTreeSet<ObjectId> {
        let desired = self.desired.manifests().map(|manifest| manifest.id().clone());
        desired.chain(self.findings.surplus.iter().cloned()).collect()
    }

    /// The worst verdict that is all right for an object of this service.
    fn bearable(&self) -> State {
        if self.tolerates_warnings { State::Warning } else { State::Accepted }
    }

    fn compare_verdicts(&self, before: &Translation, after: &Translation) -> Result<(), Refusal> {
        let own: BTreeSet<ObjectRef> = self.own().iter().map(reference).collect();
        for (object, status) in &after.statuses {
            let worse = if own.contains(object) {
                status.state > self.bearable()
            } else if self.desired.routes.is_empty() && status.state == State::Warning {
                // Whoever delegated to routes that are taken away is warned, and rightly so.
                false
            } else {
                is_worse(before.statuses.get(object), status)
            };
            if worse {
                let reason = on_one_line(&status.reason);
                let (object, state) = (object.clone(), status.state);
                return Err(Refusal::Verdict { object, state, reason });
            }
        }
        // Errors of single routes show in no object's status (case 06-subset-keys).
        match &after.proxy {
            Some(proxy) if proxy.state == State::Rejected => {
                let known = before.proxy.as_ref().map(complaints).unwrap_or_default();
                match complaints(proxy).into_iter().find(|line| !known.contains(line)) {
                    Some(line) => Err(Refusal::Route(line.to_owned())),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn compare_routes(
        &self,
        live: &Snapshot,
        changed: &Snapshot,
        before: &Translation,
        after: &Translation,
    ) -> Result<(), Refusal> {
        if after.refused.is_some() {
            // Somebody else's mistake keeps Envoy on an older configuration; the new one is moot.
            return Ok(());
        }
        let strangers = |snapshot: &Snapshot| {
            let mut without_us = snapshot.clone();
            for id in self.own().iter().filter(|id| is_route(id)) {
                remove(&mut without_us, id);
            }
            translate(&without_us, &before.memory)
        };
        let known = conflict::find(before, &strangers(live)).unwrap_or_default();
        let found = conflict::find(after, &strangers(changed)).map_err(Refusal::RoutesLost)?;
        match found.into_iter().find(|conflict| !known.contains(conflict)) {
            None => Ok(()),
            Some(mut conflict) => {
                let own = self.own();
                let foreign = self.objects.iter().filter(|object| {
                    Manifest::new((*object).clone()).is_some_and(|m| !own.contains(m.id()))
                });
                conflict.name_owner(foreign);
                Err(Refusal::Conflict(conflict))
            }
        }
    }
}

fn is_worse(before: Option<&Status>, after: &Status) -> bool {
    let Some(before) = before else { return after.state > State::Accepted };
    if after.state != before.state {
        return after.state > before.state;
    }
    let known = complaints(before);
    complaints(after).iter().any(|line| !known.contains(line))
}

/// The lines of a reason that say what is wrong, without the counting ones.
fn complaints(status: &Status) -> Vec<&str> {
    let lines = status.reason.lines().map(|line| line.trim().trim_start_matches("* "));
    let counts = |line: &str| line.contains("occurred:") || line.ends_with("warning:");
    lines.filter(|line| !line.is_empty() && !counts(line)).collect()
}

fn on_one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn reference(id: &ObjectId) -> ObjectRef {
    ObjectRef::new(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name)
}

fn remove(snapshot: &mut Snapshot, id: &ObjectId) {
    snapshot.remove(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name);
}

#[cfg(test)]
mod tests;
