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
    /// Our routes would be written and reach nobody.
    #[error(
        "{0} would be selected by no VirtualService any more, and its requests would get 404; are the apiGroup and the labels right?"
    )]
    Unserved(ObjectId),
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
    if change.findings.surplus.iter().any(is_route) {
        // New routes are written before old ones go, so both are there for a while.
        let both = change.with_routes(&prepared);
        change.compare_verdicts(&before, &translate(&both, &before.memory))?;
    }
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

    /// With the new routes too.
    fn with_routes(&self, prepared: &Snapshot) -> Snapshot {
        let mut changed = prepared.clone();
        for manifest in &self.desired.routes {
            changed.upsert(manifest.object());
        }
        changed
    }

    /// With everything, and without what is to be deleted.
    fn changed(&self, prepared: &Snapshot) -> Snapshot {
        let mut changed = self.with_routes(prepared);
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

    fn compare_verdicts(&self, before: &Translation, after: &Translation) -> Result<(), Refusal> {
        let own: BTreeSet<ObjectRef> = self.own().iter().map(reference).collect();
        for (object, status) in &after.statuses {
            let known = before.statuses.get(object);
            let worse = match (own.contains(object), known) {
                (true, None) => {
                    let bearable =
                        if self.tolerates_warnings { State::Warning } else { State::Accepted };
                    status.state > bearable
                }
                // Without any VirtualService nobody's Upstream was judged before.
                (false, None) => status.state == State::Rejected,
                (true, Some(known)) => is_worse(known, status, |_| false),
                // Whoever delegated to routes that go is warned, and rightly so.
                (false, Some(known)) => is_worse(known, status, says_that_tables_are_gone),
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
                match new_complaint(&known, &complaints(proxy)) {
                    Some(complaint) => Err(Refusal::Route(complaint)),
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
        let (without, changed_without) = (strangers(live), strangers(changed));
        let known = conflict::find(before, &without).unwrap_or_default();
        let found = conflict::find(after, &changed_without).map_err(Refusal::RoutesLost)?;
        let are_served = routes(before) > routes(&without);
        if let Some(routes_of_ours) = self.desired.routes.first()
            && are_served
            && routes(after) == routes(&changed_without)
        {
            return Err(Refusal::Unserved(routes_of_ours.id().clone()));
        }
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

/// True when the state is worse, or there is a complaint more than before.
fn is_worse(before: &Status, after: &Status, is_excused: impl Fn(&str) -> bool) -> bool {
    let mut complaints_after = complaints(after);
    complaints_after.retain(|complaint| !is_excused(complaint));
    let state = match after.state {
        State::Warning if complaints_after.is_empty() => State::Accepted,
        state => state,
    };
    state > before.state || new_complaint(&complaints(before), &complaints_after).is_some()
}

/// A complaint that there are more of than before.
fn new_complaint(before: &[String], after: &[String]) -> Option<String> {
    let count = |all: &[String], one: &String| all.iter().filter(|other| *other == one).count();
    after.iter().find(|one| count(after, one) > count(before, one)).cloned()
}

/// What is wrong, each piece by itself, without counts and without the positions of routes.
fn complaints(status: &Status) -> Vec<String> {
    let lines = status.reason.lines().flat_map(|line| line.split("; Route "));
    let pieces = lines.map(|line| line.trim().trim_start_matches("* "));
    let pieces = pieces.map(|piece| piece.split(". Route Name: ").next().unwrap_or(piece));
    let counts = |piece: &str| piece.contains("occurred:") || piece.ends_with("warning:");
    let pieces = pieces.filter(|piece| !piece.is_empty() && !counts(piece));
    pieces.map(|piece| piece.trim_start_matches("Route ").to_owned()).collect()
}

fn says_that_tables_are_gone(complaint: &str) -> bool {
    complaint.ends_with("no route table matches the given selector")
        || (complaint.contains("route table ") && complaint.ends_with(" missing"))
}

fn routes(translation: &Translation) -> usize {
    translation.virtual_hosts.iter().map(|host| host.routes.len()).sum()
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
