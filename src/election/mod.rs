//! Who of several equal daemons writes: the one that holds a Lease.
//!
//! What holds whatever happens to processes, messages and wall clocks, as long as clocks run at the
//! same speed: of all [`Tenure`]s of one Lease at most one is held. Nobody's wall clock matters:
//! - the holder counts from the moment it *sent* a renewal that came back good, and stops after
//!   three quarters of the Lease's duration;
//! - the others count from the moment they *received* the newest version of the Lease, and take it
//!   over only after the whole duration, only that very version (`resourceVersion`);
//! - a Lease that does not exist has no version, and may have been deleted a moment ago, also again and
//!   again: whoever makes it anew leads only after its whole duration, by a renewal of that very version.
//!   This costs the first start of all a few seconds. Only who leads already just goes on.
//!
//! A write that is under way when the time is up has the last quarter to arrive.

#[cfg(test)]
pub(crate) mod by_hand;
mod candidate;
mod lease;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use lease::{LeaseName, identity};

use candidate::Candidate;

/// How long a Lease lasts that nobody renews; in whole seconds, since that is what a Lease can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    seconds: u16,
}

impl Timing {
    /// A Lease of this many seconds, at least 1.
    pub fn seconds(seconds: u16) -> Self {
        Self { seconds: seconds.max(1) }
    }

    /// How long the others wait after they saw the last renewal.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// How long the holder may go on after it sent its last good renewal.
    pub fn deadline(self) -> Duration {
        self.duration() * 3 / 4
    }

    /// How long the others leave a Lease that is gone to its holder, who makes it anew.
    pub fn grace(self) -> Duration {
        self.renewal() * 2
    }

    /// The pause between two renewals, and the longest wait for one answer.
    pub fn renewal(self) -> Duration {
        self.duration() / 4
    }
}

impl Default for Timing {
    /// 4 s: a dead leader is replaced within 5 s, and a live one survives an API server that does
    /// not answer for 2 s.
    fn default() -> Self {
        Self::seconds(4)
    }
}

/// Where a candidate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    /// Somebody else leads, or nobody does yet.
    By { leader: Option<String> },
    /// We lead until then, and longer if a renewal comes through. The term counts how often we
    /// began to lead.
    Leading { term: u64, until: Instant },
    /// There is no election.
    Unopposed,
}

/// Runs for a Lease until it is dropped or [resigns](Campaign::resign).
#[derive(Debug)]
pub struct Campaign {
    leadership: Leadership,
    resign: CancellationToken,
    task: JoinHandle<()>,
}

/// Begins to run for the Lease, which is made if it does not exist.
///
/// `identity` must be that of this process alone, not of its pod: see [`identity`]. Errors are
/// logged and tried again; a candidate that cannot reach the API server just does not lead.
pub fn campaign(client: Client, lease: LeaseName, identity: String, timing: Timing) -> Campaign {
    let (role, receiver) = watch::channel(Role::By { leader: None });
    let calls = Arc::new(Calls::default());
    let (known, last_accepted) = watch::channel(None);
    let resign = CancellationToken::new();
    let candidate = Candidate::new(client, lease, identity, timing, role, known, calls.clone());
    let task = tokio::spawn(candidate.run(resign.clone()));
    let leadership = Leadership { role: receiver, last_accepted, calls };
    Campaign { leadership, resign, task }
}

impl Campaign {
    /// Tells whether we lead.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Gives the Lease up, so that another one leads at once. To be called when the last write has
    /// ended; takes at most the Lease's deadline.
    pub async fn resign(mut self) {
        self.resign.cancel();
        // A panic of the task leaves the Lease to expire, as a crash would.
        if !self.task.is_finished() {
            drop((&mut self.task).await);
        }
    }

    /// Waits for the campaign to end although nobody resigned, by a fault of ours: this daemon would never
    /// lead again.
    pub async fn ended(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => "the campaign for the Lease has ended".to_owned(),
            Err(error) => format!("the campaign for the Lease: {error}"),
        }
    }
}

impl Drop for Campaign {
    /// As a crash: the Lease expires.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one of the candidates has heard and the leader should know.
#[derive(Debug, Default)]
struct Calls {
    to_leader: Notify,
    from_others: Notify,
    /// The commit that we took up last.
    accepted: Mutex<Option<String>>,
}

/// Tells whether we lead. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Leadership {
    role: watch::Receiver<Role>,
    /// What the Lease says; nothing while nobody has seen it.
    last_accepted: watch::Receiver<Option<LastAccepted>>,
    calls: Arc<Calls>,
}

/// The commit that whoever led last took up last, if anybody has led.
type LastAccepted = Option<String>;

impl Leadership {
    /// That of a daemon that runs alone, without an election: always held.
    pub fn unopposed() -> Self {
        // The last value outlives its sender.
        let role = watch::channel(Role::Unopposed).1;
        let last_accepted = watch::channel(Some(None)).1;
        Self { role, last_accepted, calls: Arc::default() }
    }

    /// Notes the commit that we took up: while we lead the Lease says so with its next renewal.
    pub fn took_up(&self, revision: &str) {
        let mut accepted = self.calls.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        *accepted = Some(revision.to_owned());
    }

    /// The commit that whoever led last took up last, as the Lease says it; `None` when it says none, or
    /// there is no election. Waits until the Lease is known.
    pub async fn last_accepted(&self) -> Option<String> {
        let mut known = self.last_accepted.clone();
        match known.wait_for(Option::is_some).await {
            Ok(known) => known.clone().flatten(),
            // The campaign is over.
            Err(_) => std::future::pending().await,
        }
    }

    /// Calls whoever leads instead of us, who hears of it with its next renewal. Nothing is done if that is
    /// us.
    pub fn call(&self) {
        if self.tenure().is_none() {
            self.calls.to_leader.notify_one();
        }
    }

    /// Resolves once for all calls to us since it last did.
    pub async fn called(&self) {
        self.calls.from_others.notified().await;
    }

    /// The identity of whoever leads instead of us, as far as it is known.
    pub fn other_leader(&self) -> Option<String> {
        match &*self.role.borrow() {
            Role::By { leader } => leader.clone(),
            Role::Leading { .. } | Role::Unopposed => None,
        }
    }

    /// Our tenure, if we lead now.
    pub fn tenure(&self) -> Option<Tenure> {
        let term = match *self.role.borrow() {
            Role::By { .. } => return None,
            Role::Leading { term, .. } => term,
            Role::Unopposed => 0,
        };
        let tenure = Tenure { role: self.role.clone(), term };
        tenure.is_held().then_some(tenure)
    }

    /// Waits until we lead; at once if we do.
    pub async fn acquired(&self) -> Tenure {
        let mut role = self.role.clone();
        loop {
            role.mark_unchanged();
            if let Some(tenure) = self.tenure() {
                return tenure;
            }
            if role.changed().await.is_err() {
                // The campaign is over.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// The time from when we began to lead until we did not any more. Whoever writes has one, and one
/// that was lost is never held again.
#[derive(Clone, Debug)]
pub struct Tenure {
    role: watch::Receiver<Role>,
    term: u64,
}

impl Tenure {
    /// Whether we still lead, by our own clock: to be asked right before every write, since a
    /// process may have been stopped for any time since it last looked.
    pub fn is_held(&self) -> bool {
        match *self.role.borrow() {
            Role::By { .. } => false,
            Role::Leading { term, until } => term == self.term && Instant::now() < until,
            Role::Unopposed => true,
        }
    }

    /// Waits until we do not lead any more; at once if we do not.
    pub async fn lost(&self) {
        let mut role = self.role.clone();
        while self.is_held() {
            let until = match *role.borrow_and_update() {
                Role::By { .. } => return,
                Role::Leading { until, .. } => Some(until),
                Role::Unopposed => None,
            };
            let Some(until) = until else { return std::future::pending().await };
            tokio::select! {
                Ok(()) = role.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
