//! What an Envoy has counted of single clusters: how they answered, and how long that took.

use std::collections::BTreeMap;
use std::time::Duration;

use judge::Counts;
use serde_json::Value;

use super::exposition::{CLUSTER, NoCounters, Sample, read};

/// Answers by their class: of all requests, and without those that Envoy or a client inside has made, which copies of
/// requests are (Envoy's documentation, "Cluster Manager: Statistics", dynamic HTTP statistics).
const ANSWERS: [&str; 2] =
    ["envoy_cluster_upstream_rq_xx", "envoy_cluster_external_upstream_rq_xx"];
/// How long they took, in milliseconds.
const TIMES: [&str; 2] =
    ["envoy_cluster_upstream_rq_time_bucket", "envoy_cluster_external_upstream_rq_time_bucket"];
const CLASS: &str = "envoy_response_code_class";
/// What Envoy has of every cluster from its beginning on.
const PRESENT: &str = "envoy_cluster_upstream_rq_total";

/// Which requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// Those that come from outside: no copies.
    External,
}

/// What a proxy has counted of some clusters since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How long the proxy has run, if it says so.
    pub uptime: Option<Duration>,
    clusters: BTreeMap<String, Cluster>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cluster {
    answers: [Counts; 2],
    /// How many took up to so many microseconds, and how many there were.
    times: [BTreeMap<u64, u64>; 2],
    timed: [u64; 2],
}

impl Statistics {
    /// Reads those of the clusters that are meant.
    ///
    /// # Errors
    /// A text in another format, or of another program: what an Envoy has counted is not known then.
    pub fn parse(text: &str, is_meant: impl Fn(&str) -> bool) -> Result<Self, NoCounters> {
        let mut statistics = Self::default();
        statistics.uptime = read(text, |sample| {
            if let Some(name) = sample.label(CLUSTER).filter(|name| is_meant(name)) {
                statistics.take(name.to_owned(), sample);
            }
        })?;
        Ok(statistics)
    }

    fn take(&mut self, cluster: String, sample: &Sample<'_>) {
        let place = |names: [&str; 2]| names.iter().position(|name| *name == sample.name);
        if let Some(at) = place(ANSWERS) {
            let class = sample.label(CLASS).unwrap_or_default();
            // Answers of the class 1 come before others to the same request.
            if ["2", "3", "4", "5"].contains(&class) {
                let bad = if class == "5" { sample.value } else { 0 };
                let more = Counts { total: sample.value, bad };
                self.clusters.entry(cluster).or_default().answers[at] += more;
            }
        } else if let Some(at) = place(TIMES) {
            let cluster = self.clusters.entry(cluster).or_default();
            match sample.label("le").unwrap_or_default() {
                "+Inf" => cluster.timed[at] = sample.value,
                bound => {
                    let bound = bound.parse().ok().map(|milliseconds: f64| milliseconds * 1000.0);
                    let times = &mut cluster.times[at];
                    times.extend(bound.map(|bound| (bound as u64, sample.value)));
                }
            }
        } else if sample.name == PRESENT {
            self.clusters.entry(cluster).or_default();
        }
    }

    /// Whether the proxy has counted anything of this cluster, be it nothing.
    pub fn has(&self, cluster: &str) -> bool {
        self.clusters.contains_key(cluster)
    }

    /// The answers of a cluster: all, and 5xx, to which requests without an answer belong: Envoy answers 503 and 504
    /// for them.
    pub fn answers(&self, cluster: &str, scope: Scope) -> Counts {
        self.clusters.get(cluster).map(|it| it.answers[scope.index()]).unwrap_or_default()
    }

    /// The answers of a cluster whose time is known: all, and those that took longer than one of Envoy's bounds.
    pub fn times(&self, cluster: &str, scope: Scope, over: Duration) -> Counts {
        let Some(cluster) = self.clusters.get(cluster) else { return Counts::default() };
        let (total, over) = (cluster.timed[scope.index()], over.as_micros() as u64);
        let within = cluster.times[scope.index()].get(&over).copied().unwrap_or_default();
        Counts::new(total, total.saturating_sub(within))
    }
}

impl Scope {
    fn index(self) -> usize {
        match self {
            Self::All => 0,
            Self::External => 1,
        }
    }
}

/// The answers of the single hosts of clusters, by their addresses: Envoy's `/clusters?format=json`. A host of several
/// clusters has the sum.
///
/// # Errors
/// A text that is no such list.
pub fn hosts(
    text: &str,
    is_meant: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Counts>, NoCounters> {
    let list: Value = serde_json::from_str(text).map_err(|error| NoCounters::Line(error.line()))?;
    let clusters = list["cluster_statuses"].as_array().ok_or(NoCounters::NoEnvoy)?;
    let mut hosts: BTreeMap<String, Counts> = BTreeMap::new();
    let meant = clusters.iter().filter(|it| it["name"].as_str().is_some_and(&is_meant));
    for host in meant.filter_map(|it| it["host_statuses"].as_array()).flatten() {
        let Some(address) = host.pointer("/address/socket_address/address") else { continue };
        let stats = host["stats"].as_array().map(Vec::as_slice).unwrap_or_default();
        // A counter of 0 has no value in it.
        let value = |name: &str| {
            let value = stats.iter().find(|it| it["name"] == name).map(|it| &it["value"]);
            value.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok())).unwrap_or(0)
        };
        let bad = value("rq_error");
        let more = Counts { total: value("rq_success").saturating_add(bad), bad };
        *hosts.entry(address.as_str().unwrap_or_default().to_owned()).or_default() += more;
    }
    Ok(hosts)
}
