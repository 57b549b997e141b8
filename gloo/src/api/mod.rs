//! The objects of Gloo as the API server stores them: what is in scope is typed, `options` stay open.
//!
//! Decoding follows Gloo's own: unknown fields and `null` are passed over, an unknown enum value or a
//! bad duration makes the object undecodable (gloo-conformance case 13-undecodable). Of several
//! members of one choice (`prefix` and `exact`, two actions) the one declared last in Gloo's API wins
//! (case 09-matcher-invalid step 7, case 13-redirect-direct step 6).

mod crd;
mod decode;
mod duration;
mod gateway;
mod matcher;
mod metadata;
mod open;
mod options;
mod options_refs;
mod route;
mod route_table;
mod settings;
mod ssl;
mod status;
mod traffic;
mod upstream;
mod virtual_service;
mod written;

pub use crd::crds;
pub use decode::decode;
pub use duration::Duration;
pub use gateway::{
    AddressRange, DelegatedHttpGateway, GatewayMatcher, GatewaySelector, GatewaySpec, HttpGateway,
    HybridGateway, MatchableHttpGatewaySpec, MatchedGateway, RouteConfigurationOptions, TcpAction,
    TcpGateway, TcpHost, VirtualServiceExpressions,
};
pub(crate) use matcher::Path;
pub use matcher::{HeaderMatcher, Matcher, QueryParameterMatcher};
pub use metadata::{ObjectRef, ResourceRef};
pub use open::Open;
pub(crate) use options::HostRewrite;
pub use options::{
    HeaderManipulation, HeaderValue, HeaderValueOption, RegexPattern, RegexRewrite, RetryBackOff,
    RetryPolicy, RouteOptions, VirtualHostOptions, WeightedDestinationOptions,
};
pub use options_refs::{OptionsConfigRefs, RouteOptionSpec, VirtualHostOptionSpec};
pub(crate) use route::Action;
pub use route::{
    DelegateAction, Destination, DestinationSpec, DirectResponseAction, Expression,
    MultiDestination, Operator, RedirectAction, RedirectCode, Route, RouteAction,
    RouteTableSelector, Subset, Target, WeightedDestination,
};
pub use route_table::RouteTableSpec;
pub use settings::{
    GatewaySettings, GlooSettings, InvalidConfigPolicy, SettingsSpec, ValidationSettings,
};
pub use ssl::{SslConfig, SslFiles, SslParameters, TlsVersion};
pub use status::{State, Status};
pub use traffic::{
    AbortFault, Cors, DelayFault, Faults, HashCookie, HashPolicy, LbHash, MaxStreamDuration,
    Shadowing, Upgrade, UpgradeSpec,
};
pub use upstream::{
    CircuitBreakers, ConnectionConfig, FallbackPolicy, HealthCheck, HealthCheckConfig,
    KubeUpstream, LoadBalancerConfig, PreconnectPolicy, RingHash, RingHashConfig, StaticHost,
    StaticUpstream, SubsetSelector, SubsetSpec, UpstreamGroupSpec, UpstreamSpec,
};
pub use virtual_service::{VirtualHost, VirtualServiceSpec};
