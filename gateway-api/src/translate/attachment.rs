//! Which listeners a route attaches to.

use std::sync::Arc;

use super::findings::Severity;
use super::hostnames;
use super::listeners::Plan;
use super::output::Output;
use crate::api::{GROUP, HttpRouteSpec, ListenerSpec, ParentRef};
use crate::code::Code;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// What comes of a reference from a route to a Gateway.
pub(super) enum Attachment {
    /// The numbers of the listeners, and for each the hosts that it serves.
    Listeners(Vec<(usize, Vec<String>)>),
    /// The reason of a condition.
    Refused(&'static str),
}

/// Finds that a route does not attach.
pub(super) fn find(
    holder: &Arc<ObjectRef>,
    gateway: &Arc<ObjectRef>,
    reason: &str,
    output: &mut Output,
) {
    let (code, words) = match reason {
        "NoMatchingParent" => (Code::NoMatchingParent, "it has no such listener"),
        "NoMatchingListenerHostname" => {
            (Code::NoMatchingHostname, "no listener has a host in common")
        }
        _ => (Code::NotAllowed, "no listener allows routes of this kind from this namespace"),
    };
    let words = format!("does not attach to {gateway}: {words}");
    output.find_at(holder, gateway, Severity::Rejected, code, words);
}

/// Whether a reference is to this Gateway.
pub(super) fn is_for(parent: &ParentRef, route: &ResourceRef, gateway: &ResourceRef) -> bool {
    let namespace = parent.namespace.as_deref().unwrap_or(&route.namespace);
    parent.group == GROUP
        && parent.kind == "Gateway"
        && parent.name == gateway.name
        && namespace == gateway.namespace
}

/// Attaches a route to the listeners of a Gateway. The two implementations look at the conditions in another order.
pub(super) fn attach(
    snapshot: &Snapshot,
    plan: &Plan<'_>,
    parent: &ParentRef,
    route: &ResourceRef,
    spec: &HttpRouteSpec,
) -> Attachment {
    let envoy_gateway = snapshot.environment.profile.is_envoy_gateway();
    let named = |listener: &ListenerSpec| {
        parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
            && parent.port.is_none_or(|port| port == listener.port)
    };
    let allows = |number: &usize| {
        plan.listeners[*number].allows(snapshot, &plan.reference.namespace, &route.namespace)
    };
    let is_named = |number: &usize| named(plan.listeners[*number].spec);
    let all = 0..plan.listeners.len();
    let chosen: Vec<usize> = if envoy_gateway {
        let chosen: Vec<usize> = all.filter(is_named).collect();
        if chosen.is_empty() {
            return Attachment::Refused("NoMatchingParent");
        }
        let chosen: Vec<usize> = chosen.into_iter().filter(allows).collect();
        if chosen.is_empty() {
            return Attachment::Refused("NotAllowedByListeners");
        }
        chosen
    } else {
        let allowed: Vec<usize> = all.filter(allows).collect();
        if allowed.is_empty() {
            return Attachment::Refused("NotAllowedByListeners");
        }
        let chosen: Vec<usize> = allowed.into_iter().filter(is_named).collect();
        if chosen.is_empty() {
            return Attachment::Refused("NoMatchingParent");
        }
        chosen
    };
    let mut attached = Vec::new();
    for number in chosen {
        let listener = plan.listeners[number].spec;
        let neighbours: Vec<&ListenerSpec> = plan
            .listeners
            .iter()
            .map(|it| it.spec)
            .filter(|it| it.port == listener.port && (envoy_gateway || it.protocol == "HTTP"))
            .collect();
        // kgateway keeps HTTPS listeners apart by server names alone.
        let apart = !envoy_gateway && listener.protocol != "HTTP";
        let neighbours = if apart { &[][..] } else { &neighbours };
        let (common, hosts) = if envoy_gateway {
            let hosts = hostnames::for_envoy_gateway(listener, neighbours, &spec.hostnames);
            (!hosts.is_empty(), hosts)
        } else {
            hostnames::for_kgateway(listener, neighbours, &spec.hostnames)
        };
        if common {
            attached.push((number, hosts));
        }
    }
    match attached.is_empty() {
        true => Attachment::Refused("NoMatchingListenerHostname"),
        false => Attachment::Listeners(attached),
    }
}
