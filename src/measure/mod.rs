//! What the proxies of gateways say of themselves: which clusters they have endpoints of ([`Proxies`]), and which gateway the
//! clients of a service still come in by, while both APIs serve it ([`Measuring`]).
//!
//! The switch from one gateway to the other is outside: DNS, or a load balancer. So the counters of the proxies tell
//! whether it has been made. It is read only while a service is written in both APIs.

mod endpoints;
mod proxy;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

pub use endpoints::Proxies;
pub use proxy::{Page, ProxyKind, ProxyMetrics};
pub use read::{Look, Reader};

use crate::report::{GatewayRequests, StatusStore};
use coalmine_core::kind::RouteApi;
use coalmine_core::measure::{Clusters, Counters, Reading, Requests};
use coalmine_core::values::{GatewayApi, Service};

/// The pause between two looks, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// A look may take a tenth of the time, so that big statistics are read more rarely.
const PATIENCE: u32 = 9;

/// Both APIs, in the order in which they are shown.
const APIS: [RouteApi; 2] = [RouteApi::Gloo, RouteApi::GatewayApi];

/// Measures services.
pub struct Measuring {
    reader: Reader,
    status_store: Arc<StatusStore>,
    gloo_namespace: watch::Receiver<String>,
    services: BTreeMap<String, Measuree>,
}

/// One service that is measured.
struct Measuree {
    service: Arc<Service>,
    gateway: GatewayApi,
    clusters: Clusters,
    requests: BTreeMap<RouteApi, Requests>,
}

impl Measuring {
    /// Gloo's pods are looked for in Gloo's namespace, where not the whole cluster is watched.
    pub fn new(
        reader: Reader,
        status_store: Arc<StatusStore>,
        gloo_namespace: watch::Receiver<String>,
    ) -> Self {
        Self { reader, status_store, gloo_namespace, services: BTreeMap::new() }
    }

    /// Measures for ever, and rests as long as no service is written in both APIs.
    pub async fn measure(&mut self) {
        let mut changes = self.status_store.changes();
        loop {
            changes.mark_unchanged();
            self.follow(self.status_store.in_both_apis());
            if self.services.is_empty() {
                // The status store lives as long as this does.
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let begun = Instant::now();
            self.look().await;
            sleep(PAUSE.max(PATIENCE * begun.elapsed())).await;
        }
    }

    /// Takes over which services there are.
    fn follow(&mut self, services: BTreeMap<String, Arc<Service>>) {
        let mut before = std::mem::take(&mut self.services);
        let had_some = !before.is_empty();
        for (name, service) in services {
            let measuree = match before.remove(&name) {
                Some(known) if Arc::ptr_eq(&known.service, &service) => Some(known),
                known => Measuree::of(service, known),
            };
            self.services.extend(measuree.map(|measuree| (name, measuree)));
        }
        if self.services.is_empty() && had_some {
            self.status_store.measured(&BTreeMap::new());
        }
    }

    /// Looks at the proxies once, and shows what is known then.
    async fn look(&mut self) {
        let kinds: BTreeSet<ProxyKind> =
            self.services.values().flat_map(Measuree::kinds).copied().collect();
        let mut namespaces: BTreeSet<String> =
            self.services.values().flat_map(|it| it.service.gateway_namespaces()).collect();
        namespaces.insert(self.gloo_namespace.borrow().clone());
        let mut looks = BTreeMap::new();
        for kind in kinds {
            looks.insert(
                kind,
                self.reader.look(kind, &namespaces, &Page::Requests, Counters::parse).await,
            );
        }
        let now = self.status_store.now();
        let measured = self
            .services
            .iter_mut()
            .map(|(name, measuree)| (name.clone(), measuree.look(now, &looks)))
            .collect();
        self.status_store.measured(&measured);
    }
}

impl Measuree {
    /// A service that is written in both APIs. Of the same service with other values it keeps what was counted as
    /// long as the clusters are the same.
    fn of(service: Arc<Service>, before: Option<Self>) -> Option<Self> {
        let gateway = service.routes.gateway.gateway_api()?.clone();
        let clusters = Clusters::of_both(&service)?;
        let requests = before
            .filter(|before| before.clusters == clusters && before.gateway == gateway)
            .map(|before| before.requests)
            .unwrap_or_default();
        Some(Self { service, gateway, clusters, requests })
    }

    /// The proxies that may serve it.
    fn kinds(&self) -> impl Iterator<Item = &'static ProxyKind> {
        APIS.into_iter().flat_map(|api| ProxyKind::of(api, &self.gateway))
    }

    /// Takes what was seen, and returns what is known then.
    fn look(
        &mut self,
        now: Timestamp,
        looks: &BTreeMap<ProxyKind, Look<Counters>>,
    ) -> Vec<GatewayRequests> {
        let (clusters, gateway) = (&self.clusters, &self.gateway);
        APIS.into_iter()
            .map(|api| {
                let requests = self.requests.entry(api).or_default();
                let looks = ProxyKind::of(api, gateway).iter().filter_map(|kind| looks.get(kind));
                let looks: Vec<&Look<Counters>> = looks.collect();
                let unlisted = looks.iter().find_map(|look| look.unlisted.clone());
                let proxies = looks.iter().flat_map(|look| &look.proxies);
                let reading = |counters: &Counters| Reading {
                    requests: clusters.requests(api, counters),
                    uptime: counters.uptime,
                };
                let readings: BTreeMap<String, Option<Reading>> = proxies
                    .clone()
                    .map(|(name, read)| (name.clone(), read.as_ref().ok().map(reading)))
                    .collect();
                let unread = proxies.filter_map(|(name, read)| Some((name, read.as_ref().err()?)));
                let unread = unread.map(|(name, error)| format!("proxy {name}: {error}")).next();
                let none = || format!("no proxy of {} was found", names(api, gateway));
                let problem = unlisted.or(unread).or_else(|| readings.is_empty().then(none));
                // Without a list nobody knows which proxies there are: those that are missing in it may still serve.
                if looks.iter().any(|look| look.unlisted.is_some()) {
                    requests.blind();
                } else {
                    requests.look(now, &readings);
                }
                GatewayRequests::of(api, requests.measured(), readings.len(), now, problem)
            })
            .collect()
    }
}

/// Whose proxies serve the routes of an API.
fn names(api: RouteApi, gateway: &GatewayApi) -> String {
    let kinds = ProxyKind::of(api, gateway).iter();
    kinds.map(|kind| kind.described()).collect::<Vec<_>>().join(" or ")
}
