//! Statuses as kgateway writes them.

use std::collections::BTreeMap;

use super::super::conditions::{Conditions, ParentStatus, Status, parent_name};
use super::super::listeners::Plan;
use super::super::memory::Memory;
use super::super::output::Output;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// The condition by which kgateway says whether the rules of a route are in use.
pub(super) const PROGRAMMED: &str = "kgateway.dev/Programmed";

/// What is said of routes below their parents.
#[derive(Default)]
pub(super) struct Reports(BTreeMap<ResourceRef, BTreeMap<String, Conditions>>);

impl Reports {
    /// The report of a route below a parent; it is there from now on.
    pub(super) fn below(&mut self, route: &ResourceRef, parent: &str) -> &mut Conditions {
        self.0.entry(route.clone()).or_default().entry(parent.to_owned()).or_default()
    }

    /// The Gateways that a route is below, itself or by its parents.
    pub(super) fn gateways(&self, route: &ResourceRef) -> Vec<String> {
        let parents = self.0.get(route).into_iter().flat_map(BTreeMap::keys);
        parents.filter(|parent| parent.starts_with("Gateway ")).cloned().collect()
    }

    /// Writes the statuses of the routes. A route with parentRefs has one for each of these alone (case
    /// 06-child-hostnames).
    pub(super) fn routes(self, snapshot: &Snapshot, output: &mut Output) {
        for (reference, reports) in self.0 {
            let Some(route) = snapshot.routes.get(&reference) else { continue };
            let object = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
            let own: Vec<String> = route
                .spec
                .parent_refs
                .iter()
                .map(|it| parent_name(it, &reference.namespace))
                .collect();
            for (parent, mut conditions) in reports {
                if !own.is_empty() && !own.contains(&parent) {
                    continue;
                }
                conditions.assume("Accepted", "True", "Accepted");
                conditions.assume("ResolvedRefs", "True", "ResolvedRefs");
                conditions.assume(PROGRAMMED, "True", "Programmed");
                let conditions = conditions.finish(route.meta.generation);
                output.below(&object, ParentStatus { parent, conditions });
            }
        }
    }

    /// Writes the status of a Gateway.
    pub(super) fn gateway(&self, plan: &Plan<'_>, broken: Option<String>, output: &mut Output) {
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
