//! Live routes that go with the services that they belong to.

use std::collections::BTreeSet;
use std::sync::Arc;

use gloo::{ObjectRef, Snapshot};

use crate::cache::Cache;
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::HttpRoute;
use coalmine_core::plan::{takes_over, takes_over_from};
use coalmine_core::proposal::reference;
use coalmine_core::values::Service;

/// Routes of services that are removed, as they are in the cluster.
pub(super) struct DepartingRoutes {
    /// All of them.
    pub(super) all: Vec<ObjectRef>,
    http_routes: Vec<Arc<HttpRoute>>,
    live: Snapshot,
}

impl DepartingRoutes {
    /// These, with what the cache knows of them; `None` when there are none, as nearly always.
    pub(super) fn read(ids: &BTreeSet<ObjectId>, cache: &Cache) -> Option<Self> {
        (!ids.is_empty()).then(|| Self {
            all: ids.iter().map(reference).collect(),
            http_routes: ids.iter().filter_map(|id| cache.object(id)?.http_route).collect(),
            live: cache.gloo().0,
        })
    }

    /// Whether the service asks for requests that one of them gets.
    pub(super) fn are_taken_over_by(&self, service: &Service) -> bool {
        self.all.iter().any(|it| takes_over(service, it, &self.live))
            || self.http_routes.iter().any(|it| takes_over_from(service, it))
    }
}
