//! The keys of `gateway`.

use schemars::JsonSchema;

use super::mapping::mapping;
use super::scalars::{Label, Subdomain};

mapping! {
    /// The API that routes are written in, and who serves them.
    Gateway {
        /// The API; gloo by default.
        api: Option<RouteApi>,
        /// The implementation of the Gateway API; portable by default.
        profile: Option<Profile>,
        /// The Gateways of the Gateway API that serve the routes.
        #[schemars(length(max = MAX_GATEWAYS))]
        gateways: Option<Vec<GatewayReference>>,
    }
}

/// An HTTPRoute has no more parents than this.
pub(in crate::values) const MAX_GATEWAYS: usize = 32;

/// The API that routes are written in.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum RouteApi {
    /// RouteTable or VirtualService, and Upstreams.
    Gloo,
    /// HTTPRoutes, and a Service per version.
    GatewayApi,
    /// Both, from the same pods, while a service moves.
    Both,
}

/// An implementation of the Gateway API.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is used")]
enum Profile {
    /// kgateway.
    Kgateway,
    /// Envoy Gateway.
    EnvoyGateway,
    /// Any: what implementations decide differently is refused.
    Portable,
}

mapping! {
    /// A Gateway of the Gateway API.
    GatewayReference {
        /// Its name.
        name: Subdomain,
        /// Its namespace; the service's by default.
        namespace: Option<Label>,
        /// One of its listeners; all by default.
        section_name as "sectionName": Option<Subdomain>,
    }
}
