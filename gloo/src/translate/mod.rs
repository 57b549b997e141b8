//! From objects to what Envoy serves, in the steps of Gloo: read the objects, resolve delegation,
//! check against the Upstreams, keep the last good version of what is in error, translate, and let
//! Envoy take it or leave it.

mod child;
mod clusters;
mod delegation;
mod destinations;
mod domains;
mod endpoints;
mod envoys;
mod findings;
mod gateway;
mod header_edits;
mod listeners;
mod memory;
mod mistake;
mod options;
mod paths;
mod proxy;
mod refusal;
mod replace;
mod reports;
mod resolve;
mod route_findings;
mod selection;
mod selector;
mod sort;
mod statuses;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod translation;
mod unmodelled;
mod view;
mod virtual_hosts;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

pub use envoys::Refused;
pub use findings::{Finding, Note, Severity};
pub use memory::Memory;
pub use sort::depends_on_other_tables;
pub use translation::{Desired, Replacement, Translation};

use self::clusters::Clusters;
use self::envoys::Sent;
use self::listeners::{Known, routes_name};
use self::proxy::{Content, Proxy, ProxyListener, ProxyVirtualHost};
use self::reports::Reports;
use self::statuses::ProxyReport;
use self::view::View;
use self::virtual_hosts::Translated;
use crate::api::{ObjectRef, ResourceRef, SettingsSpec, Status};
pub use crate::config::{Chain, Listener, RouteConfiguration, Serves, Tls};
use crate::snapshot::Snapshot;

/// Says what Gloo and its Envoys make of the objects, given what they remember.
///
/// The same arguments give the same result; nothing in the objects makes it fail.
pub fn translate(snapshot: &Snapshot, memory: &Memory) -> Translation {
    let view = View::read(snapshot, &memory.view);
    let settings = view.settings(&snapshot.gloo_namespace);
    if let Some(finding) = crash(&view, snapshot, &settings) {
        return crashed(snapshot, memory, finding);
    }
    // Gloo begins anew when its Settings change (gloo-conformance case 17-watch-namespaces step 3).
    let forgets = memory.crashed
        || memory.view.settings(&snapshot.gloo_namespace) != settings && memory.view.has_read();
    let nothing = BTreeMap::new();
    let before = if forgets { &nothing } else { &memory.proxies };
    let mut reports = Reports::default();
    if settings.selects_namespaces() {
        let object = ObjectRef::new("Settings", &snapshot.gloo_namespace, "default");
        let words = "watchNamespaceSelectors is not modelled: which namespaces Gloo sees is not known, and \
                     nothing that is wrong in one of them holds up a change";
        reports.note(&object, words);
    }
    let desired = gateway::desire(&view, &snapshot.gloo_namespace, &settings, before, &mut reports);
    let checked = check(&desired, &view, &settings, &mut reports);
    let keep = |(name, proxy): (String, Proxy)| {
        let kept = proxy.keep_last_good(before.get(&name).map(|it| &**it), &reports);
        (name, Arc::new(kept))
    };
    let proxies: BTreeMap<String, Arc<Proxy>> = desired.into_iter().map(keep).collect();
    let clusters = if proxies.is_empty() {
        Clusters::default()
    } else {
        statuses::check_groups(&view, &mut reports);
        clusters::translate(&view, snapshot, &settings, &mut reports)
    };
    let served = serve(&proxies, &checked, clusters, &view, &settings);
    settle(snapshot, memory, Parts { view, reports, proxies, checked, served })
}

/// What Gloo dies of.
fn crash(view: &View, snapshot: &Snapshot, settings: &SettingsSpec) -> Option<Finding> {
    let mut counted = gateway::counted(view, &snapshot.gloo_namespace, settings);
    counted.find_map(|(reference, gateway)| {
        let mistake = tcp::crash(&gateway.spec, view)?;
        let ResourceRef { namespace, name } = &**reference;
        let object = Arc::new(ObjectRef::new("Gateway", namespace, name));
        let finding = Finding::new(&object, Severity::Crash, mistake);
        Some(Finding { gateway: Some(object), ..finding })
    })
}

/// Nothing changes any more (gloo-conformance case 17-tcp-host-crash).
fn crashed(snapshot: &Snapshot, memory: &Memory, finding: Finding) -> Translation {
    let kept = memory.statuses.iter().filter(|(object, _)| snapshot.contains(object));
    let kept = kept.map(|(object, status)| (object.clone(), status.clone()));
    let statuses = Arc::new(kept.collect());
    let (listeners, routes, clusters) = memory.envoys.has();
    let memory = Memory { crashed: true, statuses: Arc::clone(&statuses), ..memory.clone() };
    Translation {
        listeners,
        routes,
        clusters,
        replacement: None,
        statuses,
        proxies: BTreeMap::new(),
        refused: Vec::new(),
        behind: false,
        crashed: true,
        desired: Vec::new(),
        findings: vec![finding],
        notes: Vec::new(),
        reported: BTreeMap::new(),
        memory,
    }
}

/// A virtual host of a proxy, and what Envoy is told of it.
struct Checked {
    source: Arc<ProxyVirtualHost>,
    translated: Translated,
}

/// The virtual hosts behind a listener or part of it.
struct CheckedPart {
    proxy: String,
    gateway: Arc<ObjectRef>,
    port: u32,
    tls: bool,
    routes: String,
    longest_body: Option<u32>,
    hosts: Vec<Checked>,
}

/// Errors of listeners are told to the Gateway. Errors and warnings that the Upstreams and other hosts
/// give rise to are told to the VirtualService; those of single routes are not (gloo-conformance case
/// 06-subset-keys).
fn check(
    proxies: &BTreeMap<String, Proxy>,
    view: &View,
    settings: &SettingsSpec,
    reports: &mut Reports,
) -> Vec<CheckedPart> {
    let mut checked = Vec::new();
    for proxy in proxies.values() {
        for (gateway, mistake) in listeners::ports(&proxy.listeners) {
            reports.look_at(Some(&gateway));
            reports.error(&gateway, mistake);
        }
        for listener in &proxy.listeners {
            reports.look_at(Some(&listener.gateway));
            let judgement = listeners::judge(listener, view, settings);
            for error in judgement.errors {
                reports.error(&listener.gateway, error);
            }
            for warning in judgement.warnings {
                reports.warning(&listener.gateway, warning);
            }
            for (holders, remark) in judgement.notes {
                let own = [Arc::clone(&listener.gateway)];
                let about = if holders.is_empty() { &own[..] } else { &holders };
                about.iter().for_each(|object| reports.note(object, remark.clone()));
            }
            for part in &listener.parts {
                let Content::Http(http) = &part.content else { continue };
                checked.push(CheckedPart {
                    proxy: proxy.name.clone(),
                    gateway: Arc::clone(&listener.gateway),
                    port: listener.port,
                    tls: http.ssl,
                    routes: routes_name(listener, part),
                    longest_body: listener.longest_body,
                    hosts: check_virtual_hosts(&http.virtual_hosts, view, reports),
                });
            }
        }
    }
    reports.look_at(None);
    checked
}

fn check_virtual_hosts(
    hosts: &[Arc<ProxyVirtualHost>],
    view: &View,
    reports: &mut Reports,
) -> Vec<Checked> {
    let conflicts = domains::check_resolved(hosts);
    let hosts = hosts.iter().zip(conflicts).map(|(host, conflicts)| {
        let object = host.object();
        let translated = virtual_hosts::translate(host, view);
        for error in conflicts.iter().chain(&translated.errors) {
            reports.error(&object, error.clone());
        }
        for warning in &translated.warnings {
            let gateway = Some(Arc::clone(&host.gateway));
            let warning = Finding { gateway, ..warning.clone() };
            reports.relay(&object, &warning, warning.words.clone());
        }
        for (object, remark) in &translated.notes {
            reports.note(object, remark.clone());
        }
        reports.add(translated.findings());
        Checked { source: Arc::clone(host), translated }
    });
    hosts.collect()
}

/// What Gloo sends to the Envoys.
struct Served {
    sent: Sent,
    replacement: Option<Replacement>,
    proxies: BTreeMap<String, Status>,
}

fn serve(
    proxies: &BTreeMap<String, Arc<Proxy>>,
    checked: &[CheckedPart],
    clusters: Clusters,
    view: &View,
    settings: &SettingsSpec,
) -> Served {
    let hosts = checked.iter().flat_map(|part| &part.hosts);
    let known: Known<'_> = hosts.map(|it| (Arc::as_ptr(&it.source), &it.translated)).collect();
    let Clusters { clusters, refused, functions } = clusters;
    let names: BTreeSet<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    let (mut listeners, mut routes) = (Vec::new(), Vec::new());
    let mut replacement = None;
    let mut verdicts = BTreeMap::new();
    for (name, proxy) in proxies {
        let mut report = ProxyReport::default();
        let mut own = Vec::new();
        for listener in &proxy.listeners {
            let served = listeners::serve(name, listener, &known, view, settings, &mut report);
            listeners.extend(served.listener);
            own.extend(served.routes);
        }
        if let Some(policy) = settings.replacement() {
            let errored = report.excuse_single_route();
            for configuration in &mut own {
                let hosts = &mut configuration.virtual_hosts;
                if replace::invalid_routes(hosts, &names, errored.as_deref()) {
                    replacement = Some(Replacement {
                        status: policy.invalid_route_response_code,
                        body: policy.invalid_route_response_body.clone(),
                    });
                }
            }
        }
        routes.extend(own);
        verdicts.insert(name.clone(), report.status());
    }
    let sent = Sent { listeners, routes, clusters, functions, findings_of_clusters: refused };
    Served { sent, replacement, proxies: verdicts }
}

struct Parts {
    view: View,
    reports: Reports,
    proxies: BTreeMap<String, Arc<Proxy>>,
    checked: Vec<CheckedPart>,
    served: Served,
}

/// Lets the Envoys take what they are sent, writes the statuses and remembers.
fn settle(snapshot: &Snapshot, memory: &Memory, parts: Parts) -> Translation {
    let Parts { view, mut reports, proxies, checked, served } = parts;
    let environment = view.environment;
    let outcome = memory.envoys.take(served.sent, environment);
    let statuses = Arc::new(statuses::write(snapshot, &reports, &served.proxies, &memory.statuses));
    // What Gloo holds back Envoy would refuse later.
    let sent = proxies.values().flat_map(|proxy| &proxy.listeners);
    let sent = sent.flat_map(|listener| ProxyListener::virtual_hosts(listener));
    let sent: HashSet<*const ProxyVirtualHost> = sent.map(Arc::as_ptr).collect();
    reports.add(outcome.findings);
    for part in &checked {
        let held_back = part.hosts.iter().filter(|it| !sent.contains(&Arc::as_ptr(&it.source)));
        for host in held_back {
            let host = &host.translated.host;
            reports.add(refusal::of_virtual_host(host, part.longest_body, environment));
        }
    }
    let (reported, findings, notes) = reports.into_findings();
    let desired = checked.into_iter().map(|part| Desired {
        proxy: part.proxy,
        gateway: part.gateway,
        port: part.port,
        tls: part.tls,
        routes: part.routes,
        virtual_hosts: part.hosts.into_iter().map(|checked| checked.translated.host).collect(),
    });
    Translation {
        listeners: outcome.listeners,
        routes: outcome.routes,
        clusters: outcome.clusters,
        replacement: served.replacement,
        statuses: Arc::clone(&statuses),
        proxies: served.proxies,
        refused: outcome.refused,
        behind: outcome.behind,
        crashed: false,
        desired: desired.collect(),
        findings,
        notes,
        reported,
        memory: Memory { proxies, view, envoys: outcome.memory, statuses, crashed: false },
    }
}
