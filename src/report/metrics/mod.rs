//! What Prometheus reads at `/metrics`, in the OpenMetrics format. docs/metrics.md lists it all, and a
//! test holds the two together.

mod autopilot;
mod requests;
mod services;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::runtime::Handle;

pub use requests::{Counted, Requests};

use super::StatusStore;
use services::Services;

/// The media type of [`Metrics::text`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of fetch durations, in seconds.
const FETCH_BUCKETS: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 2.0, 10.0, 60.0];

/// The daemon's metrics. Its methods are named after what happened; what can be computed from the
/// [`StatusStore`] is, at each scrape.
pub struct Metrics {
    registry: Registry,
    status_store: Arc<StatusStore>,
    fetches: Histogram,
    failed_fetches: Counter,
    last_fetch: Gauge<f64, AtomicU64>,
    leader: Gauge,
    watch_restarts: Family<WatchLabels, Counter>,
    refusals: Counter,
    lost_events: Family<LossLabels, Counter>,
    requests: Requests,
    tasks: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LossLabels {
    cause: &'static str,
}

/// Why a Kubernetes Event was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There were too many about this object of late.
    TooMany,
    /// Too many were waiting to be sent.
    QueueFull,
    /// The API server did not take it.
    Refused,
}

impl Metrics {
    /// The metrics of a daemon with this board.
    pub fn new(status_store: Arc<StatusStore>) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("coalmine"),
            status_store,
            fetches: Histogram::new(FETCH_BUCKETS),
            failed_fetches: Counter::default(),
            last_fetch: Gauge::default(),
            leader: Gauge::default(),
            watch_restarts: Family::default(),
            refusals: Counter::default(),
            lost_events: Family::default(),
            requests: Requests::default(),
            tasks: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program that runs", build);
        registry.register(
            "source_fetch_duration_seconds",
            "How long fetches from the repository took, failed ones included",
            self.fetches.clone(),
        );
        registry.register(
            "source_fetch_failures",
            "Fetches from the repository that failed",
            self.failed_fetches.clone(),
        );
        registry.register(
            "source_last_successful_fetch_timestamp_seconds",
            "When a fetch went well the last time, since 1970; 0 before the first",
            self.last_fetch.clone(),
        );
        registry.register("leader", "1 while this replica does the work", self.leader.clone());
        registry.register(
            "watch_restarts",
            "Watches of this kind that broke and were begun anew",
            self.watch_restarts.clone(),
        );
        registry.register(
            "preflight_refusals",
            "Changes that were not made because Gloo's rules make them harmful",
            self.refusals.clone(),
        );
        registry.register(
            "events_lost",
            "Kubernetes Events that were not written",
            self.lost_events.clone(),
        );
        registry.register(
            "api_requests",
            "Requests to the API server, a dry run has the verb dry-run",
            self.requests.0.clone(),
        );
        registry.register(
            "tasks",
            "Tasks of the daemon's runtime that have not ended: a number that only grows is a fault of coalmine",
            self.tasks.clone(),
        );
        registry.register_collector(Box::new(Services(self.status_store.clone())));
    }

    /// The counts of requests to the API server, for the client to keep.
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }

    /// A fetch from the repository ended.
    pub fn fetched(&self, duration: Duration, succeeded: bool) {
        self.fetches.observe(duration.as_secs_f64());
        if succeeded {
            self.last_fetch.set(self.status_store.now().as_duration().as_secs_f64());
        } else {
            self.failed_fetches.inc();
        }
    }

    /// An attempt to reconcile the service ended, in whichever way.
    pub fn reconciled(&self, service: &str, duration: Duration) {
        self.status_store.count(service, |tally| tally.reconciles.observe(duration));
    }

    /// A pass over the service panicked.
    pub fn reconcile_panicked(&self, service: &str) {
        self.status_store.count(service, |tally| tally.panics += 1);
    }

    /// Somebody else's change to an object of this kind was found.
    pub fn drift_found(&self, service: &str, kind: &str) {
        self.status_store.count(service, |tally| tally.drift_of(kind).found += 1);
    }

    /// Somebody else's change to an object of this kind was undone.
    pub fn drift_repaired(&self, service: &str, kind: &str) {
        self.status_store.count(service, |tally| tally.drift_of(kind).repaired += 1);
    }

    /// A change was refused by the preflight.
    pub fn preflight_refused(&self) {
        self.refusals.inc();
    }

    /// This replica does the work from now on, or does not.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// A watch of this kind broke and is begun anew.
    pub fn watch_restarted(&self, kind: &str) {
        self.watch_restarts.get_or_create(&WatchLabels { kind: kind.to_owned() }).inc();
    }

    /// A Kubernetes Event was not written.
    pub fn event_lost(&self, loss: Loss) {
        let cause = match loss {
            Loss::TooMany => "too-many",
            Loss::QueueFull => "queue-full",
            Loss::Refused => "refused",
        };
        self.lost_events.get_or_create(&LossLabels { cause }).inc();
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        if let Ok(runtime) = Handle::try_current() {
            let tasks = runtime.metrics().num_alive_tasks();
            self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}

#[cfg(test)]
mod tests;
