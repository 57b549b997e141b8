//! Statuses as kgateway writes them.

use super::super::conditions::{Conditions, Status, parent_name};
use super::super::listeners::Plan;
use super::super::memory::Memory;
use super::super::output::Output;
use super::super::reports::Reports;
use crate::ResourceRef;
use crate::api::HttpRouteSpec;
use crate::objects::Object;
use crate::snapshot::Snapshot;

/// The condition by which kgateway says whether the rules of a route are in use.
pub(super) const PROGRAMMED: &str = "kgateway.dev/Programmed";

/// Writes the statuses of the routes. A route with parentRefs has one for each of these alone (case
/// 06-child-hostnames).
pub(super) fn write_routes(reports: Reports, snapshot: &Snapshot, output: &mut Output) {
    let assumed =
        [("Accepted", "Accepted"), ("ResolvedRefs", "ResolvedRefs"), (PROGRAMMED, "Programmed")];
    let has = |reference: &ResourceRef, route: &Object<HttpRouteSpec>, parent: &str| {
        let mut own = route.spec.parent_refs.iter().map(|it| parent_name(it, &reference.namespace));
        route.spec.parent_refs.is_empty() || own.any(|it| it == parent)
    };
    reports.write(snapshot, &assumed, has, output);
}

/// Writes the status of a Gateway.
pub(super) fn write_gateway(plan: &Plan<'_>, broken: Option<String>, output: &mut Output) {
    let generation = plan.object.meta.generation;
    let mut conditions = Conditions::default();
    if let Some(words) = broken {
        conditions.set("Accepted", "False", "GatewayReplaced", words);
    }
    let mut listeners = Vec::new();
    let unsupported: usize = plan.listeners.iter().filter(|it| it.kinds.is_empty()).count();
    if unsupported == plan.listeners.len() {
        conditions.set("Accepted", "False", "ListenersNotValid", "No valid listeners");
        conditions.set("Programmed", "False", "Invalid", "");
    } else if unsupported > 0 {
        conditions.set("Accepted", "True", "ListenersNotValid", "");
    }
    for listener in &plan.listeners {
        let mut own = listener.conditions.clone();
        own.assume("Accepted", "True", "Accepted");
        own.assume("Conflicted", "False", "NoConflicts");
        own.assume("Programmed", "True", "Programmed");
        own.assume("ResolvedRefs", "True", "ResolvedRefs");
        if own.is("Programmed", "False") {
            let words = format!("Some listeners are not programmed: {}", listener.spec.name);
            conditions.set("Accepted", "True", "ListenersNotValid", words);
        }
        if own.is("ResolvedRefs", "False") {
            let words = "One or more listeners have unresolved references";
            conditions.set("ResolvedRefs", "False", "ListenersNotResolved", words);
        }
        let mut status = listener.status(generation);
        status.conditions = own.finish(generation);
        listeners.push(status);
    }
    conditions.assume("Accepted", "True", "Accepted");
    conditions.assume("Programmed", "True", "Programmed");
    conditions.assume("ResolvedRefs", "True", "ResolvedRefs");
    let status =
        Status { parents: Vec::new(), conditions: conditions.finish(generation), listeners };
    output.statuses.insert((*plan.name).clone(), status);
}

/// Writes the statuses of Gateways, unless the controller takes them for written: it does so when it wanted to write
/// the very same before, although the Gateway was deleted and came back since (case 08-delete-gateway). Such a Gateway
/// has the status that the API server gives it.
pub(super) fn write_gateways(snapshot: &Snapshot, memory: &Memory, output: &mut Output) {
    output.wanted.clone_from(&memory.wanted);
    let all = output.statuses.iter_mut().filter(|(object, _)| object.kind == "Gateway");
    for (object, status) in all {
        let computed = status.clone();
        if output.wanted.get(object) == Some(&computed) {
            *status = memory.status(snapshot, object).cloned().unwrap_or_else(pending);
        }
        output.wanted.insert(object.clone(), computed);
    }
}

/// The status of a new Gateway.
fn pending() -> Status {
    let mut conditions = Conditions::default();
    for kind in ["Accepted", "Programmed"] {
        conditions.set(kind, "Unknown", "Pending", "Waiting for controller");
    }
    Status { conditions: conditions.finish(0), ..Status::default() }
}
