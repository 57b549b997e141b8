//! Telling people what passes do and find: in the log, on the board, in metrics and as Events.

use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::ObjectId;
use crate::live::Live;
use crate::plan::is_route;
use crate::reconcile::{Deed, Standing};
use crate::report::{Events, Reason, Shown, State};

/// Who tells.
pub(super) struct Tellers {
    pub(super) shown: Shown,
    pub(super) events: Events,
    pub(super) live: Live,
}

impl Tellers {
    /// Tells where a service stands by the values of this revision, if that is new.
    pub(super) fn standing(&self, name: &str, standing: &Standing, revision: &str) {
        let mut event = None;
        self.shown.board.service(name, |report| {
            let before = (report.state, report.reason.clone(), report.revision.clone());
            (report.standing_drift, report.fight) = (None, None);
            match standing {
                Standing::Ready => report.ready(revision),
                Standing::Drifted { reason, until } => {
                    report.ready(revision);
                    let shown = if until.is_some() {
                        &mut report.fight
                    } else {
                        &mut report.standing_drift
                    };
                    *shown = Some(reason.clone());
                }
                Standing::Waiting { reason, .. } => report.progressing(reason),
                Standing::Stalled { reason, .. } => report.stalled(reason),
                Standing::Superseded => {}
            }
            if before == (report.state, report.reason.clone(), report.revision.clone()) {
                return;
            }
            match report.state {
                State::Ready => {
                    tracing::info!(service = name, revision, "ready");
                    // The first time is no news to anybody: a thousand services begin so.
                    if before.0 != State::Ready && before.2.is_some() {
                        event = Some((Reason::Ready, format!("revision {revision} is in force")));
                    }
                }
                State::Progressing => tracing::info!(service = name, "waiting: {}", report.reason),
                State::Stalled | State::Invalid => {
                    tracing::warn!(service = name, "stalled: {}", report.reason);
                    event = Some((Reason::Stalled, report.reason.clone()));
                }
            }
        });
        if let Some((reason, message)) = event {
            self.about_service(name, reason, &message);
        }
    }

    /// A newer revision asks for nothing new of a service.
    pub(super) fn still_ready(&self, name: &str, revision: &str) {
        self.shown.board.service(name, |report| {
            if report.state == State::Ready {
                report.ready(revision);
            }
        });
    }

    /// Tells what a pass did or found.
    pub(super) fn deed(&self, name: &str, revision: &str, deed: Deed) {
        let metrics = &self.shown.metrics;
        match deed {
            Deed::Applied(ids) => {
                let routes = ids.iter().filter(|id| is_route(id)).map(ToString::to_string);
                let routes: Vec<String> = routes.collect();
                if !routes.is_empty() && self.was_in_force(name) {
                    let message = format!("{} as revision {revision} says", routes.join(", "));
                    self.about_service(name, Reason::Applied, &message);
                }
            }
            Deed::Pruned(ids) => {
                for id in ids {
                    self.events.record(&id, None, Reason::Pruned, "nothing desires it any more");
                }
            }
            Deed::PutBack(reason) => {
                tracing::warn!(service = name, "put back the previous routes: {reason}");
                self.about_service(name, Reason::PutBack, &reason);
            }
            Deed::Refused(reason) => {
                metrics.preflight_refused();
                self.about_service(name, Reason::Refused, &reason);
            }
            Deed::Drift(deviation) => {
                tracing::warn!(service = name, "{deviation}");
                let kind = &deviation.object.kind;
                metrics.drift_found(name, kind);
                let reason = if deviation.repaired {
                    metrics.drift_repaired(name, kind);
                    Reason::DriftRepaired
                } else {
                    Reason::DriftFound
                };
                self.about(&deviation.object, reason, &deviation.to_string());
                let drift = deviation.summary(Timestamp::now());
                self.shown.board.service(name, |report| report.last_drift = Some(drift));
            }
        }
    }

    fn was_in_force(&self, name: &str) -> bool {
        let mut was = false;
        self.shown.board.service(name, |report| was = report.revision.is_some());
        was
    }

    /// An Event about a service is one about its routes, or what else there is of it.
    fn about_service(&self, name: &str, reason: Reason, message: &str) {
        let objects = self.live.of_service(name);
        let routes = objects.keys().find(|id| is_route(id));
        if let Some(id) = routes.or_else(|| objects.keys().next()) {
            self.about(id, reason, message);
        }
    }

    fn about(&self, id: &ObjectId, reason: Reason, message: &str) {
        let uid: Option<Arc<str>> = self.live.object(id).map(|facts| facts.uid);
        self.events.record(id, uid.as_deref(), reason, message);
    }
}
