//! What the Envoys make of what they are sent, and what they remember.
//!
//! Envoy takes each listener and each route configuration, or leaves it and goes on with the one it has
//! (gloo-conformance cases 08-weights, 18-sni-overlap). Of clusters one that it refuses holds up all of
//! them, and their endpoints (cases 20-envoy-refuses-*).

use std::collections::{BTreeMap, BTreeSet};

use super::findings::Finding;
use super::listeners::Made;
use super::refusal;
use crate::config::{Cluster, Listener, RouteConfiguration, Serves};
use crate::environment::Environment;

/// Something that Envoy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The proxy whose Envoy refuses it; `None`: the Envoys of all proxies.
    pub proxy: Option<String>,
    /// `Listener`, `RouteConfiguration` or `Cluster`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Why.
    pub words: String,
}

/// By proxy and name.
type ByName<T> = BTreeMap<(String, String), T>;

/// What the Envoys took last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Envoys {
    listeners: ByName<Listener>,
    routes: ByName<RouteConfiguration>,
    clusters: Clusters,
}

/// What Envoys know of clusters. All Envoys are sent the same.
#[derive(Clone, Debug, Default, PartialEq)]
struct Clusters {
    /// As they are in use.
    taken: Vec<Cluster>,
    /// Those that Envoy cannot use, as they were sent; it goes on with what it had under the name.
    broken: BTreeMap<String, Cluster>,
    /// The names of what was sent last while something was broken.
    sent: BTreeSet<String>,
    /// Envoy no longer asks for clusters, until it or Gloo is restarted: these were the last ones, here
    /// without their endpoints.
    stuck: Option<Vec<Cluster>>,
}

/// What the Envoys have now.
pub(super) struct Outcome {
    pub(super) listeners: Vec<Listener>,
    pub(super) routes: Vec<RouteConfiguration>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) refused: Vec<Refused>,
    /// Envoys have an older version of the clusters than Gloo serves and refuse nothing: they no longer
    /// ask.
    pub(super) behind: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) memory: Envoys,
}

/// What Gloo sends.
pub(super) struct Sent {
    pub(super) listeners: Vec<Made>,
    pub(super) routes: Vec<RouteConfiguration>,
    pub(super) clusters: Vec<Cluster>,
    /// Some Upstream has functions that need a filter of Gloo's own Envoy.
    pub(super) functions: bool,
    /// What Envoy refuses of the clusters.
    pub(super) findings_of_clusters: Vec<(String, refusal::ClusterFault, Finding)>,
}

impl Envoys {
    /// Gloo was restarted: an Envoy that no longer asked for clusters asks again, and is told of all but
    /// those that it once could not use (gloo-conformance case 20-envoy-refuses-gloo-restart).
    pub(super) fn gloo_restarted(mut self) -> Self {
        if self.clusters.stuck.take().is_some() {
            self.clusters.sent.clear();
        }
        self
    }

    /// Listeners, route configurations and clusters as they are.
    pub(super) fn has(&self) -> (Vec<Listener>, Vec<RouteConfiguration>, Vec<Cluster>) {
        (
            self.listeners.values().cloned().collect(),
            self.routes.values().cloned().collect(),
            self.clusters.taken.clone(),
        )
    }

    /// Lets the Envoys take what they are sent, or leave it.
    pub(super) fn take(&self, sent: Sent, environment: Environment) -> Outcome {
        let mut refused = Vec::new();
        let mut findings = Vec::new();
        let mut memory = Self::default();
        for made in sent.listeners {
            let key = (made.listener.proxy.clone(), made.listener.name.clone());
            let refusals = refusal::of_listener(&made, &sent.routes, sent.functions, environment);
            if let Some(first) = refusals.first() {
                refused.push(Refused {
                    proxy: Some(key.0.clone()),
                    kind: "Listener",
                    name: key.1.clone(),
                    words: first.words.clone(),
                });
            }
            let taken = match refusals.is_empty() && !made.waits {
                true => Some(made.listener),
                false => self.listeners.get(&key).cloned(),
            };
            findings.extend(refusals);
            memory.listeners.extend(taken.map(|listener| (key, listener)));
        }
        for routes in &sent.routes {
            let key = (routes.proxy.clone(), routes.name.clone());
            let refusals = refusal::refusals(routes, environment);
            if let Some(first) = refusals.first() {
                refused.push(Refused {
                    proxy: Some(key.0.clone()),
                    kind: "RouteConfiguration",
                    name: key.1.clone(),
                    words: first.words.clone(),
                });
            }
            let taken = match refusals.is_empty() {
                true => Some(routes.clone()),
                false => self.routes.get(&key).cloned(),
            };
            findings.extend(refusals);
            memory.routes.extend(taken.map(|routes| (key, routes)));
        }
        self.remember_routes(&mut memory);
        let (clusters, behind) =
            self.clusters.take(sent.clusters, &sent.findings_of_clusters, &mut refused);
        memory.clusters = clusters;
        findings.extend(sent.findings_of_clusters.into_iter().map(|(_, _, finding)| finding));
        Outcome {
            listeners: memory.listeners.values().cloned().collect(),
            routes: memory.routes.values().cloned().collect(),
            clusters: memory.clusters.taken.clone(),
            refused,
            behind,
            findings,
            memory,
        }
    }

    /// Envoy keeps routes that it is no longer sent as long as a listener reads them, and has none that
    /// no listener reads (gloo-conformance case 17-translate-empty-ssl step 3).
    fn remember_routes(&self, memory: &mut Self) {
        let mut read = BTreeSet::new();
        for listener in memory.listeners.values() {
            for chain in &listener.chains {
                if let Serves::Routes(name) = &chain.serves {
                    read.insert((listener.proxy.clone(), name.clone()));
                }
            }
        }
        let opaque: BTreeSet<String> = memory
            .listeners
            .values()
            .filter(|listener| listener.opaque)
            .map(|listener| format!("{}-routes", listener.name))
            .collect();
        memory.routes.retain(|key, _| {
            read.contains(key) || opaque.iter().any(|name| key.1.starts_with(name))
        });
        for key in read {
            if let (false, Some(old)) = (memory.routes.contains_key(&key), self.routes.get(&key)) {
                memory.routes.insert(key, old.clone());
            }
        }
    }
}

impl Clusters {
    fn take(
        &self,
        sent: Vec<Cluster>,
        faults: &[(String, refusal::ClusterFault, Finding)],
        refused: &mut Vec<Refused>,
    ) -> (Self, bool) {
        let mut note = |name: &str, finding: &Finding| {
            refused.push(Refused {
                proxy: None,
                kind: "Cluster",
                name: name.to_owned(),
                words: finding.words.clone(),
            });
        };
        // One field that Envoy demands and does not get: the whole answer is refused.
        let all = faults.iter().find(|(_, fault, _)| *fault == refusal::ClusterFault::Constraint);
        if let Some((name, _, finding)) = all {
            note(name, finding);
            return (self.clone(), false);
        }
        let broken = faults.iter().map(|(name, ..)| name.clone());
        let broken: BTreeSet<String> = broken.collect();
        let names: BTreeSet<String> = sent.iter().map(|cluster| cluster.name.clone()).collect();
        if let Some(last) = &self.stuck {
            let behind = *last != without_endpoints(&sent);
            return (self.while_stuck(&sent), behind);
        }
        if broken.is_empty() {
            // What once was broken stays as it was if Gloo has been restarted since.
            let once: Vec<Cluster> = sent
                .into_iter()
                .map(|cluster| match self.restarted() && self.broken.contains_key(&cluster.name) {
                    true => self.old(&cluster.name).unwrap_or(cluster),
                    false => cluster,
                })
                .collect();
            let memory = match self.restarted() {
                true => Self { taken: once, ..self.clone() },
                false => Self { taken: once, ..Self::default() },
            };
            let behind = self.restarted() && !self.broken.is_empty();
            return (memory, behind);
        }
        if !self.broken.is_empty() && self.sent != names {
            // Another cluster has come or gone meanwhile: Envoy waits for endpoints for ever.
            let stuck = Some(without_endpoints(&sent));
            return (Self { stuck, sent: names, ..self.clone() }, false);
        }
        for (name, _, finding) in faults {
            note(name, finding);
        }
        let kept = names.iter().filter_map(|name| self.old(name)).collect();
        let broken: BTreeMap<String, Cluster> = sent
            .into_iter()
            .filter(|cluster| broken.contains(&cluster.name))
            .map(|cluster| (cluster.name.clone(), cluster))
            .collect();
        (Self { taken: kept, broken, sent: names, stuck: None }, false)
    }

    /// Gloo was restarted while something was stuck.
    fn restarted(&self) -> bool {
        self.stuck.is_none() && !self.broken.is_empty() && self.sent.is_empty()
    }

    fn old(&self, name: &str) -> Option<Cluster> {
        self.taken.iter().find(|cluster| cluster.name == name).cloned()
    }

    /// What was there goes on with its endpoints as they were; what came later has none.
    fn while_stuck(&self, sent: &[Cluster]) -> Self {
        let known = |cluster: &Cluster| self.old(&cluster.name);
        let came = |cluster: &&Cluster| {
            self.sent.contains(&cluster.name) && !self.broken.contains_key(&cluster.name)
        };
        let taken = sent.iter().filter(|it| came(it) || self.old(&it.name).is_some());
        let taken = taken.map(|cluster| {
            known(cluster).unwrap_or_else(|| Cluster { endpoints: Vec::new(), ..cluster.clone() })
        });
        Self { taken: taken.collect(), ..self.clone() }
    }
}

fn without_endpoints(clusters: &[Cluster]) -> Vec<Cluster> {
    let bare = |cluster: &Cluster| Cluster { endpoints: Vec::new(), ..cluster.clone() };
    clusters.iter().map(bare).collect()
}
