//! One look at everything that is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use super::Autopilot;
use super::asked::ask;
use super::flight::Flight;
use crate::measure::{Look, Page, ProxyKind};
use coalmine_core::measure::{Blind, Statistics, Totals, hosts};
use judge::{Counts, Measure};

/// What was read of the proxies of one kind.
struct Seen {
    statistics: Look<Statistics>,
    hosts: Option<Look<BTreeMap<String, Counts>>>,
}

impl Autopilot {
    /// Looks at all proxies concerned once, and lets each rollout decide by that.
    pub(super) async fn look(&mut self) {
        let seen = self.read().await;
        let parts = &self.parts;
        let aborts = &self.aborts;
        let under_way = self.flights.iter_mut().filter(|(name, _)| !aborts.contains_key(*name));
        let asked = under_way.map(|(name, flight)| async move {
            let service = flight.service().clone();
            (name.clone(), ask(parts.promql.as_ref(), &service, &mut flight.asked).await)
        });
        let asked: BTreeMap<String, BTreeMap<String, Result<Measure, String>>> =
            join_all(asked).await.into_iter().collect();
        let now = parts.status_store.now();
        for (name, flight) in &mut self.flights {
            if aborts.contains_key(name) {
                continue;
            }
            let pods = parts.cache.pods_in(name, &flight.service().namespace);
            let known = pods.iter().filter_map(|pod| {
                Some((pod.address.as_ref()?.to_string(), pod.version.to_string()))
            });
            flight.addresses.extend(known);
            let totals = totals(flight, &seen);
            let answers = totals.and_then(|totals| flight.answers.look(totals));
            let is_ready = parts.status_store.is_ready(name);
            let objects = parts.cache.of_service(name);
            let Some(asked) = asked.get(name) else { continue };
            let sight = flight.sight(now, is_ready, &objects, &pods, &answers, asked);
            let policy = flight.subject.accepted.policy.clone();
            let opinion = flight.run.see(&sight, &policy);
            flight.last = Some((sight, opinion));
        }
    }

    async fn read(&self) -> BTreeMap<ProxyKind, Seen> {
        let flights: Vec<&Flight> = self
            .flights
            .iter()
            .filter(|(name, _)| !self.aborts.contains_key(*name))
            .map(|(_, flight)| flight)
            .collect();
        let kinds: BTreeSet<ProxyKind> =
            flights.iter().flat_map(|flight| flight.versions.keys().copied()).collect();
        let mut namespaces: BTreeSet<String> =
            flights.iter().flat_map(|flight| flight.service().gateway_namespaces()).collect();
        namespaces.insert(self.gloo_namespace.borrow().clone());
        let (flights, namespaces) = (&flights, &namespaces);
        let looks = kinds.into_iter().map(|kind| async move {
            let versions = || flights.iter().filter_map(|flight| flight.versions.get(&kind));
            let clusters: BTreeSet<String> =
                versions().flat_map(|it| it.clusters()).map(str::to_owned).collect();
            let page = Page::Clusters(clusters.clone());
            let statistics = self.reader.look(kind, namespaces, &page, |text| {
                Statistics::parse(text, |cluster| clusters.contains(cluster))
            });
            let shared = async {
                if !versions().any(|it| it.needs_hosts()) {
                    return None;
                }
                let is_shared = |cluster: &str| versions().any(|it| it.is_shared(cluster));
                let parse = |text: &str| hosts(text, is_shared);
                Some(self.reader.look(kind, namespaces, &Page::Hosts, parse).await)
            };
            let (statistics, hosts) = tokio::join!(statistics, shared);
            (kind, Seen { statistics, hosts })
        });
        join_all(looks).await.into_iter().collect()
    }
}

/// What each proxy has counted for the versions of a service.
fn totals(
    flight: &Flight,
    seen: &BTreeMap<ProxyKind, Seen>,
) -> Result<BTreeMap<String, Result<Totals, String>>, Blind> {
    let over: Option<Duration> = flight.over();
    let mut totals = BTreeMap::new();
    for (kind, versions) in &flight.versions {
        let Some(Seen { statistics, hosts }) = seen.get(kind) else { continue };
        let unlisted = statistics.unlisted.as_ref();
        let unlisted = unlisted.or_else(|| hosts.as_ref()?.unlisted.as_ref());
        if let Some(words) = unlisted {
            return Err(Blind::NoProxy(words.clone()));
        }
        if statistics.proxies.is_empty() {
            return Err(Blind::NoProxy(format!("no proxy of {} was found", kind.described())));
        }
        for (proxy, statistics) in &statistics.proxies {
            let hosts = hosts.as_ref().filter(|_| versions.needs_hosts());
            let hosts = hosts.map(|look| match look.proxies.get(proxy) {
                Some(read) => read.as_ref().map_err(Clone::clone),
                None => Err("it was not there any more".to_owned()),
            });
            let read = hosts.transpose().and_then(|hosts| {
                let statistics = statistics.as_ref().map_err(Clone::clone)?;
                let version = |address: &str| flight.addresses.get(address).cloned();
                versions.totals(Some(statistics), hosts, over, version)
            });
            totals.insert(format!("{} {proxy}", kind.name()), read);
        }
    }
    Ok(totals)
}
