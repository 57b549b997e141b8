//! From objects to what Envoy serves, in the steps of Gloo: read the objects, resolve delegation,
//! check against the Upstreams, keep the last good version of what is in error, translate, and let
//! Envoy take it or leave it.

mod child;
mod clusters;
mod delegation;
mod destinations;
mod domains;
mod endpoints;
mod findings;
mod gateway;
mod header_edits;
mod memory;
mod mistake;
mod options;
mod paths;
mod proxy;
mod refusal;
mod replace;
mod reports;
mod route_findings;
mod selector;
mod sort;
mod statuses;
#[cfg(test)]
mod tests;
mod unsupported;
mod view;
mod virtual_hosts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use findings::{Finding, Severity};
pub use memory::Memory;
pub use sort::depends_on_other_tables;

use self::proxy::{Proxy, ProxyListener, ProxyVirtualHost};
use self::reports::Reports;
use self::statuses::ProxyReport;
use self::view::View;
use self::virtual_hosts::Translated;
use crate::api::{InvalidConfigPolicy, ObjectRef, Status};
use crate::config::{Cluster, VirtualHost};
use crate::snapshot::Snapshot;

/// What Gloo and Envoy make of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// What Envoy listens on; `None`: connections are refused.
    pub listener: Option<Listener>,
    /// What Envoy serves there. If it refused what Gloo made, this is what it took last.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    /// The clusters, by name.
    pub clusters: Vec<Cluster>,
    /// What answers for routes that lead nowhere, if any was replaced.
    pub replacement: Option<Replacement>,
    /// The verdicts as they stand on the objects. An object without one is not in here.
    pub statuses: Arc<BTreeMap<ObjectRef, Status>>,
    /// The verdict on the proxy, which Gloo keeps to itself; `None`: there is no proxy. Errors of
    /// routes show here only.
    pub proxy: Option<Status>,
    /// Why Envoy refused the virtual hosts that Gloo made. Then no change reaches anybody.
    pub refused: Option<String>,
    /// The virtual hosts that the objects ask for, those included that Gloo or Envoy does not take.
    pub desired: Vec<Arc<VirtualHost>>,
    /// Every mistake with the object it is written in, sorted; also what no status shows.
    pub findings: Vec<Finding>,
    /// The mistakes that the status of an object lists, in its order: errors, or warnings, of its own
    /// and of what it uses. A mistake may be listed by several objects.
    pub reported: BTreeMap<ObjectRef, Vec<Finding>>,
    /// For the next translation.
    pub memory: Memory,
}

impl Translation {
    /// The objects whose status lists the mistake: the one it is written in, and those that use it.
    pub fn reported_on(&self, finding: &Finding) -> impl Iterator<Item = &ObjectRef> {
        let lists = self.reported.iter().filter(|(_, listed)| listed.contains(finding));
        lists.map(|(object, _)| object)
    }
}

/// An address that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `listener-<address>-<port>`.
    pub name: String,
    /// As in the Gateway.
    pub address: String,
    /// As in the Gateway.
    pub port: u32,
}

/// The answer of routes that lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// HTTP status.
    pub status: u32,
    /// The body.
    pub body: String,
}

/// Says what Gloo and Envoy make of the objects, given what they remember.
///
/// The same arguments give the same result; nothing in the objects makes it fail.
pub fn translate(snapshot: &Snapshot, memory: &Memory) -> Translation {
    let view = View::read(snapshot, &memory.view);
    let settings = view.settings(&snapshot.gloo_namespace);
    let mut reports = Reports::default();
    let desired = gateway::desire(&view, &snapshot.gloo_namespace, &mut reports);
    let mut hosts = Vec::new();
    let proxy = desired.map(|desired| {
        hosts = check_virtual_hosts(&desired.listener, &view, &mut reports);
        Arc::new(desired.keep_last_good(memory.proxy.as_deref(), &reports))
    });
    let served = match &proxy {
        Some(proxy) => {
            statuses::check_groups(&view, &mut reports);
            let clusters =
                clusters::translate(&view, snapshot, settings.circuit_breakers(), &mut reports);
            serve(proxy, &hosts, clusters, &view, settings.replacement())
        }
        None => Served::default(),
    };
    settle(snapshot, memory, Parts { view, reports, proxy, hosts, served })
}

/// A virtual host of the proxy, and what Envoy is told of it.
struct Checked {
    source: Arc<ProxyVirtualHost>,
    translated: Translated,
}

/// Errors and warnings that the Upstreams and other hosts give rise to are told to the VirtualService;
/// those of single routes are not (gloo-conformance case 06-subset-keys).
fn check_virtual_hosts(
    listener: &ProxyListener,
    view: &View,
    reports: &mut Reports,
) -> Vec<Checked> {
    let conflicts = domains::check_resolved(&listener.virtual_hosts);
    let hosts = listener.virtual_hosts.iter().zip(conflicts).map(|(host, conflicts)| {
        let source = &host.source;
        let object = ObjectRef::new("VirtualService", &source.namespace, &source.name);
        let translated = virtual_hosts::translate(host, view);
        for error in conflicts.iter().chain(&translated.errors) {
            reports.error(&object, error.clone());
        }
        for warning in &translated.warnings {
            reports.relay(&object, warning, warning.words.clone());
        }
        reports.add(translated.findings());
        Checked { source: Arc::clone(host), translated }
    });
    hosts.collect()
}

/// What Gloo sends to Envoy.
#[derive(Default)]
struct Served {
    listener: Option<Listener>,
    virtual_hosts: Vec<Arc<VirtualHost>>,
    clusters: Vec<Cluster>,
    replacement: Option<Replacement>,
    report: ProxyReport,
}

fn serve(
    proxy: &Proxy,
    checked: &[Checked],
    clusters: Vec<Cluster>,
    view: &View,
    policy: Option<&InvalidConfigPolicy>,
) -> Served {
    let mut served = Served { clusters, ..Served::default() };
    let Some(listener) = &proxy.listener else { return served };
    let conflicts = domains::check_resolved(&listener.virtual_hosts);
    let known: HashMap<*const ProxyVirtualHost, &Translated> =
        checked.iter().map(|it| (Arc::as_ptr(&it.source), &it.translated)).collect();
    for (host, conflicts) in listener.virtual_hosts.iter().zip(conflicts) {
        let kept;
        let translated = match known.get(&Arc::as_ptr(host)) {
            Some(translated) => translated,
            None => {
                kept = virtual_hosts::translate(host, view);
                &kept
            }
        };
        let errors = conflicts.into_iter().chain(translated.errors.iter().cloned());
        let warnings = translated.warnings.iter().map(|warning| warning.words.clone());
        let errors = errors.map(|mistake| mistake.words);
        served.report.add(errors, &translated.route_errors, warnings);
        served.virtual_hosts.push(Arc::clone(&translated.host));
    }
    // A listener without virtual hosts is not sent (gloo-conformance case 12-last-good-alone).
    served.listener = (!served.virtual_hosts.is_empty()).then(|| Listener {
        name: listener.name(),
        address: listener.address.clone(),
        port: listener.port,
    });
    if let Some(policy) = policy {
        let errored = served.report.excuse_single_route();
        let names: BTreeSet<&str> = served.clusters.iter().map(|c| c.name.as_str()).collect();
        let hosts = &mut served.virtual_hosts;
        served.replacement =
            replace::invalid_routes(hosts, &names, errored.as_deref()).then(|| Replacement {
                status: policy.invalid_route_response_code,
                body: policy.invalid_route_response_body.clone(),
            });
    }
    served
}

struct Parts {
    view: View,
    reports: Reports,
    proxy: Option<Arc<Proxy>>,
    hosts: Vec<Checked>,
    served: Served,
}

/// Lets Envoy take what it is sent, writes the statuses and remembers.
fn settle(snapshot: &Snapshot, memory: &Memory, parts: Parts) -> Translation {
    let Parts { view, mut reports, proxy, hosts, served } = parts;
    let refusals = refusal::refusals(&served.virtual_hosts);
    let refused = refusals.first().map(|first| first.words.clone());
    let accepted = served.listener.as_ref().and_then(|listener| {
        if refused.is_none() {
            return Some((listener.name.clone(), served.virtual_hosts.clone()));
        }
        memory.accepted.clone().filter(|(name, _)| *name == listener.name)
    });
    let proxy_status = proxy.as_ref().map(|_| served.report.status());
    let proxy_name = proxy.as_ref().map(|proxy| proxy.name.as_str()).zip(proxy_status.as_ref());
    let statuses = Arc::new(statuses::write(snapshot, &reports, proxy_name, &memory.statuses));
    // What Gloo holds back Envoy would refuse later.
    let listener = proxy.as_ref().and_then(|proxy| proxy.listener.as_ref());
    let sent = listener.into_iter().flat_map(|listener| &listener.virtual_hosts);
    let sent: HashSet<*const ProxyVirtualHost> = sent.map(Arc::as_ptr).collect();
    let held_back = hosts.iter().filter(|checked| !sent.contains(&Arc::as_ptr(&checked.source)));
    reports.add(refusals);
    held_back.for_each(|it| reports.add(refusal::of_virtual_host(&it.translated.host)));
    let (reported, findings) = reports.into_findings();
    Translation {
        listener: served.listener,
        virtual_hosts: accepted.clone().map(|(_, hosts)| hosts).unwrap_or_default(),
        clusters: served.clusters,
        replacement: served.replacement,
        statuses: Arc::clone(&statuses),
        proxy: proxy_status,
        refused,
        desired: hosts.into_iter().map(|checked| checked.translated.host).collect(),
        findings,
        reported,
        memory: Memory { proxy, view, accepted, statuses },
    }
}
