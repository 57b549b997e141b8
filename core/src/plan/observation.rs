//! What is seen of one service at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::live_pods::LivePods;
use super::previous_routes::PreviousRoutes;
use super::route_times::{RouteTimes, after};
use crate::kind::RouteApi;
use crate::object::ObjectId;
use crate::object_state::{Detail, Facts};
use crate::reason::{Blocker, Reason, Subject};
use crate::traffic::Shares;

/// What is seen of one service at a moment: all that [`super::plan`] decides by.
///
/// A new one shows a service whose objects are as desired, whose routes have settled, and in whose way nothing
/// is; the methods `with_...` add what is otherwise.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Desired objects that are missing or differ.
    pub(super) changed: BTreeSet<ObjectId>,
    /// Desired objects that differ and are left as they are: drift that is reported, or repaired later.
    pub(super) left: BTreeSet<ObjectId>,
    /// Objects of this service with our label that nothing desires any more.
    pub(super) to_prune: BTreeSet<ObjectId>,
    /// VirtualServices with a domain of the desired routes, that go: of this service and of services that are removed.
    pub(super) in_place: BTreeSet<ObjectId>,
    /// Whether requests of a service that is removed become this one's.
    pub(super) takes_over: bool,
    /// The service's objects, and those of others that it uses.
    pub(super) objects: BTreeMap<ObjectId, Facts>,
    /// Its pods.
    pub(super) pods: LivePods,
    /// Upstreams on which Gloo will give a verdict before the new routes are there. Without any
    /// VirtualService Gloo writes no status on an Upstream (case 15-delete-virtualservice).
    pub(super) judged_upstreams: BTreeSet<ObjectId>,
    /// When the routes changed.
    pub(super) route_times: RouteTimes,
    /// The routes before the present ones, while Gloo has not judged these.
    pub(super) previous: Option<Arc<PreviousRoutes>>,
    /// Why the desired routes were rolled back and are not to be tried again.
    pub(super) refused_routes: Option<Reason>,
    /// Why changes of routes would not reach Envoy now.
    pub(super) blocked_by: Option<Blocker>,
    /// What was waited for longer than the deadline.
    pub(super) overdue: Option<Subject>,
    /// Where Gloo runs.
    pub(super) gloo_namespace: Arc<str>,
    /// How long every proxy takes to follow.
    pub(super) settle: Duration,
    /// The present.
    pub(super) now: Timestamp,
}

impl Observation {
    /// These objects at this moment, under a Gloo in this namespace whose proxies follow within `settle`.
    pub fn new(
        objects: BTreeMap<ObjectId, Facts>,
        gloo_namespace: &str,
        settle: Duration,
        now: Timestamp,
    ) -> Self {
        Self {
            changed: BTreeSet::new(),
            left: BTreeSet::new(),
            to_prune: BTreeSet::new(),
            in_place: BTreeSet::new(),
            takes_over: false,
            objects,
            pods: LivePods::default(),
            judged_upstreams: BTreeSet::new(),
            route_times: RouteTimes::since(Timestamp::MIN),
            previous: None,
            refused_routes: None,
            blocked_by: None,
            overdue: None,
            gloo_namespace: gloo_namespace.into(),
            settle,
            now,
        }
    }

    /// Desired objects that are missing or differ, and objects that nothing desires any more.
    #[must_use]
    pub fn with_differences(
        self,
        changed: BTreeSet<ObjectId>,
        to_prune: BTreeSet<ObjectId>,
    ) -> Self {
        Self { changed, to_prune, ..self }
    }

    /// Desired objects that differ and are left as they are.
    #[must_use]
    pub fn with_drift_left(self, left: BTreeSet<ObjectId>) -> Self {
        Self { left, ..self }
    }

    /// VirtualServices that go and have a domain of the desired routes still.
    #[must_use]
    pub fn with_routes_in_place(self, in_place: BTreeSet<ObjectId>) -> Self {
        Self { in_place, ..self }
    }

    /// Whether requests of a service that is removed become this one's.
    #[must_use]
    pub fn with_requests_of_others(self, takes_over: bool) -> Self {
        Self { takes_over, ..self }
    }

    /// The service's pods.
    #[must_use]
    pub fn with_pods(self, pods: LivePods) -> Self {
        Self { pods, ..self }
    }

    /// Upstreams on which Gloo will give a verdict before the new routes are there.
    #[must_use]
    pub fn with_judged_upstreams(self, judged_upstreams: BTreeSet<ObjectId>) -> Self {
        Self { judged_upstreams, ..self }
    }

    /// When the routes changed.
    #[must_use]
    pub fn with_route_times(self, route_times: RouteTimes) -> Self {
        Self { route_times, ..self }
    }

    /// The routes before the present ones, while Gloo has not judged these.
    #[must_use]
    pub fn with_previous_routes(self, previous: Option<Arc<PreviousRoutes>>) -> Self {
        Self { previous, ..self }
    }

    /// Why the desired routes were rolled back.
    #[must_use]
    pub fn with_refused_routes(self, refused_routes: Option<Reason>) -> Self {
        Self { refused_routes, ..self }
    }

    /// Why changes of routes would not reach Envoy now.
    #[must_use]
    pub fn with_blocker(self, blocked_by: Option<Blocker>) -> Self {
        Self { blocked_by, ..self }
    }

    /// What was waited for longer than the deadline.
    #[must_use]
    pub fn with_overdue(self, overdue: Option<Subject>) -> Self {
        Self { overdue, ..self }
    }

    /// Desired objects that are missing or differ.
    pub fn changed(&self) -> &BTreeSet<ObjectId> {
        &self.changed
    }

    /// Objects of this service that nothing desires any more.
    pub fn to_prune(&self) -> &BTreeSet<ObjectId> {
        &self.to_prune
    }

    /// The service's objects, and those of others that it uses.
    pub fn objects(&self) -> &BTreeMap<ObjectId, Facts> {
        &self.objects
    }

    /// What is known of one object; `None` when it is not there.
    pub fn object(&self, id: &ObjectId) -> Option<&Facts> {
        self.objects.get(id)
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who gets the service's requests now, by all of its routes; `None` when nobody does.
    pub fn applied_routes(&self) -> Option<Shares> {
        self.shares_of(|_| true)
    }

    /// Who gets the service's requests by its routes of this API in this namespace; `None` when there are none.
    pub(super) fn applied_routes_in(
        &self,
        api: RouteApi,
        namespace: Option<&str>,
    ) -> Option<Shares> {
        self.shares_of(|id| id.route_api() == Some(api) && id.namespace.as_deref() == namespace)
    }

    fn shares_of(&self, is_meant: impl Fn(&ObjectId) -> bool) -> Option<Shares> {
        let routes = self
            .objects
            .iter()
            .filter(|(id, facts)| id.is_route() && !facts.terminating && is_meant(id));
        routes.filter_map(|(_, facts)| facts.shares()).cloned().reduce(Shares::joined)
    }

    /// What only the object's kind tells.
    pub(super) fn detail(&self, id: &ObjectId) -> Option<&Detail> {
        self.objects.get(id).map(|facts| &facts.detail)
    }

    /// When the objects that arrived together have had time to find each other.
    pub(super) fn settled_at(&self) -> Timestamp {
        after(self.route_times.changed_at, self.settle)
    }

    /// When every proxy follows the routes that are there: Envoy follows Gloo's verdict, however late
    /// that comes.
    pub(super) fn followed_at(&self) -> Timestamp {
        after(self.route_times.changed_at.max(self.route_times.judged_at), self.settle)
    }
}
