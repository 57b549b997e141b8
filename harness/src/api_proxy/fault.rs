//! What is made to go wrong between a client and its API server.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use nix::sys::signal::Signal;
use tokio::sync::watch;

use super::Request;
use crate::process::Process;

type Predicate = Box<dyn Fn(&Request) -> bool + Send + Sync>;

/// Which requests something happens to.
pub struct Choice {
    fits: Predicate,
    skipped: usize,
    taken: usize,
}

impl Choice {
    /// Every request that fits.
    pub fn every(fits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self { fits: Box::new(fits), skipped: 0, taken: usize::MAX }
    }

    /// The `n`-th request that fits, counted from 1 and from the moment in which the fault is set,
    /// and no other.
    pub fn nth(n: usize, fits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self { fits: Box::new(fits), skipped: n.saturating_sub(1), taken: 1 }
    }

    /// The `n`-th request that fits and every one after it.
    pub fn from_nth(n: usize, fits: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self { taken: usize::MAX, ..Self::nth(n, fits) }
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("skipped", &self.skipped)
            .field("taken", &self.taken)
            .finish()
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with this HTTP status and never reaches the API server.
    Refused(u16),
    /// It is turned away with 429, as an API server does that has too much to do, and never reaches it; with
    /// so many seconds to wait in `Retry-After`, if it says any.
    TurnedAway(Option<u32>),
    /// It is refused as when the API server cannot call this webhook, and never reaches it.
    WebhookFailed(&'static str),
    /// It is never answered, and the connection stays open. It never reaches the API server.
    Silent,
    /// It reaches the API server, and is never answered; the connection stays open.
    AnswerWithheld,
    /// It reaches the API server. The head of the answer comes, and of the body a byte a second.
    SlowBody,
    /// The connection closes, and it never reaches the API server.
    Lost,
    /// It reaches the API server, and the connection closes instead of an answer.
    AnswerLost,
    /// It is answered as if it had been carried out, and nothing changes: a dry run in its place. For
    /// writes alone.
    Pretended,
}

/// On which side of the API server's work a request is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The API server has not seen it.
    Before,
    /// The API server has carried it out, and the client has no answer yet.
    After,
}

/// An active fault; dropping it ends it.
#[must_use = "a fault ends when this is dropped"]
#[derive(Debug)]
pub struct Injected(Rule);

impl Injected {
    /// How many requests it has befallen.
    pub fn times(&self) -> usize {
        self.0.entry.struck.load(Ordering::SeqCst)
    }
}

/// A point at which the chosen requests stop until somebody decides.
///
/// Dropping it closes the connections of all that stopped; what stopped [`Moment::Before`] never
/// reaches the API server, even if its client is still there.
#[must_use = "a breakpoint ends when this is dropped"]
#[derive(Debug)]
pub struct Breakpoint {
    // Dropped first, so that no request stops without anybody who could decide.
    rule: Rule,
    reached: watch::Receiver<Option<Request>>,
    decision: watch::Sender<bool>,
}

impl Breakpoint {
    /// The first request that stopped, as soon as one has.
    pub async fn reached(&self) -> Request {
        let mut reached = self.reached.clone();
        match reached.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(request)) => request.clone(),
            // The rule, which is ours, holds the other end.
            _ => std::future::pending().await,
        }
    }

    /// Kills the client when the first request stops here, and closes its connections: `Before`,
    /// this request was never made; `After`, its client never learnt of it. Returns the request.
    pub async fn kill(self, client: &Process) -> Request {
        let request = self.reached().await;
        client.signal(Signal::SIGKILL);
        client.ended().await;
        request
    }

    /// Lets everything that stopped go on, and nothing stops here any more.
    pub fn release(self) {
        let Self { rule, decision, .. } = self;
        drop(rule);
        decision.send_replace(true);
    }
}

/// What a rule does to the requests it takes.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Fault(Fault),
    Stop(Stop),
}

/// The requests' side of a breakpoint.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub(super) moment: Moment,
    reached: watch::Sender<Option<Request>>,
    decision: watch::Receiver<bool>,
}

impl Stop {
    /// Waits for the decision; an error closes the request's connection.
    pub(super) async fn decided(mut self, request: &Request) -> io::Result<()> {
        self.reached.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| request.clone());
            is_first
        });
        // An error here says that the breakpoint was dropped without a word.
        self.decision.wait_for(|go_on| *go_on).await.map(drop).map_err(|_| lost())
    }
}

/// What closes a connection.
pub(super) fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "lost on purpose")
}

/// The active rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Arc<Mutex<Vec<Arc<Entry>>>>);

#[derive(Debug)]
struct Entry {
    choice: Choice,
    effect: Effect,
    met: AtomicUsize,
    struck: AtomicUsize,
}

/// An active rule; dropping it takes it out.
#[derive(Debug)]
struct Rule {
    rules: Rules,
    entry: Arc<Entry>,
}

impl Rules {
    pub(super) fn inject(&self, choice: Choice, fault: Fault) -> Injected {
        Injected(self.add(choice, Effect::Fault(fault)))
    }

    pub(super) fn breakpoint(&self, moment: Moment, choice: Choice) -> Breakpoint {
        let (reach, reached) = watch::channel(None);
        let (decision, decided) = watch::channel(false);
        let stop = Stop { moment, reached: reach, decision: decided };
        Breakpoint { rule: self.add(choice, Effect::Stop(stop)), reached, decision }
    }

    /// What happens to this request; `None` when nothing does. The rule that was set first wins, and
    /// all of them count the request.
    pub(super) fn effect(&self, request: &Request) -> Option<Effect> {
        let mut effect = None;
        for entry in self.lock().iter().filter(|entry| (entry.choice.fits)(request)) {
            let before = entry.met.fetch_add(1, Ordering::SeqCst);
            let chosen = before.checked_sub(entry.choice.skipped);
            if effect.is_none() && chosen.is_some_and(|number| number < entry.choice.taken) {
                entry.struck.fetch_add(1, Ordering::SeqCst);
                effect = Some(entry.effect.clone());
            }
        }
        effect
    }

    fn add(&self, choice: Choice, effect: Effect) -> Rule {
        let (met, struck) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let entry = Arc::new(Entry { choice, effect, met, struck });
        self.lock().push(entry.clone());
        Rule { rules: self.clone(), entry }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        self.rules.lock().retain(|entry| !Arc::ptr_eq(entry, &self.entry));
    }
}
