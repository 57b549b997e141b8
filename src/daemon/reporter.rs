//! Reports what is requested, what passes do and how they end: in the log, in the status, in metrics and as
//! Events.

use std::sync::Arc;

use jiff::Timestamp;

use super::request::{DesiredState, ServiceRequest};
use crate::cache::Cache;
use crate::reconcile::{ReconcileEvent, ReconcileOutcome};
use crate::report::{EventReason, Events, PerVersion, Reports, State};
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::PodFacts;
use coalmine_core::reason::{Code, Hinted};
use coalmine_core::traffic::Shares;

/// Reports to people and programs.
pub(super) struct Reporter {
    pub(super) reports: Reports,
    pub(super) events: Events,
    pub(super) cache: Cache,
}

/// What the cluster has of a service, as far as it is shown.
pub(super) struct Observed {
    pods: Vec<PodFacts>,
    live: Option<Shares>,
}

impl Reporter {
    /// Reports what is requested of a service. What is new is not applied yet; of anything else only the
    /// revision is new.
    pub(super) fn requested(&self, request: &ServiceRequest, is_new: bool) {
        let (name, revision) = (request.state.name(), &request.revision);
        self.reports.status_store.valid(&name);
        self.reports.status_store.service(&name, |report| {
            report.last_attempted_revision = revision.to_string();
            if let DesiredState::Service(service) = &request.state {
                report.describe(service);
            }
            if is_new {
                report.progressing(None, "");
            } else if report.state == State::Ready {
                report.ready(revision);
            }
        });
    }

    /// What the cluster has of a service now.
    pub(super) fn observe(&self, name: &str) -> Observed {
        let objects = self.cache.of_service(name);
        let routes = objects.iter().filter(|(id, _)| id.is_route());
        let live = routes.filter_map(|(_, facts)| facts.shares()).next().cloned();
        Observed { pods: self.cache.pods(name), live }
    }

    /// Reports how a pass ended that was to apply this revision.
    pub(super) fn outcome(
        &self,
        name: &str,
        outcome: &ReconcileOutcome,
        revision: &str,
        observed: &Observed,
    ) {
        let mut event = None;
        self.reports.status_store.service(name, |report| {
            report.ready_pods = ready_pods(&report.weights, &observed.pods);
            report.observed_weights = shares(&report.weights, observed.live.as_ref());
            let before =
                (report.state, report.reason.clone(), report.last_applied_revision.clone());
            (report.remaining_drift, report.fight) = (None, None);
            match outcome {
                ReconcileOutcome::Ready => report.ready(revision),
                ReconcileOutcome::Drifted { reason, until } => {
                    report.ready(revision);
                    let shown = if until.is_some() {
                        &mut report.fight
                    } else {
                        &mut report.remaining_drift
                    };
                    *shown = Some(reason.line());
                }
                ReconcileOutcome::Waiting { reason, .. } => {
                    report.progressing(Some(reason.code()), &reason.to_string());
                    report.reason_version = reason.version().map(Into::into);
                }
                ReconcileOutcome::Stalled { reason, .. } => {
                    report.stalled(reason.code(), &reason.line());
                    report.reason_version = reason.version().map(Into::into);
                }
                ReconcileOutcome::Superseded => {}
            }
            if before == (report.state, report.reason.clone(), report.last_applied_revision.clone())
            {
                return;
            }
            match report.state {
                State::Ready => {
                    tracing::info!(service = name, revision, "ready");
                    // The first time is no news to anybody: a thousand services begin so.
                    if before.0 != State::Ready && before.2.is_some() {
                        event =
                            Some((EventReason::Ready, format!("revision {revision} is applied")));
                    }
                }
                State::Progressing => tracing::info!(service = name, "waiting: {}", report.reason),
                State::Stalled | State::Invalid => {
                    tracing::warn!(service = name, "stalled: {}", report.reason);
                    let code = report.reason_code.unwrap_or(Code::Invalid);
                    event = Some((EventReason::Stalled(code), report.reason.clone()));
                }
            }
        });
        if let Some((reason, message)) = event {
            self.about_service(name, reason, &message);
        }
    }

    /// Reports what a pass did or found.
    pub(super) fn event(&self, name: &str, revision: &str, event: ReconcileEvent) {
        let metrics = &self.reports.metrics;
        match event {
            ReconcileEvent::Applied(ids) => {
                let routes = ids.iter().filter(|id| id.is_route()).map(ToString::to_string);
                let routes: Vec<String> = routes.collect();
                if !routes.is_empty() && self.reports.status_store.was_applied(name) {
                    let message = format!("{} as revision {revision} says", routes.join(", "));
                    self.about_service(name, EventReason::Applied, &message);
                }
            }
            ReconcileEvent::Pruned(ids) => {
                for id in ids {
                    self.events.record(
                        &id,
                        None,
                        EventReason::Pruned,
                        "nothing desires it any more",
                    );
                }
            }
            ReconcileEvent::RolledBack(reason) => {
                let reason = reason.line();
                tracing::warn!(service = name, "rolled back to the previous routes: {reason}");
                self.about_service(name, EventReason::RolledBack, &reason);
            }
            ReconcileEvent::Refused(error) => {
                metrics.preflight_refused();
                self.about_service(name, EventReason::Refused, &error.line());
            }
            ReconcileEvent::Drift(deviation) => {
                tracing::warn!(service = name, "{deviation}");
                let kind = &deviation.object.kind;
                metrics.drift_found(name, kind);
                let reason = if deviation.repaired {
                    metrics.drift_repaired(name, kind);
                    EventReason::DriftRepaired
                } else {
                    EventReason::DriftFound
                };
                self.about(&deviation.object, reason, &deviation.to_string());
                let drift = deviation.summary(Timestamp::now());
                self.reports.status_store.drifted(name, drift);
            }
        }
    }

    /// An Event about a service is one about its routes, or what else there is of it.
    pub(super) fn about_service(&self, name: &str, reason: EventReason, message: &str) {
        let objects = self.cache.of_service(name);
        let routes = objects.keys().find(|id| id.is_route());
        if let Some(id) = routes.or_else(|| objects.keys().next()) {
            self.about(id, reason, message);
        }
    }

    fn about(&self, id: &ObjectId, reason: EventReason, message: &str) {
        let uid: Option<Arc<str>> = self.cache.object(id).map(|facts| facts.uid);
        self.events.record(id, uid.as_deref(), reason, message);
    }
}

/// The shares that the routes in the cluster give, of those versions that they name.
fn shares(versions: &PerVersion<u8>, live: Option<&Shares>) -> PerVersion<u8> {
    versions.filter_map(|version, _| u8::try_from(live?.get(version)?).ok())
}

/// How many pods of each version are ready, of those versions whose pods are known.
fn ready_pods(versions: &PerVersion<u8>, pods: &[PodFacts]) -> PerVersion<u32> {
    versions.filter_map(|version, _| {
        let mut own = pods.iter().filter(|pod| *pod.version == *version).peekable();
        own.peek()?;
        u32::try_from(own.filter(|pod| pod.ready_since.is_some()).count()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;
    use coalmine_core::traffic::Traffic;

    #[test]
    fn the_observed_shares_are_those_of_the_routes_that_are_there() {
        let service = service(
            "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        );
        let wanted = PerVersion::of_weights(&Traffic::of(&service));
        let live: Shares = [("v1", 90), ("v3", 10)].into_iter().collect();
        let told: Vec<_> =
            shares(&wanted, Some(&live)).iter().map(|it| (it.0.to_owned(), it.1)).collect();
        assert_eq!(told, [("v1".to_owned(), 90)]);
        assert_eq!(shares(&wanted, None), PerVersion::default());
    }

    #[test]
    fn ready_pods_are_counted_for_each_version_that_has_pods() {
        let pod = |version: &str, is_ready: bool| PodFacts {
            name: "pod".into(),
            version: version.into(),
            ready_since: is_ready.then_some(Timestamp::UNIX_EPOCH),
            trouble: None,
            ..PodFacts::default()
        };
        let service = service(
            "deployment: {v1: {}, v2: {}, v3: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        );
        let pods = [pod("v1", true), pod("v2", false), pod("v1", true), pod("v0", true)];
        let ready = ready_pods(&PerVersion::of_weights(&Traffic::of(&service)), &pods);
        assert_eq!(ready.iter().collect::<Vec<_>>(), [("v1", 2), ("v2", 0)]);
    }
}
