//! What Envoy is told: virtual hosts with ordered routes, and clusters with their endpoints.

mod cluster;
mod headers;
mod listener;
mod matcher;
mod path;
mod route;
mod virtual_host;

pub use cluster::{
    CLUSTER_FALLBACK, Cluster, ClusterTls, Discovery, Endpoint, LoadBalancing, SubsetSettings,
    Thresholds,
};
pub use headers::{HeaderEdit, HeaderEdits};
pub use listener::{Chain, Listener, RouteConfiguration, Serves, Tls};
pub use matcher::{HeaderMatch, Match, PathMatch, QueryMatch, ValueMatch};
pub use route::{
    Abort, Action, CorsPolicy, Delay, Fault, Forward, HashKey, HashSource, HostRewrite, Mirror,
    PathRewrite, Redirect, RedirectPath, Retry, Route, Target, UpgradeConfig, WeightedCluster,
};
pub use virtual_host::VirtualHost;
