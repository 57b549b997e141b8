//! Which listeners a Gateway has, who may attach to them, and whether they are served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::conditions::{Conditions, ListenerStatus};
use super::findings::Severity;
use super::output::Output;
use super::overlapping::{Overlap, overlaps};
use super::tls;
use crate::api::{GROUP, GatewaySpec, ListenerSpec, RouteKind};
use crate::code::Code;
use crate::objects::{Object, by_age};
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// A Gateway of the implementation.
pub(super) struct Plan<'a> {
    pub(super) reference: &'a ResourceRef,
    pub(super) name: Arc<ObjectRef>,
    pub(super) object: &'a Object<GatewaySpec>,
    pub(super) listeners: Vec<PlannedListener<'a>>,
}

/// A listener of it.
pub(super) struct PlannedListener<'a> {
    pub(super) spec: &'a ListenerSpec,
    pub(super) conditions: Conditions,
    /// The kinds of routes that may attach, sorted.
    pub(super) kinds: Vec<String>,
    /// Envoy listens there.
    pub(super) served: bool,
    pub(super) attached: usize,
}

impl Plan<'_> {
    /// The numbers of the listeners that are served over HTTP or HTTPS, by their ports, in the order of the Gateway.
    pub(super) fn served_by_port(&self) -> Vec<(u16, Vec<usize>)> {
        let mut by_port: Vec<(u16, Vec<usize>)> = Vec::new();
        for (number, listener) in self.listeners.iter().enumerate() {
            let http = matches!(listener.spec.protocol.as_str(), "HTTP" | "HTTPS");
            if http && listener.served {
                match by_port.iter_mut().find(|(port, _)| *port == listener.spec.port) {
                    Some((_, numbers)) => numbers.push(number),
                    None => by_port.push((listener.spec.port, vec![number])),
                }
            }
        }
        by_port
    }
}

/// The Gateways that belong to the implementation, oldest first.
pub(super) fn plans(snapshot: &Snapshot) -> Vec<Plan<'_>> {
    let controller = snapshot.environment.profile.controller();
    let ours = by_age(&snapshot.gateways).into_iter().filter(|(_, gateway)| {
        let class = ResourceRef::new("", &gateway.spec.gateway_class_name);
        // Without its GatewayClass nobody can tell; who asks about a Gateway means this implementation.
        snapshot.classes.get(&class).is_none_or(|class| class.spec.controller_name == controller)
    });
    ours.map(|(reference, object)| Plan {
        reference,
        name: Arc::new(ObjectRef::new("Gateway", &reference.namespace, &reference.name)),
        object,
        listeners: listeners(snapshot, &reference.namespace, &object.spec),
    })
    .collect()
}

fn listeners<'a>(
    snapshot: &Snapshot,
    namespace: &str,
    gateway: &'a GatewaySpec,
) -> Vec<PlannedListener<'a>> {
    let envoy_gateway = snapshot.environment.profile.is_envoy_gateway();
    let mut all = Vec::new();
    for spec in &gateway.listeners {
        let (kinds, invalid) = kinds(spec, envoy_gateway);
        let mut conditions = Conditions::default();
        let mut served = true;
        if supported(spec, envoy_gateway).is_empty() {
            let words = format!("Protocol {} is unsupported.", spec.protocol);
            conditions.set("Accepted", "False", "UnsupportedProtocol", words);
            served = false;
        }
        if !invalid.is_empty() {
            let words = format!("Found invalid route kinds: [{}]", invalid.join(", "));
            conditions.set("ResolvedRefs", "False", "InvalidRouteKinds", words);
            // Envoy Gateway takes the whole listener away (case 07-allowed-routes step 5).
            served &= !envoy_gateway && !kinds.is_empty();
        }
        served &= tls::check(snapshot, namespace, spec, &mut conditions);
        all.push(PlannedListener { spec, conditions, kinds, served, attached: 0 });
    }
    match envoy_gateway {
        true => {
            conflicts_of_envoy_gateway(&mut all);
            let is_https = |it: &PlannedListener<'_>| it.served && it.spec.protocol == "HTTPS";
            let https = all.iter().enumerate().filter(|(_, listener)| is_https(listener));
            let https: Vec<_> = https.map(|(number, listener)| (number, listener.spec)).collect();
            for Overlap { listener, reason, words } in overlaps(&https, namespace) {
                all[listener].conditions.set("OverlappingTLSConfig", "True", reason, words);
            }
        }
        false => {
            conflicts_of_kgateway(&mut all);
            without_routes(snapshot, &mut all);
        }
    }
    all
}

/// HTTPS and TLS get on with each other.
fn protocol(spec: &ListenerSpec) -> &str {
    match spec.protocol.as_str() {
        "HTTPS" | "TLS" => "HTTPS/TLS",
        other => other,
    }
}

/// With kgateway the protocol of the first listener of a port wins.
fn conflicts_of_kgateway(all: &mut [PlannedListener<'_>]) {
    let mut first: BTreeMap<u16, &str> = BTreeMap::new();
    for listener in all {
        let own = protocol(listener.spec);
        if *first.entry(listener.spec.port).or_insert(own) == own {
            continue;
        }
        let words = "Found conflicting protocols on listeners, a single port can only contain listeners \
                     with compatible protocols";
        for (kind, status) in
            [("Conflicted", "True"), ("Accepted", "False"), ("Programmed", "False")]
        {
            listener.conditions.set(kind, status, "ProtocolConflict", words);
        }
        listener.served = false;
    }
}

/// With Envoy Gateway nobody wins: all listeners of the port are gone (case 07-listener-conflicts). UDP gets on with
/// everything.
fn conflicts_of_envoy_gateway(all: &mut [PlannedListener<'_>]) {
    let counts = |it: &PlannedListener<'_>| it.served && it.spec.protocol != "UDP";
    let mut protocols: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for listener in all.iter().filter(|it| counts(it)) {
        protocols.entry(listener.spec.port).or_default().insert(protocol(listener.spec));
    }
    for listener in all.iter_mut().filter(|it| counts(it)) {
        if protocols.get(&listener.spec.port).is_some_and(|all| all.len() > 1) {
            let words = "All listeners for a given port must use a compatible protocol";
            listener.conditions.set("Conflicted", "True", "ProtocolConflict", words);
            listener.served = false;
        }
    }
}

/// kgateway does not open a port for TCP or TLS that no route leads on from. Such routes are not modelled: where there
/// are any, nothing is said.
fn without_routes(snapshot: &Snapshot, all: &mut [PlannedListener<'_>]) {
    let routes = ["TCPRoute", "TLSRoute"];
    if snapshot.others().any(|object| routes.contains(&object.kind.as_str())) {
        return;
    }
    for listener in all.iter_mut().filter(|it| matches!(it.spec.protocol.as_str(), "TCP" | "TLS")) {
        if !listener.conditions.is("Accepted", "False") {
            let words = "No valid routes with backends";
            listener.conditions.set("Programmed", "False", "Invalid", words);
        }
    }
}

/// The kinds of routes that a listener takes by its protocol.
fn supported(spec: &ListenerSpec, envoy_gateway: bool) -> &'static [&'static str] {
    let mode = spec.tls.as_ref().and_then(|tls| tls.mode.as_deref());
    match (spec.protocol.as_str(), mode) {
        ("HTTP" | "HTTPS", _) => &["GRPCRoute", "HTTPRoute"],
        ("TLS", Some("Terminate")) => &["TCPRoute", "TLSRoute"],
        ("TLS", None) if envoy_gateway => &["TCPRoute", "TLSRoute"],
        ("TLS", _) => &["TLSRoute"],
        ("TCP", _) => &["TCPRoute"],
        ("UDP", _) if envoy_gateway => &["UDPRoute"],
        _ => &[],
    }
}

/// The kinds that may attach, and those that the listener names in vain.
fn kinds(spec: &ListenerSpec, envoy_gateway: bool) -> (Vec<String>, Vec<String>) {
    let supported = supported(spec, envoy_gateway);
    let asked = &spec.allowed_routes.kinds;
    if asked.is_empty() {
        return (supported.iter().map(|kind| (*kind).to_owned()).collect(), Vec::new());
    }
    let known = |it: &&RouteKind| it.group == GROUP && supported.contains(&it.kind.as_str());
    let (good, bad): (Vec<&RouteKind>, Vec<&RouteKind>) = asked.iter().partition(known);
    let mut good: Vec<String> = good.into_iter().map(|it| it.kind.clone()).collect();
    good.sort();
    (good, bad.into_iter().map(|it| it.kind.clone()).collect())
}

impl Plan<'_> {
    /// Finds what is wrong with the listeners.
    pub(super) fn find(&self, output: &mut Output) {
        for listener in &self.listeners {
            let faults = [
                listener.conditions.reason("ResolvedRefs", "False"),
                listener.conditions.reason("Accepted", "False"),
            ];
            let Some((reason, words)) = faults.into_iter().flatten().next() else { continue };
            let code = match reason {
                "InvalidRouteKinds" => Code::InvalidRouteKinds,
                _ if reason.contains("CertificateRef") || reason == "RefNotPermitted" => {
                    Code::InvalidCertificate
                }
                _ => Code::InvalidListener,
            };
            let severity = if listener.served { Severity::Warning } else { Severity::Rejected };
            let words = format!("listener {}: {words}", listener.spec.name);
            output.find_at(&self.name, &self.name, severity, code, words);
        }
    }
}

impl PlannedListener<'_> {
    /// Whether an HTTPRoute of this namespace may attach.
    pub(super) fn allows(&self, snapshot: &Snapshot, gateway: &str, namespace: &str) -> bool {
        // kgateway lets routes attach to a listener of a protocol that it does not know, and serves none.
        let kgateway = !snapshot.environment.profile.is_envoy_gateway();
        let unknown = kgateway
            && !["HTTP", "HTTPS", "TLS", "TCP", "UDP"].contains(&self.spec.protocol.as_str())
            && self.spec.allowed_routes.kinds.is_empty();
        if !unknown && !self.kinds.iter().any(|kind| kind == "HTTPRoute") {
            return false;
        }
        let namespaces = &self.spec.allowed_routes.namespaces;
        match namespaces.from.as_deref().unwrap_or("Same") {
            "All" => true,
            "Same" => namespace == gateway,
            "Selector" => namespaces.selector.as_ref().is_some_and(|selector| {
                let none = BTreeMap::new();
                match snapshot.namespaces.get(&ResourceRef::new("", namespace)) {
                    Some(labels) => selector.takes(labels),
                    // Of labels that nobody has read nothing is known: it is taken to be allowed.
                    None => !snapshot.is_complete("Namespace") || selector.takes(&none),
                }
            }),
            _ => false,
        }
    }

    /// Whether it is for TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.spec.protocol == "HTTPS"
    }

    pub(super) fn status(&self, generation: i64) -> ListenerStatus {
        ListenerStatus {
            name: self.spec.name.clone(),
            attached_routes: self.attached,
            supported_kinds: self.kinds.clone(),
            conditions: self.conditions.clone().finish(generation),
        }
    }
}
