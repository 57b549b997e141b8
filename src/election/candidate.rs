//! One candidate's way: stand by until the Lease is free, take it, renew it, lose it.

use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::lease::{self, LeaseName};
use super::{Calls, LastAccepted, Role, Timing};

pub(super) struct Candidate {
    api: Api<Lease>,
    lease: LeaseName,
    identity: String,
    timing: Timing,
    role: watch::Sender<Role>,
    last_accepted: watch::Sender<Option<LastAccepted>>,
    calls: Arc<Calls>,
    /// How often we began to lead.
    term: u64,
    seen: Option<Seen>,
    /// What was last complained about, until something works again.
    complaint: Option<String>,
}

/// What is known of the Lease.
struct Seen {
    /// Its newest known version; `None` when it does not exist.
    record: Option<Lease>,
    /// From when on nobody can take that version for held, by our own clock.
    free_at: Instant,
}

/// Why the Lease was not written.
enum Failure {
    /// Somebody else wrote it since we last saw it, or it is gone.
    Outdated,
    /// There was no answer, or a refusal.
    Refused(String),
}

/// How the attempts to renew ended.
enum Renewal {
    Until(Instant),
    TakenOver,
}

impl Candidate {
    pub(super) fn new(
        client: Client,
        lease: LeaseName,
        identity: String,
        timing: Timing,
        role: watch::Sender<Role>,
        last_accepted: watch::Sender<Option<LastAccepted>>,
        calls: Arc<Calls>,
    ) -> Self {
        let api = Api::namespaced(client, &lease.namespace);
        let (term, seen, complaint) = (0, None, None);
        Self { api, lease, identity, timing, role, last_accepted, calls, term, seen, complaint }
    }

    pub(super) async fn run(mut self, resigned: CancellationToken) {
        let running = async {
            loop {
                let until = self.stand_by().await;
                tracing::info!(lease = %self.lease, identity = self.identity, "leading");
                self.lead(until).await;
                let leader = self.other_holder();
                self.role.send_replace(Role::By { leader });
            }
        };
        resigned.run_until_cancelled(running).await;
        self.role.send_replace(Role::By { leader: None });
        // What is not given up by then runs out by itself.
        drop(timeout(self.timing.deadline(), self.give_up()).await);
    }

    /// Returns once the Lease is ours, with the end of our word.
    async fn stand_by(&mut self) -> Instant {
        let events = watcher::watch_object(self.api.clone(), &self.lease.name);
        let mut events = pin!(events.backoff(ConstantBackOff(self.timing.renewal())));
        let calls = self.calls.clone();
        loop {
            let free_at = self.seen.as_ref().map(|seen| seen.free_at);
            let free = async {
                match free_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(event) = events.next() => match event {
                    Ok(record) => self.see(record),
                    Err(error) => self.complain(&format!("cannot watch it: {error}")),
                },
                () = calls.to_leader.notified() => self.call().await,
                () = free => {
                    if let Some(until) = self.take().await {
                        return until;
                    }
                }
            }
        }
    }

    /// Writes a call to the holder into the version that we know. If that is old by now, the call waits for
    /// the newer one. It is no word of the holder's, so it does not put off the time when the Lease is free.
    async fn call(&mut self) {
        let Some(seen) = &mut self.seen else { return };
        let Some(record) = &seen.record else { return };
        let (called, parameters) = (lease::called(record), PostParams::default());
        let written = self.api.replace(&self.lease.name, &parameters, &called);
        match timeout(self.timing.renewal(), written).await {
            Ok(Ok(written)) => seen.record = Some(written),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                self.calls.to_leader.notify_one();
                if let Ok(record) = self.read().await {
                    self.see(record);
                }
            }
            Ok(Err(error)) => self.complain(&format!("cannot call its holder: {error}")),
            Err(_) => self.complain("cannot call its holder: no answer from the API server"),
        }
    }

    /// Notes what the API server says the Lease is. Only a version that is new to us starts the
    /// wait anew.
    fn see(&mut self, record: Option<Lease>) {
        let version = |record: &Option<Lease>| record.as_ref().and_then(Lease::resource_version);
        if self.seen.as_ref().is_some_and(|seen| version(&seen.record) == version(&record)) {
            return;
        }
        let call = |record: &Option<Lease>| record.as_ref().and_then(lease::last_call).cloned();
        if self.seen.as_ref().is_some_and(|seen| call(&seen.record) != call(&record)) {
            self.calls.from_others.notify_one();
        }
        let now = Instant::now();
        let holder = record.as_ref().and_then(lease::holder);
        let free_at = match (&record, holder) {
            // Also one of ours that was only made: somebody may lead by the one before it.
            (Some(record), Some(holder))
                if holder != self.identity || !lease::is_acquired(record) =>
            {
                now + lease::duration(record, self.timing)
            }
            (Some(_), _) => now,
            // Somebody may have deleted it, and its holder not know yet.
            (None, _) => now + self.timing.grace(),
        };
        let last = record.as_ref().and_then(lease::revision).cloned();
        self.last_accepted.send_replace(Some(last));
        self.seen = Some(Seen { record, free_at });
        let leader = self.other_holder();
        self.role.send_if_modified(|role| match role {
            Role::By { leader: known } if *known != leader => {
                if let Some(leader) = &leader {
                    tracing::info!(lease = %self.lease, leader, "standing by");
                }
                *known = leader;
                true
            }
            _ => false,
        });
    }

    /// Who has the Lease instead of us, as far as we know.
    fn other_holder(&self) -> Option<String> {
        let holder = self.seen.as_ref()?.record.as_ref().and_then(lease::holder)?;
        (holder != self.identity).then(|| holder.to_owned())
    }

    /// Tries to take the Lease once, or to make one that does not exist.
    async fn take(&mut self) -> Option<Instant> {
        let exists = self.seen.as_ref().is_some_and(|seen| seen.record.is_some());
        let refused = match self.write().await {
            Ok((written, sent)) if exists => {
                self.term += 1;
                return Some(self.leads_by(written, sent));
            }
            Ok((made, _)) => {
                self.see(Some(made));
                return None;
            }
            Err(Failure::Outdated) => match self.read().await {
                Ok(record) => {
                    self.see(record);
                    return None;
                }
                Err(message) => message,
            },
            Err(Failure::Refused(message)) => message,
        };
        self.complain(&refused);
        if let Some(seen) = &mut self.seen {
            seen.free_at = Instant::now() + self.timing.renewal();
        }
        None
    }

    /// Renews the Lease until that fails for too long or somebody else has it.
    async fn lead(&mut self, mut until: Instant) {
        loop {
            sleep(self.timing.renewal()).await;
            match timeout_at(until, self.renew()).await {
                Ok(Renewal::Until(later)) => until = later,
                Ok(Renewal::TakenOver) => {
                    tracing::warn!(lease = %self.lease, "not leading any more: it was taken over");
                    return;
                }
                Err(_) => {
                    let seconds = self.timing.deadline().as_secs_f32();
                    tracing::warn!(lease = %self.lease, "not leading any more: not renewed for {seconds} s");
                    return;
                }
            }
        }
    }

    async fn renew(&mut self) -> Renewal {
        loop {
            let refused = match self.write().await {
                Ok((written, sent)) => return Renewal::Until(self.leads_by(written, sent)),
                Err(Failure::Outdated) => match self.read().await {
                    Ok(record) => {
                        self.see(record);
                        if self.other_holder().is_some() {
                            return Renewal::TakenOver;
                        }
                        // An answer to us was lost, or somebody wrote something beside or deleted
                        // it. While our word is good nobody else can have it.
                        continue;
                    }
                    Err(message) => message,
                },
                Err(Failure::Refused(message)) => message,
            };
            self.complain(&refused);
            sleep(self.timing.renewal() / 4).await;
        }
    }

    /// Writes that the Lease is ours over the version we know; gives it as written, and when that was sent.
    async fn write(&self) -> Result<(Lease, Instant), Failure> {
        let record = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        let revision = self.calls.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let revision = revision.as_deref();
        let lease = lease::held(record, &self.lease, &self.identity, revision, self.timing);
        let parameters = PostParams::default();
        // Our word counts from before the others can see it.
        let sent = Instant::now();
        let written = async {
            match record {
                Some(_) => self.api.replace(&self.lease.name, &parameters, &lease).await,
                None => self.api.create(&parameters, &lease).await,
            }
        };
        match timeout(self.timing.renewal(), written).await {
            Ok(Ok(written)) => Ok((written, sent)),
            Ok(Err(kube::Error::Api(status))) if [404, 409].contains(&status.code) => {
                // A missing namespace is also a 404, and reading again would not tell.
                let namespace = status.details.as_ref().is_some_and(|it| it.kind == "namespaces");
                let message = format!("cannot write it: {}", status.message);
                Err(if namespace { Failure::Refused(message) } else { Failure::Outdated })
            }
            Ok(Err(error)) => Err(Failure::Refused(format!("cannot write it: {error}"))),
            Err(_) => Err(Failure::Refused("no answer from the API server".to_owned())),
        }
    }

    /// Says to everybody that we lead by this version of the Lease, and until when.
    fn leads_by(&mut self, written: Lease, sent: Instant) -> Instant {
        let until = sent + self.timing.deadline();
        self.seen = Some(Seen { record: Some(written), free_at: sent });
        self.complaint = None;
        self.role.send_replace(Role::Leading { term: self.term, until });
        until
    }

    async fn read(&self) -> Result<Option<Lease>, String> {
        match timeout(self.timing.renewal(), self.api.get_opt(&self.lease.name)).await {
            Ok(read) => read.map_err(|error| format!("cannot read it: {error}")),
            Err(_) => Err("no answer from the API server".to_owned()),
        }
    }

    /// Frees the Lease if it is ours, also when we never heard that it became so. One that was only made
    /// runs out: others may lead by one before it.
    async fn give_up(&mut self) {
        let is_ours = |record: &Lease, identity: &str| {
            lease::holder(record) == Some(identity) && lease::is_acquired(record)
        };
        loop {
            match self.read().await {
                Ok(Some(record)) if is_ours(&record, &self.identity) => {
                    let free = lease::released(&record);
                    let parameters = PostParams::default();
                    match self.api.replace(&self.lease.name, &parameters, &free).await {
                        Ok(_) => return tracing::info!(lease = %self.lease, "given up"),
                        Err(error) => self.complain(&format!("cannot give it up: {error}")),
                    }
                }
                Ok(_) => return,
                Err(message) => self.complain(&message),
            }
            sleep(self.timing.renewal() / 4).await;
        }
    }

    /// An error that stands is logged once.
    fn complain(&mut self, message: &str) {
        if self.complaint.as_deref() != Some(message) {
            tracing::warn!(
                lease = %self.lease,
                "{message}; check the API server and the daemon's Role, it is tried again"
            );
            self.complaint = Some(message.to_owned());
        }
    }
}

/// The same pause after every failure: the default grows to 30 s, in which nobody would see that
/// the Lease is free.
struct ConstantBackOff(Duration);

impl Iterator for ConstantBackOff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.0)
    }
}

impl Backoff for ConstantBackOff {
    fn reset(&mut self) {}
}
