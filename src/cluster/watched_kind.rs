//! The kinds of objects that are watched, and where.

use std::fmt;
use std::sync::Arc;

use coalmine_core::kind::{Kind, gateway_api_routing, is_gateway_api_routing};
use coalmine_core::object::ObjectId;

/// A kind that is watched, in the whole cluster or in one namespace: one watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedKind {
    /// For example `gateway.solo.io/v1`.
    pub api_version: String,
    /// For example `RouteTable`.
    pub kind: String,
    /// Whether only objects with our instance label are watched.
    pub only_ours: bool,
    /// The namespace that is watched; `None`: all of the cluster.
    pub namespace: Option<Arc<str>>,
}

impl WatchedKind {
    /// The kinds a service consists of, and all that Gloo's routing rests on. Of the latter every
    /// object counts: another owner's table can collide with a change of ours.
    pub fn of_services() -> impl Iterator<Item = Self> {
        let ours = [Kind::Endpoints, Kind::Pod, Kind::Deployment];
        let ours = ours.map(|kind| Self::ours(kind.api_version(), kind.as_str()));
        gloo::Snapshot::ROUTING.iter().map(Self::all_of).chain(ours)
    }

    /// The kinds that objects of Gloo may name beside. A cluster need not serve them, and whoever looks
    /// at nothing but services goes on without them; nothing is then concluded from what names one.
    pub fn further() -> impl Iterator<Item = Self> {
        gloo::Snapshot::FURTHER.iter().map(Self::all_of)
    }

    /// The kinds that Gloo's routing rests on, as far as its own namespace may have them.
    pub fn of_gloo() -> impl Iterator<Item = Self> {
        gloo::Snapshot::ROUTING.iter().map(Self::all_of).chain(Self::further())
    }

    /// The routes of the Gateway API, whoever's they are.
    pub fn http_routes() -> Self {
        Self::ours(Kind::HttpRoute.api_version(), Kind::HttpRoute.as_str()).of_everybody()
    }

    /// These routes and all that they rest on beside what [every service](Self::of_services) does: Gateways, their classes,
    /// who may refer to whom, the labels of namespaces, and policies. They are watched where values or `platform/` ask for
    /// HTTPRoutes.
    pub fn of_gateway_api() -> impl Iterator<Item = Self> {
        let kinds = gateway_api_routing().map(|(version, kind)| Self::ours(version, kind));
        kinds.filter(|kind| !kind.is_of_services()).map(Self::of_everybody)
    }

    /// Whether it is one of [`Self::of_gateway_api`] but the routes themselves, wherever it is watched: without it
    /// services go on, and what it would have told is not judged.
    pub fn is_beside_http_routes(&self) -> bool {
        Self::of_gateway_api().any(|known| known.is_kind(self))
            && !Self::http_routes().is_kind(self)
    }

    /// Whether nothing needs the kind: a policy of an implementation, which only some clusters serve.
    pub fn is_policy(&self) -> bool {
        let mut policies = gateway_api::Snapshot::FURTHER.iter();
        policies.any(|(version, kind)| *version == self.api_version && *kind == self.kind)
    }

    /// The same with the objects of everybody where routing rests on them: of one kind there is one watch.
    #[must_use]
    pub fn whole(self) -> Self {
        let is_routing = is_gateway_api_routing(&self.api_version, &self.kind);
        if is_routing { self.of_everybody() } else { self }
    }

    fn of_everybody(self) -> Self {
        Self { only_ours: false, ..self }
    }

    /// Whether its objects belong to no namespace, as far as is known here.
    pub fn is_cluster_scoped(&self) -> bool {
        let is_class =
            self.kind == "GatewayClass" && is_gateway_api_routing(&self.api_version, &self.kind);
        is_class || Kind::of(&self.api_version, &self.kind).is_some_and(Kind::is_cluster_scoped)
    }

    /// Whether it is a kind of Gloo's that every service of Gloo's rests on.
    pub fn is_of_gloo(&self) -> bool {
        let kind = Kind::of(&self.api_version, &self.kind);
        let is_gloos = kind.is_some_and(|kind| kind.group().ends_with(".solo.io"));
        is_gloos && !self.is_further()
    }

    /// Objects with our label of any kind.
    pub fn ours(api_version: &str, kind: &str) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            only_ours: true,
            namespace: None,
        }
    }

    fn all_of(kind: &gloo::Kind) -> Self {
        Self { only_ours: false, ..Self::ours(kind.api_version, kind.kind) }
    }

    /// The same in one namespace.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.into()), ..self }
    }

    /// Whether it is one of [`Self::of_services`], wherever it is watched.
    pub fn is_of_services(&self) -> bool {
        Self::of_services().any(|needed| needed.is_kind(self))
    }

    /// Whether it is one of [`Self::further`], wherever it is watched.
    pub fn is_further(&self) -> bool {
        Self::further().any(|further| further.is_kind(self))
    }

    /// Whether both are the same kind, wherever each is watched.
    pub(crate) fn is_kind(&self, other: &Self) -> bool {
        self.api_version == other.api_version && self.kind == other.kind
    }

    /// Whether the object would show in this watch, as far as its name tells.
    pub(crate) fn covers(&self, id: &ObjectId) -> bool {
        self.api_version == id.api_version
            && self.kind == id.kind
            && self.covers_namespace(id.namespace.as_deref())
    }

    /// Whether it is watched in this namespace.
    pub(crate) fn covers_namespace(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

impl fmt::Display for WatchedKind {
    /// `apps/v1 Deployment`, or `apps/v1 Deployment in echo`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version, self.kind)?;
        self.namespace.iter().try_for_each(|namespace| write!(f, " in {namespace}"))
    }
}
