//! What is known about the source and about every service: the one truth behind the status endpoint
//! and the metrics of services.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::autopilot::AutopilotReport;
use super::gateway_requests::GatewayRequests;
use super::history::{ChangeKind, History};
use super::routes::{self, Route};
use super::service::{Drift, ServiceReport, State};
use super::survey::{Survey, Surveyed};
use super::tally::Tally;
use super::transition_times::TransitionTimes;
use crate::source::Revision;
use coalmine_core::reason::Code;
use coalmine_core::traffic::Traffic;
use coalmine_core::values::{Gateway, PLATFORM, Service};

/// The git source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// The newest commit that was accepted.
    pub accepted_revision: Option<String>,
    /// The newest commit that was fetched. Another one than `accepted_revision` was refused as a whole, and
    /// `error` says why.
    pub last_attempted_revision: Option<String>,
    /// Why the last fetch failed, or why its commit as a whole was not accepted.
    pub error: Option<String>,
    /// The commit of `accepted_revision`.
    #[serde(skip)]
    pub commit: Option<Arc<Revision>>,
}

impl SourceReport {
    /// A commit was accepted, or the branch is at the one that was, and nothing is wrong. True if
    /// something was before.
    pub fn accepted(&mut self, revision: &str) -> bool {
        self.accepted_revision = Some(revision.to_owned());
        self.last_attempted_revision = Some(revision.to_owned());
        self.error.take().is_some()
    }

    /// There is nothing new, and why; with the commit that was refused if one was fetched. True if it
    /// was not so before.
    pub fn not_accepted(&mut self, refused: Option<&str>, why: &str) -> bool {
        if let Some(revision) = refused {
            self.last_attempted_revision = Some(revision.to_owned());
        }
        self.error.replace(why.to_owned()).as_deref() != Some(why)
    }
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The git source.
    pub source: SourceReport,
    /// Whether another replica does the work, so that this one does not know how rollouts go.
    #[serde(rename = "standby")]
    pub standby: bool,
    /// The objects in `platform/`.
    pub platform: Option<ServiceReport>,
    /// Every service, by name.
    pub services: Vec<ServiceReport>,
}

/// All that is known of one service at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// Where it stands.
    #[serde(flatten)]
    pub report: ServiceReport,
    /// What its newest valid values say who gets which requests.
    pub routes: Vec<Route>,
    /// What became of it since the daemon started.
    pub history: History,
}

/// The shared status store: reconcilers write to it, the status endpoint and the metrics read it.
pub struct StatusStore {
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    content: Mutex<Stored>,
    /// Counts what was written.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct Stored {
    pub(super) source: SourceReport,
    standby: bool,
    /// When the first commit arrived that is not accepted, if there is one.
    pub(super) source_waits_since: Option<Timestamp>,
    /// Boxed, since half of the room in a tree's nodes is empty.
    pub(super) services: BTreeMap<String, Box<Entry>>,
}

pub(super) struct Entry {
    pub(super) report: ServiceReport,
    /// Why the newest values cannot be used. Older ones may still be at work meanwhile.
    invalid: Option<Invalid>,
    /// When the newest commit arrived.
    attempted_at: Timestamp,
    /// When the first commit arrived that is not applied, if there is one.
    pub(super) waits_since: Option<Timestamp>,
    transitions: TransitionTimes,
    pub(super) tally: Tally,
    /// The newest valid values, which the daemon has too.
    values: Option<Arc<Service>>,
    history: History,
}

struct Invalid {
    reason: String,
    revision: String,
}

impl Default for StatusStore {
    fn default() -> Self {
        Self::with_clock(Timestamp::now)
    }
}

impl StatusStore {
    /// A board whose times come from this clock.
    pub fn with_clock(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let changes = watch::Sender::new(0);
        Self { clock: Box::new(clock), content: Mutex::default(), changes }
    }

    /// The number of what was written so far, and when it changes. Not everything that is written says
    /// something new.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Records what the source did.
    pub fn source(&self, change: impl FnOnce(&mut SourceReport)) {
        let now = self.now();
        let content = &mut *self.content();
        change(&mut content.source);
        let refused = content.source.last_attempted_revision.is_some()
            && content.source.last_attempted_revision != content.source.accepted_revision;
        content.source_waits_since = refused.then(|| content.source_waits_since.unwrap_or(now));
        self.changed();
    }

    /// Records the commit that is being accepted: what is asked for from now on comes from it.
    pub fn takes_up(&self, revision: &Revision) {
        self.content().source.commit = Some(Arc::new(revision.clone()));
        self.changed();
    }

    /// Records whether another replica does the work.
    pub fn set_standby(&self, standby: bool) {
        self.content().standby = standby;
        self.changed();
    }

    /// Records something about one service, which is entered if it is new.
    pub fn service(&self, name: &str, change: impl FnOnce(&mut ServiceReport)) {
        let now = self.now();
        self.content().entry(name, now).change(now, |entry| change(&mut entry.report));
        self.changed();
    }

    /// Records what was asked of a service before this daemon started.
    pub fn remembers(&self, name: &str, history: History) {
        let now = self.now();
        self.content().entry(name, now).history = history;
        self.changed();
    }

    /// Records that the commit that is being accepted asks for these values, and what that means after
    /// those before; `None` when they are the same.
    pub fn asks(&self, service: &Arc<Service>, change: Option<ChangeKind>) {
        let now = self.now();
        let content = &mut *self.content();
        let commit = content.source.commit.clone();
        let entry = content.entry(service.name.as_str(), now);
        if let Some(commit) = commit {
            entry.history.asked(&commit, Some(now), service, change);
        }
        entry.values = Some(service.clone());
        self.changed();
    }

    /// Records a change by somebody else to what the values of a service say.
    pub fn drifted(&self, name: &str, drift: Drift) {
        let now = self.now();
        self.content().entry(name, now).change(now, |entry| {
            entry.report.last_drift = Some(drift.clone());
            entry.history.drifted(drift);
        });
        self.changed();
    }

    /// Records which Gateways serve each service, and what of its objects could not be judged. It says
    /// nothing about how a service is doing.
    pub fn surveyed(&self, survey: &Survey) {
        let none = Surveyed::default();
        let mut is_new = false;
        for (name, entry) in &mut self.content().services {
            let Surveyed { gateways, notes } = survey.get(name.as_str()).unwrap_or(&none);
            let report = &mut entry.report;
            if report.gateways != *gateways || report.notes != *notes {
                report.gateways.clone_from(gateways);
                report.notes.clone_from(notes);
                is_new = true;
            }
        }
        if is_new {
            self.changed();
        }
    }

    /// Records by which gateway the requests of services come that both APIs serve. Of every other service nothing is
    /// known.
    pub fn measured(&self, requests: &BTreeMap<String, Vec<GatewayRequests>>) {
        let mut is_new = false;
        for (name, entry) in &mut self.content().services {
            let requests = requests.get(name).map(Vec::as_slice).unwrap_or_default();
            if entry.report.requests != requests {
                entry.report.requests = requests.to_vec();
                is_new = true;
            }
        }
        if is_new {
            self.changed();
        }
    }

    /// Records how the autopilot of each service stands. Of every other service nothing is shown.
    pub fn piloted(&self, reports: &BTreeMap<String, AutopilotReport>) {
        let mut is_new = false;
        for (name, entry) in &mut self.content().services {
            let report = reports.get(name);
            if entry.report.autopilot.as_deref() != report {
                entry.report.autopilot = report.cloned().map(Box::new);
                is_new = true;
            }
        }
        if is_new {
            self.changed();
        }
    }

    /// The commit that made this version the canary of a service, as far as its history goes.
    pub fn started(&self, name: &str, canary: &str) -> Option<Arc<Revision>> {
        self.content().services.get(name)?.history.started(canary)
    }

    /// Whether the newest commit of a service is applied and healthy.
    pub fn is_ready(&self, name: &str) -> bool {
        let content = self.content();
        content.services.get(name).is_some_and(|entry| entry.state() == State::Ready)
    }

    /// Counts a commit that the autopilot has made of a service.
    pub fn committed(&self, name: &str, action: &'static str) {
        self.count(name, |tally| tally.committed(action));
    }

    /// The services whose newest valid values are written in both APIs.
    pub fn in_both_apis(&self) -> BTreeMap<String, Arc<Service>> {
        let content = self.content();
        let services = content.services.iter();
        let values = services.filter_map(|(name, entry)| Some((name, entry.values.as_ref()?)));
        let both = values.filter(|(_, service)| matches!(service.routes.gateway, Gateway::Both(_)));
        both.map(|(name, service)| (name.clone(), service.clone())).collect()
    }

    /// Records that the service's newest values cannot be used, and why.
    pub fn invalid(&self, name: &str, reason: String, revision: &str) {
        let now = self.now();
        let content = &mut *self.content();
        let commit = content.source.commit.clone();
        content.entry(name, now).change(now, |entry| {
            if let Some(commit) = commit {
                entry.history.erred(&commit, Some(now), &reason);
            }
            entry.invalid = Some(Invalid { reason, revision: revision.to_owned() });
        });
        self.changed();
    }

    /// Records that the service's newest values can be used.
    pub fn valid(&self, name: &str) {
        let now = self.now();
        self.content().entry(name, now).change(now, |entry| {
            if let Some(invalid) = entry.invalid.take() {
                // Whatever comes next stands for the commit that could not be used.
                entry.report.last_attempted_revision = invalid.revision;
            }
        });
        self.changed();
    }

    /// Strikes out the services that are not to stay.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.content().services.retain(|name, _| stays(name));
        self.changed();
    }

    /// Strikes out a service that is gone.
    pub fn remove(&self, name: &str) {
        self.content().services.remove(name);
        self.changed();
    }

    /// Counts something of a service. One that is not on the status store, because it is gone, is not
    /// entered again.
    pub(super) fn count(&self, name: &str, count: impl FnOnce(&mut Tally)) {
        if let Some(entry) = self.content().services.get_mut(name) {
            count(&mut entry.tally);
        }
    }

    /// Everything at this moment.
    pub fn summary(&self) -> Summary {
        let content = self.content();
        let (platform, services): (Vec<_>, Vec<_>) = content
            .services
            .values()
            .map(|entry| entry.shown())
            .partition(|r| r.service == PLATFORM);
        let platform = platform.into_iter().next();
        Summary { platform, services, ..content.overall() }
    }

    /// Everything at this moment but the platform and the services.
    pub fn overall(&self) -> Summary {
        self.content().overall()
    }

    /// All that is known of a service, or of [`PLATFORM`].
    pub fn detail(&self, name: &str) -> Option<Detail> {
        let content = self.content();
        let entry = content.services.get(name)?;
        let traffic = entry.values.as_ref().map(|values| Traffic::of(values));
        Some(Detail {
            report: entry.shown(),
            routes: traffic.as_ref().map(routes::routes).unwrap_or_default(),
            history: entry.history.clone(),
        })
    }

    /// Whether a commit of this service was ever fully applied.
    pub fn was_applied(&self, name: &str) -> bool {
        self.content()
            .services
            .get(name)
            .is_some_and(|entry| entry.report.last_applied_revision.is_some())
    }

    /// The time by the status store's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn changed(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Stored> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    fn overall(&self) -> Summary {
        Summary { source: self.source.clone(), standby: self.standby, ..Summary::default() }
    }

    fn entry(&mut self, name: &str, now: Timestamp) -> &mut Entry {
        self.services.entry(name.to_owned()).or_insert_with(|| Box::new(Entry::new(name, now)))
    }
}

impl Entry {
    fn new(name: &str, now: Timestamp) -> Self {
        let service = name.to_owned();
        Self {
            report: ServiceReport { service, since: now, ..ServiceReport::default() },
            invalid: None,
            attempted_at: now,
            waits_since: None,
            transitions: TransitionTimes::new(now),
            tally: Tally::default(),
            values: None,
            history: History::default(),
        }
    }

    /// How the service is doing, its newest values included.
    pub(super) fn state(&self) -> State {
        if self.invalid.is_some() { State::Invalid } else { self.report.state }
    }

    /// The reason of [`Self::state`].
    pub(super) fn reason_code(&self) -> Option<Code> {
        if self.invalid.is_some() { Some(Code::Invalid) } else { self.report.reason_code }
    }

    fn attempted(&self) -> &str {
        self.invalid
            .as_ref()
            .map_or(&self.report.last_attempted_revision, |invalid| &invalid.revision)
    }

    /// Makes a change and draws the conclusions: since when what has been so, and what to count.
    fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut Self)) {
        let state = self.state();
        let attempted = self.attempted().to_owned();
        let applied = self.report.last_applied_revision.clone();
        change(self);
        if self.state() != state {
            self.report.since = now;
            if self.state() == State::Stalled
                && let Some(code) = self.report.reason_code
            {
                self.tally.stalled(code);
            }
        }
        self.transitions.follow(&self.report, self.state(), now);
        if self.report.state == State::Ready {
            self.history.applied(now);
        }
        if self.attempted() != attempted {
            self.attempted_at = now;
            self.waits_since.get_or_insert(now);
        }
        if self.report.last_applied_revision.as_deref() == Some(self.attempted()) {
            self.waits_since = None;
        } else if self.report.last_applied_revision != applied && self.waits_since.is_some() {
            // An earlier commit is applied; what still waits is the newest.
            self.waits_since = Some(self.attempted_at);
        }
    }

    fn shown(&self) -> ServiceReport {
        let mut report = self.report.clone();
        if let Some(invalid) = &self.invalid {
            report.state = State::Invalid;
            report.reason = invalid.reason.clone();
            (report.reason_code, report.reason_version) = (self.reason_code(), None);
            report.last_attempted_revision = invalid.revision.clone();
        }
        report.conditions = self.transitions.conditions(&report);
        report
    }
}
