//! By which names the proxies of gateways know the single versions of a service.

use std::collections::{BTreeMap, BTreeSet};

use judge::Counts;

use super::answers::{Tallies, Tally, Totals};
use super::statistics::{Scope, Statistics};
use crate::values::{Service, Split, Version, Workload};

/// Whose proxies they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proxies {
    /// Gloo's.
    Gloo,
    /// kgateway's.
    Kgateway,
    /// Envoy Gateway's.
    EnvoyGateway,
}

/// What of a proxy is counted for which version of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The clusters that a version has for itself.
    clusters: BTreeMap<String, String>,
    /// The cluster that versions share, and what the names of such clusters begin with.
    shared: Option<String>,
    shared_prefix: Option<String>,
    /// Whether the proxy leaves out what it has never used.
    is_sparse: bool,
    scope: Scope,
}

impl Versions {
    /// Those of the primary and the canary, at the proxies of this kind.
    pub fn of(service: &Service, proxies: Proxies) -> Self {
        let namespace = &service.namespace;
        let canary = service.routes.canary.as_ref();
        let versions = [Some(&service.routes.primary), canary.map(|it| &it.version)];
        let versions = || versions.iter().copied().flatten();
        // A copy of a request goes to a cluster of its own where versions are subsets.
        let is_copied = canary.is_some_and(|canary| canary.shadow.percent() > 0);
        let scope = if is_copied { Scope::External } else { Scope::All };
        match proxies {
            Proxies::Gloo => {
                let is_shared = service.routes.split == Split::Subset;
                let cluster = |version: &Version| match service.versions.get(version)? {
                    Workload::Upstream(upstream) => {
                        Some(format!("{}_{}", upstream.name, upstream.namespace))
                    }
                    _ if is_shared => None,
                    _ => Some(format!("{}_{namespace}", service.version_name(version))),
                };
                Self {
                    clusters: versions()
                        .filter_map(|it| Some((it.to_string(), cluster(it)?)))
                        .collect(),
                    shared: is_shared.then(|| format!("{}_{namespace}", service.name)),
                    scope,
                    ..Self::default()
                }
            }
            Proxies::Kgateway => {
                let cluster = |version: &Version| {
                    let name = service.version_name(version);
                    (version.to_string(), format!("kube_{namespace}_{name}_{}", service.port))
                };
                let clusters = versions().map(cluster).collect();
                Self { clusters, is_sparse: true, scope, ..Self::default() }
            }
            // Their clusters are those of rules, and each has the pods of both versions (gateway-conformance).
            Proxies::EnvoyGateway => Self {
                shared_prefix: Some(format!("httproute/{namespace}/{}", service.name)),
                ..Self::default()
            },
        }
    }

    /// Whether the single hosts of a cluster have to be looked at.
    pub fn needs_hosts(&self) -> bool {
        self.shared.is_some() || self.shared_prefix.is_some()
    }

    /// Whether versions have clusters of their own.
    pub fn needs_clusters(&self) -> bool {
        !self.clusters.is_empty()
    }

    /// The names of the clusters that versions have for themselves.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.clusters.values().map(String::as_str)
    }

    /// Whether versions share this cluster.
    pub fn is_shared(&self, cluster: &str) -> bool {
        self.shared.as_deref() == Some(cluster)
            || self.shared_prefix.as_deref().is_some_and(|prefix| {
                // The name of an HTTPRoute: the service's, perhaps with `-routes` and a number.
                let rest = cluster.strip_prefix(prefix).and_then(|it| it.split_once('/'));
                rest.is_some_and(|(name, _)| {
                    let number = name.strip_prefix("-routes");
                    let number = number.map(|rest| rest.strip_prefix('-').unwrap_or(rest));
                    name.is_empty()
                        || number.is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit()))
                })
            })
    }

    /// What a proxy has counted for each version, by its statistics and those of its hosts, as far as they are needed.
    /// `version` says to which version a pod with this address belongs.
    ///
    /// # Errors
    /// Says what the proxy has not.
    pub fn totals(
        &self,
        statistics: Option<&Statistics>,
        hosts: Option<&BTreeMap<String, Counts>>,
        over: Option<std::time::Duration>,
        version: impl Fn(&str) -> Option<String>,
    ) -> Result<Totals, String> {
        let mut tallies = Tallies::new();
        if let Some(statistics) = statistics {
            for (version, cluster) in &self.clusters {
                if !self.is_sparse && !statistics.has(cluster) {
                    return Err(format!("it has no cluster {cluster} yet"));
                }
                let slow = over.map(|over| statistics.times(cluster, self.scope, over));
                let answers = statistics.answers(cluster, self.scope);
                tallies.insert((version.clone(), cluster.clone()), Tally { answers, slow });
            }
        }
        let own: BTreeSet<&String> = self.clusters.keys().collect();
        for (address, answers) in hosts.into_iter().flatten() {
            match version(address) {
                Some(version) if own.contains(&version) => {}
                Some(version) => {
                    let tally = Tally { answers: *answers, slow: None };
                    tallies.insert((version, address.clone()), tally);
                }
                // Nothing came to it that could be missed.
                None if answers.total == 0 => {}
                None => return Err(format!("nobody knows whose pod {address} is")),
            }
        }
        Ok(Totals { uptime: statistics.and_then(|it| it.uptime), tallies })
    }
}
