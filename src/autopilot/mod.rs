//! Takes canaries through their rollouts: measures them each second, decides, and commits.
//!
//! Where a rollout stands is what the branch says. Nothing that is kept here is needed to go on: what a restart loses is
//! gathered again, which delays a promotion and nothing else. Only the replica that leads does anything, and nothing is
//! asked of anybody while no canary is under way.

mod asked;
mod commit;
mod flight;
mod look;
mod promql;
mod rollouts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

pub use promql::PromQl;
pub use rollouts::{Accepted, Rollouts, Withdrawal, file_of};

use crate::cache::Cache;
use crate::measure::Reader;
use crate::pull_request::PullRequests;
use crate::report::{AutopilotReport, EventReason, StatusStore};
use crate::source::{PublishError, Publisher, Source, Trigger};
use coalmine_core::autopilot::Act;
use commit::{Subject, started_by};
use flight::{Flight, report_of};

/// The pause from the beginning of one look to that of the next one, at least.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends an Event about a service.
pub type Tell = Box<dyn Fn(&str, EventReason, &str) + Send + Sync>;

/// What the autopilot works with.
pub struct Parts {
    /// The repository.
    pub source: Arc<Source>,
    /// What makes commits, or why it cannot.
    pub publisher: Result<Publisher, PublishError>,
    /// What brings promotions as pull requests; without it they are pushed.
    pub pull_requests: Option<PullRequests>,
    /// The branch that is followed.
    pub branch: String,
    /// The daemon's instance.
    pub instance: String,
    /// What passes over services share with it.
    pub rollouts: Arc<Rollouts>,
    /// What is shown.
    pub status_store: Arc<StatusStore>,
    /// What the cluster has.
    pub cache: Cache,
    /// Lets the branch be fetched.
    pub trigger: Trigger,
    /// What answers queries of analyses, if there is something.
    pub promql: Option<PromQl>,
    /// Sends Events.
    pub tell: Tell,
}

/// The autopilot of all services.
pub struct Autopilot {
    parts: Arc<Parts>,
    reader: Reader,
    gloo_namespace: watch::Receiver<String>,
    flights: BTreeMap<String, Flight>,
    /// Aborts that git is told of, each with the blob of the file that it is about.
    aborts: BTreeMap<String, (Arc<str>, AbortOnDropHandle<()>)>,
}

impl Autopilot {
    /// An autopilot that has seen nothing. Gloo's proxies are looked for in Gloo's namespace, where not the whole cluster
    /// is watched.
    pub fn new(parts: Parts, reader: Reader, gloo_namespace: watch::Receiver<String>) -> Self {
        let (flights, aborts) = Default::default();
        Self { parts: parts.into(), reader, gloo_namespace, flights, aborts }
    }

    /// Looks and acts for ever, while this replica leads. What was seen when it led before is forgotten: others have
    /// acted since.
    pub async fn run(&mut self) {
        (self.flights, self.aborts) = Default::default();
        let mut changes = self.parts.rollouts.changes();
        loop {
            changes.mark_unchanged();
            self.follow();
            if self.flights.is_empty() {
                self.report();
                // What passes share lives as long as they do.
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let begun = Instant::now();
            self.look().await;
            self.act();
            self.report();
            // A look may take half of the time, so that big statistics are read more rarely.
            let next = begun + PAUSE.max(2 * begun.elapsed());
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    // Looks come at their time, because answers of one cause are known by how far apart they are.
                    changed = changes.changed() => match changed {
                        Ok(()) => self.follow(),
                        Err(_) => std::future::pending::<()>().await,
                    }
                }
            }
        }
    }

    /// Ends what is under way: another replica leads.
    pub fn stop(&mut self) {
        (self.flights, self.aborts) = Default::default();
    }

    /// Takes over what the newest revision says, and which canaries are aborted.
    fn follow(&mut self) {
        let Some(accepted) = self.parts.rollouts.accepted() else { return };
        let withdrawn = self.parts.rollouts.all_withdrawn();
        let mut before = std::mem::take(&mut self.flights);
        let mut aborts = std::mem::take(&mut self.aborts);
        for (name, service) in &accepted.services {
            let Some(file) = file_of(&accepted.tree, service) else { continue };
            let subject = Subject {
                service: service.clone(),
                file: file.clone(),
                accepted: accepted.clone(),
            };
            let under_way = aborts.remove(name).filter(|(known, _)| *known == file);
            // One that has ended while the file is as it was before was taken back by a person: all begins again.
            let (ended, under_way) = match under_way {
                Some((_, task)) if task.is_finished() => (before.remove(name), None),
                under_way => (None, under_way),
            };
            drop(ended);
            let withdrawal = withdrawn.get(name).filter(|it| *it.mark.file == *file);
            if let Some(under_way) = under_way {
                self.aborts.insert(name.clone(), under_way);
            } else if let Some(withdrawal) = withdrawal {
                let mark = withdrawal.mark.clone();
                self.begin_abort(subject.clone(), mark, true);
            }
            if self.aborts.contains_key(name) {
                // It is shown how the abort stands until the branch says it.
                self.flights.extend(before.remove(name).map(|flight| (name.clone(), flight)));
                continue;
            }
            let flight = match before.remove(name) {
                Some(known) if known.subject.file == file && *known.service() == *service => {
                    Some(known.by(subject))
                }
                Some(known) if known.expected.as_deref() == Some(&file) => known.advance(subject),
                _ => Flight::begin(subject),
            };
            self.flights.extend(flight.map(|flight| (name.clone(), flight)));
        }
    }

    fn begin_abort(
        &mut self,
        subject: Subject,
        mark: coalmine_core::marks::AheadMark,
        is_applied: bool,
    ) {
        let (name, file) = (subject.name().to_owned(), subject.file.clone());
        let task = commit::abort(self.parts.clone(), subject, mark, is_applied);
        self.aborts.insert(name, (file, AbortOnDropHandle::new(tokio::spawn(task))));
    }

    /// Does what was decided.
    fn act(&mut self) {
        let now = Instant::now();
        let mut aborts = Vec::new();
        for (name, flight) in &mut self.flights {
            if let Some(committing) = flight.committing.take_if(|it| it.is_finished()) {
                // A task that panicked has said so in the log.
                if let Some(Ok(committed)) = committing.now_or_never() {
                    flight.committed(committed, now);
                }
            }
            if self.aborts.contains_key(name) {
                continue;
            }
            tell(&self.parts, flight);
            let Some((act, message, sentence)) = flight.due(now) else { continue };
            if act == Act::Abort {
                flight.committing = None;
                let mark = flight.abort(started_by(&self.parts, &flight.subject));
                aborts.extend(mark.map(|mark| (flight.subject.clone(), mark)));
            } else {
                let (parts, subject) = (self.parts.clone(), flight.subject.clone());
                let task = commit::promote(parts, subject, act, message, sentence);
                flight.committing = Some(AbortOnDropHandle::new(tokio::spawn(task)));
            }
        }
        for (subject, mark) in aborts {
            self.begin_abort(subject, mark, false);
        }
    }

    /// Shows how each autopilot stands whose service has a canary.
    fn report(&self) {
        let Some(accepted) = self.parts.rollouts.accepted() else { return };
        let withdrawn = self.parts.rollouts.all_withdrawn();
        let mut reports: BTreeMap<String, AutopilotReport> = BTreeMap::new();
        for (name, service) in &accepted.services {
            if service.routes.canary.is_none() {
                continue;
            }
            let report = match self.flights.get(name) {
                Some(flight) => flight.report(),
                None => report_of(service),
            };
            reports.insert(name.clone(), report);
        }
        for (name, report) in &mut reports {
            if let Some(withdrawal) = withdrawn.get(name) {
                report.decision = flight::decision(Act::Abort);
                report.sentence.clone_from(&withdrawal.mark.reason);
                report.problem = Some(withdrawal.trouble.clone());
            }
        }
        self.parts.status_store.piloted(&reports);
    }
}

/// Tells people what is decided and not done, and what cannot be measured: each once.
fn tell(parts: &Parts, flight: &mut Flight) {
    let Some((_, opinion)) = &flight.last else { return };
    let blind = opinion.blind.iter().find(|(_, blind)| blind.is_reported);
    let news = match (opinion.act, blind) {
        (Act::Hold, Some((analysis, blind))) => {
            let words = format!("{analysis} cannot be measured: {}", blind.why);
            Some((EventReason::AutopilotHeldUp, format!("{analysis} is blind"), words))
        }
        (Act::Hold, None) => None,
        (act, _) if !flight.run.acts() => {
            let words = format!("would {}: {}", flight::decision(act), opinion.sentence);
            Some((EventReason::Shadowed, format!("{act:?}"), words))
        }
        _ => return,
    };
    let Some((reason, key, words)) = news else {
        flight.told = None;
        return;
    };
    if flight.told.as_ref() != Some(&key) {
        tracing::info!(service = flight.subject.name(), "autopilot: {words}");
        (parts.tell)(flight.subject.name(), reason, &words);
        flight.told = Some(key);
    }
}
