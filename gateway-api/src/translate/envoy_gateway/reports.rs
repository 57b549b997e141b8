//! Statuses as Envoy Gateway writes them.

use std::collections::BTreeMap;

use super::super::conditions::{Conditions, ParentStatus};
use super::super::memory::Memory;
use super::super::output::Output;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// What is said of routes below their parents.
#[derive(Default)]
pub(super) struct Reports(BTreeMap<ResourceRef, BTreeMap<String, Conditions>>);

impl Reports {
    /// The report of a route below a parent; it is there from now on.
    pub(super) fn below(&mut self, route: &ResourceRef, parent: &str) -> &mut Conditions {
        self.0.entry(route.clone()).or_default().entry(parent.to_owned()).or_default()
    }

    /// The Gateways that a route is below, by the name in statuses.
    pub(super) fn gateways(&self, route: &ResourceRef) -> Vec<String> {
        self.0.get(route).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// Writes the statuses of the routes. What stands below a parent that a route has left stays (cases
    /// 07-two-gateways step 3, 08-attach-detach).
    pub(super) fn routes(self, snapshot: &Snapshot, memory: &Memory, output: &mut Output) {
        for object in memory.statuses.keys().filter(|object| object.kind == "HTTPRoute") {
            let status = memory.status(snapshot, object).into_iter();
            let all = status.flat_map(|status| status.parents.iter().cloned());
            all.for_each(|parent| output.below(object, parent));
        }
        for (reference, reports) in self.0 {
            let Some(route) = snapshot.routes.get(&reference) else { continue };
            let object = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
            for (parent, mut conditions) in reports {
                conditions.assume("ResolvedRefs", "True", "ResolvedRefs");
                conditions.assume("Accepted", "True", "Accepted");
                let conditions = conditions.finish(route.meta.generation);
                output.below(&object, ParentStatus { parent, conditions });
            }
        }
    }
}
