//! A list of the rules of a route and of those that it delegates to.

use std::sync::Arc;

use crate::api::{BackendRef, GROUP, HttpMatch, HttpRouteSpec, RuleSpec};
use crate::objects::Object;
use crate::{ObjectRef, ResourceRef};

/// The label by which a parent selects children, and the group of such a reference.
pub(super) const LABEL: &str = "delegation.kgateway.dev/label";

/// Age and `namespace/name`: what decides between rules that are equally exact.
pub(super) type Source = (bool, String, String);

/// A match of a rule, below whatever delegates to it.
#[derive(Clone)]
pub(super) struct Flat<'a> {
    pub(super) holder: Arc<ObjectRef>,
    pub(super) reference: &'a ResourceRef,
    pub(super) rule: &'a RuleSpec,
    /// The number of the rule in its route.
    pub(super) number: usize,
    /// The number of the rule among those that fit below the parent.
    pub(super) kept: usize,
    pub(super) match_number: usize,
    pub(super) matcher: HttpMatch,
    /// The rules that delegate to it, the nearest first, and their routes.
    pub(super) ancestors: Vec<(&'a ResourceRef, &'a RuleSpec)>,
    /// It delegates to routes.
    pub(super) delegates: bool,
    /// None of these could be had.
    pub(super) unresolved: bool,
    /// What its status is below.
    pub(super) below: String,
    /// The Gateway that the topmost route is attached to, as in statuses.
    pub(super) gateway: String,
    /// The route that is attached to the Gateway.
    pub(super) top: Source,
    /// The route that it is written in.
    pub(super) own: Source,
}

impl Flat<'_> {
    /// The route that the rule is written in, where that is not the one attached to the Gateway.
    pub(super) fn source(&self) -> &Source {
        if self.ancestors.is_empty() { &self.top } else { &self.own }
    }
}

/// Whether a backend reference is to routes.
pub(super) fn is_delegation(backend: &BackendRef) -> bool {
    (backend.group == GROUP && backend.kind == "HTTPRoute") || by_label(backend)
}

/// Whether it is to routes with a label.
pub(super) fn by_label(backend: &BackendRef) -> bool {
    format!("{}/{}", backend.group, backend.kind) == LABEL
}

/// What decides about a route among equals.
pub(super) fn source(reference: &ResourceRef, route: &Object<HttpRouteSpec>) -> Source {
    let (yet_to_come, created) = route.meta.age();
    (yet_to_come, created.to_owned(), format!("{}/{}", reference.namespace, reference.name))
}
