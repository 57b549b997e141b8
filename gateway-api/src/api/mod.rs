//! The objects of the Gateway API and of its two implementations, as far as routing looks at them.
//!
//! Fields that are absent have the defaults of the CustomResourceDefinitions, so that an object means the same
//! before and after the API server has stored it.

mod decode;
mod duration;
mod filter;
mod gateway;
mod grant;
mod http_match;
mod http_route;
mod kubernetes;
mod policy;
mod selector;

pub use decode::decode;
pub use duration::millis;
pub use filter::{
    BackendRef, Cors, Filter, FilterKind, Fraction, HeaderModifier, HeaderValue, LocalRef,
    PathModifier, RequestMirror, RequestRedirect, UrlRewrite,
};
pub use gateway::{
    AllowedRoutes, CertificateRef, ClassSpec, GatewaySpec, ListenerSpec, ListenerTls, RouteKind,
    RouteNamespaces,
};
pub use grant::{GrantFrom, GrantSpec, GrantTo};
pub use http_match::{HttpMatch, MatchKind, NamedMatch, PathKind, PathSpec};
pub use http_route::{HttpRouteSpec, ParentRef, RetrySpec, RuleSpec, SessionPersistence, Timeouts};
pub use kubernetes::{
    EndpointConditions, EndpointSpec, PortSpec, ServicePortSpec, ServiceSpec, SliceSpec, TargetRef,
};
pub use policy::{
    BackendTrafficSpec, ClaimHeader, DirectResponseSpec, ExtensionRef, ExtensionSpec, JwtAuth,
    JwtExtension, JwtProviderSpec, PolicyTarget, RouteFilterSpec, SecuritySpec, TrafficPolicySpec,
};
pub use selector::LabelSelector;

/// The API group of the Gateway API.
pub const GROUP: &str = "gateway.networking.k8s.io";
