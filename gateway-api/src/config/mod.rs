//! What Envoy is told: listeners, virtual hosts with ordered routes, and clusters with their endpoints.

mod cluster;
mod headers;
mod listener;
mod matcher;
mod route;

pub use gloo::config::PathRewrite;

pub use cluster::{Cluster, Endpoint, Locality};
pub use headers::{HeaderEdit, HeaderEdits};
pub use listener::{Chain, Listener, RouteConfiguration, VirtualHost};
pub use matcher::{HeaderMatch, Match, PathMatch, ValueMatch};
pub use route::{
    Action, CorsPolicy, Forward, JwtProvider, JwtRequirement, Mirror, Redirect, Retry, Route,
    Session, Target, WeightedCluster,
};
