//! How many requests the clusters of an Envoy were to get, and which of them have hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::exposition::{CLUSTER, NoCounters, read};

/// The counters that together are the requests which a cluster was to get: those that it was sent, and those that no
/// host or no connection was there for (Envoy's documentation, "Cluster Manager: Statistics").
const REQUESTS: [&str; 3] = [
    "envoy_cluster_upstream_rq_total",
    "envoy_cluster_upstream_cx_none_healthy",
    "envoy_cluster_upstream_rq_pending_overflow",
];
/// How many hosts of a cluster may get requests. Not there, where used statistics alone were asked for, until the first
/// endpoints have come.
const HEALTHY: &str = "envoy_cluster_membership_healthy";

/// What a proxy has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How long the proxy has run, if it says so.
    pub uptime: Option<Duration>,
    /// Requests by the name of the cluster in Envoy. A proxy that was asked for used counters alone leaves out those
    /// of 0.
    requests: BTreeMap<String, u64>,
    /// The clusters that have a host which may get requests.
    answering: BTreeSet<String>,
}

impl Counters {
    /// Reads the statistics of an Envoy.
    ///
    /// # Errors
    /// A text in another format, or of another program: what an Envoy has counted is not known then.
    pub fn parse(text: &str) -> Result<Self, NoCounters> {
        let mut counters = Self::default();
        counters.uptime = read(text, |sample| {
            let Some(cluster) = sample.label(CLUSTER) else { return };
            if sample.name == HEALTHY && sample.value > 0 {
                counters.answering.insert(cluster.to_owned());
            }
            if REQUESTS.contains(&sample.name) {
                let total = counters.requests.entry(cluster.to_owned()).or_default();
                *total = total.saturating_add(sample.value);
            }
        })?;
        Ok(counters)
    }

    /// Whether the cluster has a host which may get requests.
    pub fn answers(&self, cluster: &str) -> bool {
        self.answering.contains(cluster)
    }

    /// The requests of all clusters that are meant.
    pub fn requests(&self, is_meant: impl Fn(&str) -> bool) -> u64 {
        let meant = self.requests.iter().filter(|(cluster, _)| is_meant(cluster));
        meant.fold(0, |sum, (_, requests)| sum.saturating_add(*requests))
    }
}
