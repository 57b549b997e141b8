//! What is due, and when. There is no clock and no task in here: times are counted from any fixed moment,
//! and come in as parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::KnownServices;
use crate::cache::Touched;
use crate::reconcile::{ReconcileOutcome, Retry};
use coalmine_core::values::PLATFORM;

/// The pause after the first failed pass; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// A pass that waits for a moment comes this much later, so that the moment has passed by every clock.
const MARGIN: Duration = Duration::from_millis(5);

/// What is requested of a service: some objects, or that it goes.
pub trait Request: Clone {
    /// Whether a pass over the other one does the same; the two may come from different revisions.
    fn is_same(&self, other: &Self) -> bool;

    /// Whether it is requested that the service goes.
    fn is_removal(&self) -> bool;
}

/// Which services there are, what is requested of each, and when it is due for a pass.
///
/// What holds, whatever comes in which order:
/// - There is at most one pass of a service at a time.
/// - What changes during a pass is followed by another pass.
/// - A new request is due at once.
/// - A pass that failed is followed by another one within the longest pause.
/// - A service that is ready is due again only when something of it changes.
/// - A service whose removal is done is forgotten.
#[derive(Debug)]
pub struct Schedule<R> {
    services: BTreeMap<Arc<str>, Entry<R>>,
    /// The services that wait for a pass, by when it is due. One whose pass is under way is not among them.
    waiting: BTreeSet<(Duration, Arc<str>)>,
    /// Nothing before the first revision: nobody knows then which services are gone.
    known: Option<KnownServices>,
    longest_pause: Duration,
    /// Counts the requests.
    generation: u64,
}

#[derive(Debug)]
struct Entry<R> {
    request: R,
    generation: u64,
    due: Option<Duration>,
    is_running: bool,
    /// How many passes have failed in a row.
    failures: u32,
    is_ready: bool,
    /// Whether what is requested is neither reached nor given up.
    is_under_way: bool,
}

/// A pass over one service. Whoever has taken it is the only one until
/// [its result](Schedule::on_result) is in.
#[derive(Clone, Debug)]
pub struct Pass<R> {
    /// Of which service.
    pub name: Arc<str>,
    /// What it is to achieve.
    pub request: R,
    generation: u64,
}

/// How a pass ended, as far as the schedule is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassResult {
    /// Everything is as requested.
    Ready,
    /// It waits for something to change, and at most for so long if it says so.
    Pending {
        /// After which pause it is due in any case.
        recheck: Option<Duration>,
    },
    /// It cannot go on.
    Failed {
        /// Whether it is worth trying again although nothing has changed.
        retry: bool,
    },
    /// It was superseded, or its outcome was not reported: another one is due at once.
    Unfinished,
}

/// When a service is due after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At this moment, or earlier when something changes.
    At(Duration),
    /// When something changes.
    OnChange,
    /// Never: it is removed.
    Removed,
}

/// A service of which a revision requests something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub name: Arc<str>,
    /// Whether this was not requested before.
    pub is_new: bool,
}

impl PassResult {
    /// What a standing means for the schedule at this moment.
    pub fn of(outcome: &ReconcileOutcome, now: Timestamp) -> Self {
        let pause = |until: &Timestamp| {
            Duration::try_from(until.duration_since(now)).unwrap_or_default() + MARGIN
        };
        match outcome {
            ReconcileOutcome::Ready => Self::Ready,
            ReconcileOutcome::Drifted { until, .. } | ReconcileOutcome::Waiting { until, .. } => {
                Self::Pending { recheck: until.as_ref().map(pause) }
            }
            ReconcileOutcome::Stalled { retry, .. } => {
                Self::Failed { retry: *retry != Retry::Never }
            }
            ReconcileOutcome::Superseded => Self::Unfinished,
        }
    }
}

impl<R: Request> Schedule<R> {
    /// Without any service. After failures a service is due again within the longest pause.
    pub fn new(longest_pause: Duration) -> Self {
        let (services, waiting) = Default::default();
        Self { services, waiting, known: None, longest_pause, generation: 0 }
    }

    /// A revision was accepted: it keeps the known services and requests this. A service that is not known
    /// goes if it is an orphan or something was requested of it before. One that is known and of which
    /// nothing is requested keeps its last request: its values have errors.
    ///
    /// Returns all services of which something is requested, by their names.
    pub fn on_revision(
        &mut self,
        known: KnownServices,
        requests: impl IntoIterator<Item = (Arc<str>, R)>,
        orphans: impl IntoIterator<Item = Arc<str>>,
        removal: impl Fn(&Arc<str>) -> R,
        now: Duration,
    ) -> Vec<Accepted> {
        let before = self.services.keys().filter(|name| !known.has(name)).cloned();
        let gone: BTreeSet<Arc<str>> = orphans.into_iter().chain(before).collect();
        let removals = gone.into_iter().filter(|name| !known.has(name));
        let removals = removals.map(|name| (name.clone(), removal(&name)));
        let all: BTreeMap<Arc<str>, R> = removals.chain(requests).collect();
        self.known = Some(known);
        let accept = |(name, request)| {
            let is_new = self.request(&name, request, now);
            Accepted { name, is_new }
        };
        all.into_iter().map(accept).collect()
    }

    /// Something is requested of a service. False if only its revision is new; otherwise it is due.
    pub fn request(&mut self, name: &Arc<str>, request: R, now: Duration) -> bool {
        let known = self.services.get_mut(name);
        if let Some(known) = known
            && known.request.is_same(&request)
        {
            known.request = request;
            return false;
        }
        self.generation += 1;
        let generation = self.generation;
        let entry = self.services.entry(name.clone()).or_insert_with(|| Entry {
            request: request.clone(),
            generation,
            due: None,
            is_running: false,
            failures: 0,
            is_ready: false,
            is_under_way: true,
        });
        (entry.request, entry.generation) = (request, generation);
        (entry.failures, entry.is_ready, entry.is_under_way) = (0, false, true);
        self.due(name, now);
        true
    }

    /// Something in the cluster has changed: an object of a service, or one of somebody else's, which may be
    /// what a service that is not ready waits for. True if it is an object of a service that is gone; its
    /// removal is to be [requested](Self::request).
    pub fn on_change(
        &mut self,
        change: &Touched,
        has_objects_to_prune: impl Fn(&str) -> bool,
        now: Duration,
    ) -> bool {
        match change {
            Touched::Foreign => self.on_foreign_change(now),
            Touched::Service(name) => {
                if **name == *PLATFORM {
                    // It may be the namespace that somebody waits for.
                    self.on_foreign_change(now);
                }
                let Some(entry) = self.services.get(name) else {
                    let is_gone = self.known.as_ref().is_some_and(|known| !known.has(name));
                    return is_gone && has_objects_to_prune(name);
                };
                if entry.request.is_removal() {
                    // Somebody may wait for its domain.
                    self.on_foreign_change(now);
                }
                self.due(name, now);
            }
        }
        false
    }

    fn on_foreign_change(&mut self, now: Duration) {
        let may_wait = |entry: &Entry<R>| !entry.is_ready || entry.is_running;
        let concerned = self.services.iter().filter(|(_, entry)| may_wait(entry));
        let concerned: Vec<_> = concerned.map(|(name, _)| name.clone()).collect();
        concerned.iter().for_each(|name| self.due(name, now));
    }

    /// This daemon leads from now on, perhaps again: somebody else may have written meanwhile, and nobody
    /// was told how passes of before ended. Every service is due.
    pub fn on_leadership(&mut self, now: Duration) {
        let names: Vec<_> = self.services.keys().cloned().collect();
        names.iter().for_each(|name| self.due(name, now));
    }

    /// A pass that is due, the one that has waited longest first.
    pub fn take(&mut self, now: Duration) -> Option<Pass<R>> {
        let (due, _) = self.waiting.first()?;
        if *due > now {
            return None;
        }
        let (_, name) = self.waiting.pop_first()?;
        let entry = self.services.get_mut(&name)?;
        (entry.due, entry.is_running) = (None, true);
        Some(Pass { name, request: entry.request.clone(), generation: entry.generation })
    }

    /// When the next pass is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// A pass has ended. What was requested or has changed since it was taken is due at once.
    pub fn on_result(&mut self, pass: &Pass<R>, result: PassResult, now: Duration) -> Next {
        let Some(entry) = self.services.get_mut(&pass.name) else { return Next::Removed };
        entry.is_running = false;
        let mut has_ended = false;
        if entry.generation == pass.generation {
            entry.is_ready = result == PassResult::Ready;
            let is_under_way =
                matches!(result, PassResult::Pending { .. } | PassResult::Unfinished);
            has_ended = entry.is_under_way && !is_under_way;
            entry.is_under_way = is_under_way;
            if entry.is_ready && entry.request.is_removal() && entry.due.is_none() {
                self.services.remove(&pass.name);
                return Next::Removed;
            }
            if let Some(pause) = entry.pause(result, self.longest_pause) {
                let due = now.saturating_add(pause);
                entry.due = Some(entry.due.map_or(due, |known| known.min(due)));
            }
        }
        let due = entry.due;
        if let Some(due) = due {
            self.waiting.insert((due, pass.name.clone()));
        }
        if has_ended && *pass.name == *PLATFORM {
            // Somebody may have waited for it.
            self.on_foreign_change(now);
        }
        due.map_or(Next::OnChange, Next::At)
    }

    /// Whether what is requested of a service is being carried out: it is neither ready nor does it stand still.
    pub fn is_under_way(&self, name: &str) -> bool {
        self.services.get(name).is_some_and(|entry| entry.is_under_way)
    }

    /// What is requested of the pass's service now, unless that is something else than what the pass is to
    /// achieve.
    pub fn current(&self, pass: &Pass<R>) -> Option<&R> {
        let entry = self.services.get(&pass.name)?;
        (entry.generation == pass.generation).then_some(&entry.request)
    }

    /// What is requested of a service.
    pub fn requested(&self, name: &str) -> Option<&R> {
        self.services.get(name).map(|entry| &entry.request)
    }

    /// All services of which something is requested, those that are to go among them.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.services.keys()
    }

    /// All services of which something is requested, each with its request and whether it is ready by it.
    pub fn requests(&self) -> impl Iterator<Item = (&Arc<str>, &R, bool)> {
        self.services.iter().map(|(name, entry)| (name, &entry.request, entry.is_ready))
    }

    /// The services that the newest revision keeps and of which nothing was ever requested: their values have errors.
    pub fn without_request(&self) -> impl Iterator<Item = &str> {
        let known = self.known.iter().flat_map(KnownServices::names);
        known.filter(|name| !self.services.contains_key(*name))
    }

    /// A pass is due at this moment, or earlier if one was due earlier already. If one is under way it is
    /// due after that.
    fn due(&mut self, name: &Arc<str>, at: Duration) {
        let Some(entry) = self.services.get_mut(name) else { return };
        if entry.due.is_some_and(|due| due <= at) {
            return;
        }
        let before = entry.due.replace(at);
        if !entry.is_running {
            if let Some(before) = before {
                self.waiting.remove(&(before, name.clone()));
            }
            self.waiting.insert((at, name.clone()));
        }
    }
}

impl<R> Entry<R> {
    /// After which pause the next pass is due by itself.
    fn pause(&mut self, result: PassResult, longest: Duration) -> Option<Duration> {
        match result {
            PassResult::Ready => {
                self.failures = 0;
                None
            }
            PassResult::Pending { recheck } => {
                self.failures = 0;
                recheck
            }
            PassResult::Failed { retry: false } => None,
            PassResult::Failed { retry: true } => {
                let doubled = FIRST_RETRY.saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                Some(doubled.min(longest))
            }
            PassResult::Unfinished => Some(Duration::ZERO),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
