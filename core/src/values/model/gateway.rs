//! Which API says who gets a service's requests, and which gateway carries it out.

use std::fmt;

/// The APIs that a service's routes are written in: one, or both while it moves from one to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// Gloo's own kinds: RouteTable or VirtualService, and Upstreams.
    Gloo,
    /// The Gateway API: HTTPRoutes, and a Service per version.
    GatewayApi(GatewayApi),
    /// Both, from the same pods.
    Both(GatewayApi),
}

impl Gateway {
    /// Whether Gloo's objects are rendered.
    pub fn is_gloo(&self) -> bool {
        matches!(self, Self::Gloo | Self::Both(_))
    }

    /// What HTTPRoutes attach to, where they are rendered.
    pub fn gateway_api(&self) -> Option<&GatewayApi> {
        match self {
            Self::Gloo => None,
            Self::GatewayApi(api) | Self::Both(api) => Some(api),
        }
    }
}

/// What HTTPRoutes attach to, and by whose rules they are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayApi {
    /// Whose rules hold where the specification leaves a choice.
    pub profile: Profile,
    /// The Gateways that serve the routes. None for routes that a parent HTTPRoute selects.
    pub gateways: Vec<GatewayRef>,
}

/// An implementation of the Gateway API, as far as routes depend on which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// kgateway.
    Kgateway,
    /// Envoy Gateway.
    EnvoyGateway,
    /// Any: what implementations decide differently is refused.
    #[default]
    Portable,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Kgateway, Self::EnvoyGateway, Self::Portable];

    /// The word that stands for it in values.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kgateway => "kgateway",
            Self::EnvoyGateway => "envoy-gateway",
            Self::Portable => "portable",
        }
    }

    /// Whether a parent HTTPRoute can select others by a label.
    pub fn delegates(self) -> bool {
        self == Self::Kgateway
    }

    /// Whether clusters of Envoy may be named by the index of a rule, so that a route can reach Envoy before the
    /// cluster that it names (gateway-conformance, "Dropped requests").
    pub fn names_clusters_by_rule(self) -> bool {
        self != Self::Kgateway
    }

    /// Whether a new HTTPRoute may be served and get no status until some HTTPRoute changes: kgateway 2.4.0 writes the
    /// status once, and not if the cache that it reads the route from before does not have it yet. `portable` may be it.
    pub fn may_miss_new_routes(self) -> bool {
        self != Self::EnvoyGateway
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A Gateway of the Gateway API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRef {
    /// Its name.
    pub name: String,
    /// Its namespace; the service's when absent.
    pub namespace: Option<String>,
    /// One of its listeners; all of them when absent.
    pub section_name: Option<String>,
}
