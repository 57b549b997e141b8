//! Whether every proxy has endpoints of the clusters that requests are about to be led to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::proxy::{Page, ProxyKind};
use super::read::{Look, Reader};
use coalmine_core::measure::Counters;
use coalmine_core::plan::Newcomers;
use coalmine_core::reason::Reason;

/// How old what was seen may be: many services that come together ask the same.
const FRESH: Duration = Duration::from_millis(200);

/// The proxies of the Gateway API's gateways, to be asked for what they know. Copies share it.
#[derive(Clone)]
pub struct Proxies {
    reader: Reader,
    kgateway: Arc<Mutex<Option<Seen>>>,
    envoy_gateway: Arc<Mutex<Option<Seen>>>,
}

struct Seen {
    at: Instant,
    namespaces: BTreeSet<String>,
    look: Arc<Look<Counters>>,
}

impl Proxies {
    /// Those that this reads.
    pub fn new(reader: Reader) -> Self {
        Self { reader, kgateway: Arc::default(), envoy_gateway: Arc::default() }
    }

    /// The first proxy that has no endpoints of one of them. A proxy that cannot be read says nothing: as many seconds as it
    /// takes to know it without looking would hold up every change where no proxy may be read.
    pub async fn lacking(&self, newcomers: &Newcomers) -> Option<Reason> {
        let Newcomers { of_services, of_rules, gateways, .. } = newcomers;
        for (kind, clusters, place) in [
            (ProxyKind::Kgateway, of_services, &self.kgateway),
            (ProxyKind::EnvoyGateway, of_rules, &self.envoy_gateway),
        ] {
            if clusters.is_empty() {
                continue;
            }
            let look = self.look(kind, gateways, place).await;
            for (proxy, counters) in look.of_gateways(gateways) {
                let counters = match counters {
                    Ok(counters) => counters,
                    Err(error) => {
                        tracing::debug!(proxy, error, "the proxy cannot be read");
                        continue;
                    }
                };
                if let Some(cluster) = clusters.iter().find(|it| !counters.answers(it)) {
                    let (proxy, cluster) = (proxy.to_owned(), cluster.clone());
                    return Some(Reason::ProxyLacks { proxy, cluster });
                }
            }
        }
        None
    }

    async fn look(
        &self,
        kind: ProxyKind,
        gateways: &BTreeSet<String>,
        place: &Mutex<Option<Seen>>,
    ) -> Arc<Look<Counters>> {
        let namespaces: BTreeSet<String> = gateways
            .iter()
            .filter_map(|gateway| gateway.split_once('/'))
            .map(|(namespace, _)| namespace.to_owned())
            .collect();
        let mut seen = place.lock().await;
        let fresh = seen
            .as_ref()
            .filter(|seen| seen.at.elapsed() < FRESH && seen.namespaces.is_superset(&namespaces));
        if let Some(fresh) = fresh {
            return Arc::clone(&fresh.look);
        }
        let look =
            Arc::new(self.reader.look(kind, &namespaces, &Page::Requests, Counters::parse).await);
        *seen = Some(Seen { at: Instant::now(), namespaces, look: Arc::clone(&look) });
        look
    }
}
