//! What is around the objects, and which of them hand requests on.

use gateway_api::{Channel, Environment, ObjectRef, Snapshot};

/// What is around the objects. Which fields the cluster's CustomResourceDefinitions have is not known, so that none is
/// held against anybody.
pub(super) fn environment() -> Environment {
    Environment { channel: Channel::Experimental, ..Environment::default() }
}

/// An empty snapshot for the objects of [`Snapshot::ROUTING`] and [`Snapshot::FURTHER`], as the preflight reads them.
pub fn http_route_snapshot() -> Snapshot {
    Snapshot::new(environment())
}

/// Whether an HTTPRoute hands requests on to others.
pub(super) fn delegates(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    let route = (object.kind == "HTTPRoute").then(|| snapshot.http_route(&object.resource()));
    route.flatten().is_some_and(|route| {
        let mut backends = route.rules.iter().flat_map(|rule| &rule.backend_refs);
        backends.any(|it| it.kind == "HTTPRoute" || it.group == "delegation.kgateway.dev")
    })
}
