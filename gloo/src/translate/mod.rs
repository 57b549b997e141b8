//! From objects to what Envoy serves, in the steps of Gloo: read the objects, resolve delegation,
//! check against the Upstreams, keep the last good version of what is in error, translate, and let
//! Envoy take it or leave it.

mod child;
mod clusters;
mod delegation;
mod destinations;
mod domains;
mod endpoints;
mod gateway;
mod memory;
mod options;
mod paths;
mod proxy;
mod refusal;
mod replace;
mod reports;
mod selector;
mod sort;
mod statuses;
mod unsupported;
mod view;
mod virtual_hosts;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use memory::Memory;

use self::proxy::{Proxy, ProxyListener};
use self::reports::Reports;
use self::statuses::ProxyReport;
use self::view::View;
use self::virtual_hosts::Translated;
use crate::api::{InvalidConfigPolicy, ObjectRef, Status};
use crate::config::{Cluster, VirtualHost};
use crate::snapshot::Snapshot;

/// What Gloo and Envoy make of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Translation {
    /// What Envoy listens on; `None`: connections are refused.
    pub listener: Option<Listener>,
    /// What Envoy serves there. If it refused what Gloo made, this is what it took last.
    pub virtual_hosts: Vec<VirtualHost>,
    /// The clusters, by name.
    pub clusters: Vec<Cluster>,
    /// What answers for routes that lead nowhere, if any was replaced.
    pub replacement: Option<Replacement>,
    /// The verdicts as they stand on the objects. An object without one is not in here.
    pub statuses: BTreeMap<ObjectRef, Status>,
    /// The verdict on the proxy, which Gloo keeps to itself; `None`: there is no proxy. Errors of
    /// routes show here only.
    pub proxy: Option<Status>,
    /// Why Envoy refused the virtual hosts that Gloo made. Then no change reaches anybody.
    pub refused: Option<String>,
    /// For the next translation.
    #[serde(skip)]
    pub memory: Memory,
}

/// An address that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// `listener-<address>-<port>`.
    pub name: String,
    /// As in the Gateway.
    pub address: String,
    /// As in the Gateway.
    pub port: u32,
}

/// The answer of routes that lead nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    let proxy = desired.map(|desired| {
        check_virtual_hosts(&desired.listener, &view, &mut reports);
        desired.keep_last_good(memory.proxy.as_ref(), &reports)
    });
    let served = match &proxy {
        Some(proxy) => {
            statuses::check_groups(&view, &mut reports);
            let clusters =
                clusters::translate(&view, snapshot, settings.circuit_breakers(), &mut reports);
            serve(proxy, clusters, &view, settings.replacement())
        }
        None => Served::default(),
    };
    settle(snapshot, memory, Parts { view, reports, proxy, served })
}

/// Errors and warnings that the Upstreams and other hosts give rise to are told to the VirtualService;
/// those of single routes are not (gloo-conformance case 06-subset-keys).
fn check_virtual_hosts(listener: &ProxyListener, view: &View, reports: &mut Reports) {
    let conflicts = domains::check_resolved(&listener.virtual_hosts);
    for (host, conflicts) in listener.virtual_hosts.iter().zip(conflicts) {
        let source = &host.source;
        let object = ObjectRef::new("VirtualService", &source.namespace, &source.name);
        let translated = virtual_hosts::translate(host, view);
        for error in conflicts.into_iter().chain(translated.errors) {
            reports.error(&object, error);
        }
        for warning in translated.warnings {
            reports.warning(&object, warning);
        }
    }
}

/// What Gloo sends to Envoy.
#[derive(Default)]
struct Served {
    listener: Option<Listener>,
    virtual_hosts: Vec<VirtualHost>,
    clusters: Vec<Cluster>,
    replacement: Option<Replacement>,
    report: ProxyReport,
}

fn serve(
    proxy: &Proxy,
    clusters: Vec<Cluster>,
    view: &View,
    policy: Option<&InvalidConfigPolicy>,
) -> Served {
    let mut served = Served { clusters, ..Served::default() };
    let Some(listener) = &proxy.listener else { return served };
    let conflicts = domains::check_resolved(&listener.virtual_hosts);
    for (host, conflicts) in listener.virtual_hosts.iter().zip(conflicts) {
        let Translated { host, errors, route_errors, warnings } =
            virtual_hosts::translate(host, view);
        served.report.add(conflicts.into_iter().chain(errors), route_errors, warnings);
        served.virtual_hosts.push(host);
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
    proxy: Option<Proxy>,
    served: Served,
}

/// Lets Envoy take what it is sent, writes the statuses and remembers.
fn settle(snapshot: &Snapshot, memory: &Memory, parts: Parts) -> Translation {
    let Parts { view, reports, proxy, served } = parts;
    let refused = refusal::refusal(&served.virtual_hosts);
    let accepted = served.listener.as_ref().and_then(|listener| {
        if refused.is_none() {
            return Some((listener.name.clone(), served.virtual_hosts.clone()));
        }
        memory.accepted.clone().filter(|(name, _)| *name == listener.name)
    });
    let proxy_status = proxy.as_ref().map(|_| served.report.status(&snapshot.gloo_namespace));
    let before = &memory.statuses;
    let proxy_name = proxy.as_ref().map(|proxy| proxy.name.as_str()).zip(proxy_status.as_ref());
    let statuses = statuses::write(snapshot, &reports, proxy_name, before);
    Translation {
        listener: served.listener,
        virtual_hosts: accepted.clone().map(|(_, hosts)| hosts).unwrap_or_default(),
        clusters: served.clusters,
        replacement: served.replacement,
        statuses: statuses.clone(),
        proxy: proxy_status,
        refused,
        memory: Memory { proxy, view, accepted, statuses },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::State;

    fn object(kind: &str, name: &str, spec: Value) -> Value {
        let metadata = json!({ "namespace": "gloo-system", "name": name });
        json!({ "kind": kind, "metadata": metadata, "spec": spec })
    }

    fn snapshot(objects: &[(&str, &str, Value)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let gateway = object("Gateway", "gateway-proxy", json!({ "httpGateway": {} }));
        snapshot.upsert(&gateway);
        for (kind, name, spec) in objects {
            snapshot.upsert(&object(kind, name, spec.clone()));
        }
        snapshot
    }

    fn host(route: &Value) -> Value {
        json!({ "virtualHost": { "domains": ["*"], "routes": [route] } })
    }

    fn verdict(translation: &Translation, kind: &str, name: &str) -> (State, String) {
        let status = &translation.statuses[&ObjectRef::new(kind, "gloo-system", name)];
        (status.state, status.reason.clone())
    }

    fn direct() -> Value {
        json!({ "directResponseAction": { "status": 200, "body": "here" } })
    }

    #[test]
    fn what_is_not_covered_is_named_in_the_status() {
        let mut route = direct();
        route["options"] = json!({ "extauth": { "disable": true } });
        let snapshot = snapshot(&[("VirtualService", "app", host(&route))]);
        let (state, reason) =
            verdict(&translate(&snapshot, &Memory::default()), "VirtualService", "app");
        assert_eq!(state, State::Warning);
        assert!(reason.contains("options.extauth is not supported"), "{reason}");
    }

    #[test]
    fn an_upstream_of_a_kind_that_is_not_covered_has_no_cluster() {
        let snapshot = snapshot(&[
            ("VirtualService", "app", host(&direct())),
            ("Upstream", "lambda", json!({ "aws": {} })),
        ]);
        let translation = translate(&snapshot, &Memory::default());
        let (state, reason) = verdict(&translation, "Upstream", "lambda");
        assert_eq!(state, State::Warning);
        assert!(reason.contains("aws is not supported"), "{reason}");
        assert_eq!(translation.clusters, []);
    }

    #[test]
    fn the_first_http_gateway_is_served_and_others_are_rejected() {
        let snapshot = snapshot(&[
            ("VirtualService", "app", host(&direct())),
            ("Gateway", "other", json!({ "httpGateway": {}, "bindPort": 81 })),
            ("Gateway", "raw", json!({ "tcpGateway": {} })),
            ("Gateway", "tls", json!({ "httpGateway": {}, "ssl": true })),
        ]);
        let translation = translate(&snapshot, &Memory::default());
        let state = |name: &str| verdict(&translation, "Gateway", name).0;
        assert_eq!(state("gateway-proxy"), State::Accepted);
        assert_eq!(state("other"), State::Rejected);
        assert_eq!(state("raw"), State::Rejected);
        assert_eq!(state("tls"), State::Accepted, "there is nothing with TLS to serve");
        assert_eq!(translation.listener.map(|listener| listener.port), Some(0));
    }

    #[test]
    fn an_error_in_the_options_of_a_virtual_host_rejects_it() {
        let mut spec = host(&direct());
        let bad = json!({ "requestHeadersToAdd": [{ "header": { "key": "host", "value": "x" } }] });
        spec["virtualHost"]["options"] = json!({ "headerManipulation": bad });
        let snapshot = snapshot(&[("VirtualService", "app", spec)]);
        let translation = translate(&snapshot, &Memory::default());
        let (state, reason) = verdict(&translation, "VirtualService", "app");
        assert_eq!(state, State::Rejected);
        assert!(reason.contains("while processing plugin headers"), "{reason}");
        assert_eq!(translation.listener, None);
    }

    #[test]
    fn limits_of_the_settings_hold_for_upstreams_without_their_own() {
        let hosts = json!({ "hosts": [{ "addr": "10.0.0.1", "port": 80 }] });
        let own = json!({ "static": hosts, "circuitBreakers": { "maxRequests": 5 } });
        let snapshot = snapshot(&[
            ("VirtualService", "app", host(&direct())),
            ("Settings", "default", json!({ "gloo": { "circuitBreakers": { "maxRetries": 7 } } })),
            ("Upstream", "own", own),
            ("Upstream", "plain", json!({ "static": hosts })),
        ]);
        let translation = translate(&snapshot, &Memory::default());
        let limits: Vec<_> = translation.clusters.iter().map(|c| c.thresholds.unwrap()).collect();
        assert_eq!((limits[0].max_requests, limits[0].max_retries), (Some(5), None));
        assert_eq!((limits[1].max_requests, limits[1].max_retries), (None, Some(7)));
    }

    #[test]
    fn one_object_that_cannot_be_decoded_hides_every_change_of_its_kind() {
        let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
        let before = translate(&snapshot, &Memory::default());
        let mut bad = direct();
        bad["options"] = json!({ "timeout": "soon" });
        snapshot.upsert(&object("VirtualService", "bad", host(&bad)));
        snapshot.upsert(&object(
            "VirtualService",
            "app",
            json!({ "virtualHost": { "domains": ["b"] } }),
        ));
        let after = translate(&snapshot, &before.memory);
        assert_eq!(after.virtual_hosts, before.virtual_hosts);
        let bad = ObjectRef::new("VirtualService", "gloo-system", "bad");
        assert_eq!(snapshot.undecodable(), [(bad.clone(), "invalid duration \"soon\"")]);
        assert!(!after.statuses.contains_key(&bad));
    }

    #[test]
    fn an_object_that_is_gone_has_no_status() {
        let mut snapshot = snapshot(&[("VirtualService", "app", host(&direct()))]);
        let before = translate(&snapshot, &Memory::default());
        snapshot.remove("VirtualService", "gloo-system", "app");
        let after = translate(&snapshot, &before.memory);
        let app = ObjectRef::new("VirtualService", "gloo-system", "app");
        assert!(before.statuses.contains_key(&app) && !after.statuses.contains_key(&app));
    }
}
