//! What is said of routes below their parents.

use std::collections::BTreeMap;

use super::conditions::{Conditions, ParentStatus};
use super::output::Output;
use crate::api::HttpRouteSpec;
use crate::objects::Object;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// The conditions of routes, by the name of the parent in statuses.
#[derive(Default)]
pub(super) struct Reports(BTreeMap<ResourceRef, BTreeMap<String, Conditions>>);

impl Reports {
    /// The report of a route below a parent; it is there from now on.
    pub(super) fn below(&mut self, route: &ResourceRef, parent: &str) -> &mut Conditions {
        self.0.entry(route.clone()).or_default().entry(parent.to_owned()).or_default()
    }

    /// The parents that something is said about below.
    pub(super) fn parents(&self, route: &ResourceRef) -> Vec<String> {
        self.0.get(route).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// The Gateways that a route is below, itself or by its parents.
    pub(super) fn gateways(&self, route: &ResourceRef) -> Vec<String> {
        let mut parents = self.parents(route);
        parents.retain(|parent| parent.starts_with("Gateway "));
        parents
    }

    /// Writes the statuses of routes below the parents for which a route `has` one. What nobody said otherwise of is
    /// well: the conditions in `assumed`, by type and reason.
    pub(super) fn write(
        self,
        snapshot: &Snapshot,
        assumed: &[(&'static str, &'static str)],
        has: impl Fn(&ResourceRef, &Object<HttpRouteSpec>, &str) -> bool,
        output: &mut Output,
    ) {
        for (reference, reports) in self.0 {
            let Some(route) = snapshot.routes.get(&reference) else { continue };
            let object = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
            for (parent, mut conditions) in reports {
                if !has(&reference, route, &parent) {
                    continue;
                }
                for (kind, reason) in assumed {
                    conditions.assume(kind, "True", reason);
                }
                let conditions = conditions.finish(route.meta.generation);
                output.below(&object, ParentStatus { parent, conditions });
            }
        }
    }
}
