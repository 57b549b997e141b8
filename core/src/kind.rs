//! The kinds of objects that decisions look at.

use std::fmt;

use gloo::{ObjectRef, ResourceRef};
use serde::Serialize;

/// A kind of object that decisions look at; every other kind is written and compared all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "the names are those of the kinds")]
pub enum Kind {
    Namespace,
    CustomResourceDefinition,
    Secret,
    Service,
    Endpoints,
    Pod,
    Event,
    EndpointSlice,
    Deployment,
    Upstream,
    UpstreamGroup,
    Settings,
    Gateway,
    VirtualService,
    RouteTable,
    RouteOption,
    VirtualHostOption,
    MatchableHttpGateway,
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    TrafficPolicy,
    GatewayExtension,
    SecurityPolicy,
}

/// The API that routes are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteApi {
    /// Gloo's own kinds.
    Gloo,
    /// The Gateway API of Kubernetes.
    GatewayApi,
}

impl RouteApi {
    /// The word that stands for it in values.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gloo => "gloo",
            Self::GatewayApi => "gateway-api",
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::Namespace,
        Self::CustomResourceDefinition,
        Self::Secret,
        Self::Service,
        Self::Endpoints,
        Self::Pod,
        Self::Event,
        Self::EndpointSlice,
        Self::Deployment,
        Self::Upstream,
        Self::UpstreamGroup,
        Self::Settings,
        Self::Gateway,
        Self::VirtualService,
        Self::RouteTable,
        Self::RouteOption,
        Self::VirtualHostOption,
        Self::MatchableHttpGateway,
        Self::HttpRoute,
        Self::TrafficPolicy,
        Self::GatewayExtension,
        Self::SecurityPolicy,
    ];

    /// The kinds that a service consists of: what its routes rest on comes after them.
    pub const OF_SERVICES: [Self; 9] = [
        Self::VirtualService,
        Self::RouteTable,
        Self::HttpRoute,
        Self::TrafficPolicy,
        Self::GatewayExtension,
        Self::SecurityPolicy,
        Self::Upstream,
        Self::Service,
        Self::Deployment,
    ];

    /// The kind of this name in the group of this API version, in whatever version of the group. `None` for
    /// every other kind, also for one that is called like one of these: a Service of Knative's is no Service.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let group = group(api_version);
        // Events are served in two groups.
        let is_core_event = known == Self::Event && group.is_empty();
        (group == known.group() || is_core_event).then_some(known)
    }

    /// The kind of an object in Gloo's model, which knows no other groups.
    pub fn of_reference(object: &ObjectRef) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == object.kind)
    }

    /// The object of this kind in Gloo's model.
    pub fn reference(self, name: &ResourceRef) -> ObjectRef {
        ObjectRef::new(self.as_str(), &name.namespace, &name.name)
    }

    /// The name, as manifests write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "Namespace",
            Self::CustomResourceDefinition => "CustomResourceDefinition",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::Endpoints => "Endpoints",
            Self::Pod => "Pod",
            Self::Event => "Event",
            Self::EndpointSlice => "EndpointSlice",
            Self::Deployment => "Deployment",
            Self::Upstream => "Upstream",
            Self::UpstreamGroup => "UpstreamGroup",
            Self::Settings => "Settings",
            Self::Gateway => "Gateway",
            Self::VirtualService => "VirtualService",
            Self::RouteTable => "RouteTable",
            Self::RouteOption => "RouteOption",
            Self::VirtualHostOption => "VirtualHostOption",
            Self::MatchableHttpGateway => "MatchableHttpGateway",
            Self::HttpRoute => "HTTPRoute",
            Self::TrafficPolicy => "TrafficPolicy",
            Self::GatewayExtension => "GatewayExtension",
            Self::SecurityPolicy => "SecurityPolicy",
        }
    }

    /// The API version in which it is read and written.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Namespace | Self::Secret | Self::Service | Self::Endpoints | Self::Pod => "v1",
            Self::CustomResourceDefinition => "apiextensions.k8s.io/v1",
            Self::Event => "events.k8s.io/v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::Deployment => "apps/v1",
            Self::Upstream | Self::UpstreamGroup | Self::Settings => "gloo.solo.io/v1",
            Self::Gateway
            | Self::VirtualService
            | Self::RouteTable
            | Self::RouteOption
            | Self::VirtualHostOption
            | Self::MatchableHttpGateway => "gateway.solo.io/v1",
            Self::HttpRoute => "gateway.networking.k8s.io/v1",
            Self::TrafficPolicy | Self::GatewayExtension => "gateway.kgateway.dev/v1alpha1",
            Self::SecurityPolicy => "gateway.envoyproxy.io/v1alpha1",
        }
    }

    /// The group of its API; the core group has no name.
    pub fn group(self) -> &'static str {
        group(self.api_version())
    }

    /// Whether its objects belong to no namespace.
    pub const fn is_cluster_scoped(self) -> bool {
        matches!(self, Self::Namespace | Self::CustomResourceDefinition)
    }

    /// Whether its objects say which requests go where.
    pub const fn is_route(self) -> bool {
        self.route_api().is_some()
    }

    /// The API whose routes its objects are.
    pub const fn route_api(self) -> Option<RouteApi> {
        match self {
            Self::RouteTable | Self::VirtualService => Some(RouteApi::Gloo),
            Self::HttpRoute => Some(RouteApi::GatewayApi),
            _ => None,
        }
    }

    /// Whether gateways report in its status what they make of it by what it is attached to.
    pub const fn is_policy(self) -> bool {
        matches!(self, Self::TrafficPolicy | Self::SecurityPolicy)
    }

    /// Whether routes are guarded by its objects: policies, and what those refer to.
    pub const fn is_guard(self) -> bool {
        self.is_policy() || matches!(self, Self::GatewayExtension)
    }

    /// Whether a controller of the Gateway API reports in its status, and not Gloo.
    pub const fn has_gateway_status(self) -> bool {
        self.is_policy() || matches!(self, Self::HttpRoute)
    }

    /// Whether Gloo reports in their status what it makes of the objects that services consist of.
    pub const fn has_gloo_status(self) -> bool {
        matches!(self, Self::RouteTable | Self::VirtualService | Self::Upstream)
    }

    /// Whether Kubernetes makes its objects, for some with the labels of ours: we write none of them.
    pub const fn is_made_by_kubernetes(self) -> bool {
        matches!(self, Self::Pod | Self::Endpoints | Self::EndpointSlice | Self::Event)
    }

    /// Whether Gloo's routing rests on its objects.
    pub fn is_routing(self) -> bool {
        let mut kinds = gloo::Snapshot::ROUTING.iter().chain(gloo::Snapshot::FURTHER);
        kinds.any(|routing| routing.kind == self.as_str())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the Gateway API's routing rests on objects of this kind, as far as a preflight reads them: it assumes pods, and
/// opens no Secret. In whatever version of the group.
pub fn is_gateway_api_routing(api_version: &str, kind: &str) -> bool {
    gateway_api_routing()
        .any(|(version, name)| name == kind && group(version) == group(api_version))
}

/// These kinds, each with the API version in which it is read.
pub fn gateway_api_routing() -> impl Iterator<Item = (&'static str, &'static str)> {
    let kinds = gateway_api::Snapshot::ROUTING.iter().chain(gateway_api::Snapshot::FURTHER);
    kinds.copied().filter(|(_, kind)| !["EndpointSlice", "Secret"].contains(kind))
}

/// The group of an API version; the core group has none.
pub(crate) fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_group_and_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.api_version(), kind.as_str()), Some(kind));
            assert_eq!(Kind::of("example.org/v1", kind.as_str()), None, "{kind}");
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
        assert_eq!(Kind::of("apps/v1beta1", "Deployment"), Some(Kind::Deployment));
        assert_eq!(Kind::of("v1", "Event"), Some(Kind::Event));
        assert_eq!(Kind::of("serving.knative.dev/v1", "Service"), None);
        assert_eq!(Kind::of("networking.istio.io/v1", "VirtualService"), None);
        assert_eq!(Kind::of("v1", "ConfigMap"), None);
    }

    #[test]
    fn the_kinds_that_routing_rests_on_are_those_that_gloos_model_reads() {
        let read = gloo::Snapshot::ROUTING.iter().chain(gloo::Snapshot::FURTHER);
        let read = read.map(|kind| Kind::of(kind.api_version, kind.kind));
        let read: Vec<Kind> = read.map(|kind| kind.expect("a known kind")).collect();
        for kind in Kind::ALL {
            assert_eq!(kind.is_routing(), read.contains(&kind), "{kind}");
        }
        let behind = gloo::Snapshot::ENDPOINTS.iter();
        let behind: Vec<_> = behind.map(|kind| Kind::of(kind.api_version, kind.kind)).collect();
        assert_eq!(behind, [Some(Kind::Endpoints), Some(Kind::Pod)]);
    }

    #[test]
    fn the_kinds_of_the_gateway_api_are_known_by_their_groups() {
        for (version, kind) in gateway_api_routing() {
            assert!(is_gateway_api_routing(version, kind), "{kind}");
            assert!(!is_gateway_api_routing("example.org/v1", kind), "{kind}");
        }
        assert!(is_gateway_api_routing("gateway.networking.k8s.io/v1", "ReferenceGrant"));
        assert!(!is_gateway_api_routing("gateway.solo.io/v1", "Gateway"), "it is Gloo's");
        assert!(!is_gateway_api_routing("v1", "Secret"));
    }

    #[test]
    fn what_gloo_reports_on_is_what_it_reads_of_a_service() {
        let reported = Kind::ALL.into_iter().filter(|kind| kind.has_gloo_status());
        assert_eq!(
            reported.collect::<Vec<_>>(),
            [Kind::Upstream, Kind::VirtualService, Kind::RouteTable]
        );
    }
}
