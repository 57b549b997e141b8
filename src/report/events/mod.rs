//! Kubernetes Events: what the daemon did to an object, where `kubectl describe` shows it.
//!
//! Telling is never in the way of doing. Events wait in a bounded queue and one task sends them; what
//! does not fit, comes too often or is refused is dropped and counted. When nothing happens nothing is
//! sent.

mod rate;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::metrics::{Loss, Metrics};
use coalmine_core::labels::FIELD_MANAGER;
use coalmine_core::object::ObjectId;
use coalmine_core::reason::Code;
use rate::Rate;

/// How many events wait to be sent at most.
const QUEUE: usize = 256;
/// How long the API server may take for one of them.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the API server takes as a note, in bytes (events.k8s.io/v1: "less than 1kB").
const LONGEST_NOTE: usize = 1023;

/// What happened to an object, in one word for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventReason {
    /// A commit's change was written.
    Applied,
    /// A commit is fully applied and healthy.
    Ready,
    /// The service does not progress to what its values say, and why. The Event has the code for its reason.
    Stalled(Code),
    /// The service's values have errors.
    Invalid,
    /// Somebody's change was found and left.
    DriftFound,
    /// Somebody's change was undone.
    DriftRepaired,
    /// The previous routes were rolled back, since Gloo liked the new ones less.
    RolledBack,
    /// The object was deleted because nothing desires it any more.
    Pruned,
    /// A change was not made, since it would have done harm.
    Refused,
    /// The autopilot has given the canary its next step.
    Promoted,
    /// The autopilot has aborted the canary.
    Aborted,
    /// What the autopilot would have done if it did anything.
    Shadowed,
    /// The autopilot cannot measure, or cannot commit.
    AutopilotHeldUp,
}

impl EventReason {
    /// The reason's name, whether it is a warning, and what was done or tried.
    fn words(self) -> (&'static str, EventType, &'static str) {
        use EventType::{Normal, Warning};
        match self {
            Self::Applied => ("Applied", Normal, "Apply"),
            Self::Ready => ("Ready", Normal, "Rollout"),
            Self::Stalled(code) => (code.as_str(), Warning, "Rollout"),
            Self::Invalid => ("Invalid", Warning, "ReadValues"),
            Self::DriftFound => ("DriftFound", Warning, "Compare"),
            Self::DriftRepaired => ("DriftRepaired", Warning, "Repair"),
            Self::RolledBack => ("RolledBack", Warning, "RolledBack"),
            Self::Pruned => ("Pruned", Normal, "Prune"),
            Self::Refused => ("Refused", Warning, "Preflight"),
            Self::Promoted => ("Promoted", Normal, "Autopilot"),
            Self::Aborted => ("Aborted", Warning, "Autopilot"),
            Self::Shadowed => ("Shadowed", Normal, "Autopilot"),
            Self::AutopilotHeldUp => ("AutopilotHeldUp", Warning, "Autopilot"),
        }
    }
}

/// A handle on the queue; cloning is cheap.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Queued>,
    rate: Arc<Mutex<Rate>>,
    metrics: Arc<Metrics>,
}

struct Queued {
    about: ObjectReference,
    event: Event,
}

impl Events {
    /// The queue, and the task that sends what is in it until every handle is gone and the queue is
    /// empty. `reporter` is the name of this replica, such as its pod's.
    pub fn new(
        client: Client,
        reporter: &str,
        metrics: Arc<Metrics>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let reporter =
            Reporter { controller: FIELD_MANAGER.into(), instance: Some(reporter.to_owned()) };
        let sending = send(Recorder::new(client, reporter), waiting, metrics.clone());
        (Self { queue, rate: Arc::default(), metrics }, sending)
    }

    /// Tells what happened to the object. It does not wait and does not fail. Without its `uid` the
    /// event is stored, but `kubectl describe` does not find it.
    pub fn record(&self, about: &ObjectId, uid: Option<&str>, reason: EventReason, message: &str) {
        let may =
            self.rate.lock().unwrap_or_else(PoisonError::into_inner).may(about, Instant::now());
        if !may {
            return self.metrics.event_lost(Loss::TooMany);
        }
        let queued = Queued { about: reference(about, uid), event: event(reason, message) };
        if self.queue.try_send(queued).is_err() {
            self.metrics.event_lost(Loss::QueueFull);
        }
    }
}

async fn send(recorder: Recorder, mut waiting: mpsc::Receiver<Queued>, metrics: Arc<Metrics>) {
    while let Some(Queued { about, event }) = waiting.recv().await {
        let trouble = match timeout(PATIENCE, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        metrics.event_lost(Loss::Refused);
        let (kind, name) = (about.kind.unwrap_or_default(), about.name.unwrap_or_default());
        tracing::debug!(kind, name, reason = event.reason, trouble, "an event was not written");
    }
}

fn event(reason: EventReason, message: &str) -> Event {
    let (name, type_, action) = reason.words();
    // The recorder takes events with the same action for one series and keeps the first one's note.
    // Another message is another event.
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    Event {
        type_,
        reason: name.to_owned(),
        note: Some(shortened(message).to_owned()),
        action: format!("{action}-{:08x}", hasher.finish() as u32),
        secondary: None,
    }
}

fn reference(id: &ObjectId, uid: Option<&str>) -> ObjectReference {
    ObjectReference {
        api_version: Some(id.api_version.clone()),
        kind: Some(id.kind.clone()),
        namespace: id.namespace.clone(),
        name: Some(id.name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

/// As much of it as the API server takes.
fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(LONGEST_NOTE)]
}

#[cfg(test)]
mod tests;
