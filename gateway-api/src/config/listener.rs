use std::sync::Arc;

use super::{JwtRequirement, Route};
use crate::ObjectRef;

/// A listener of an Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The Gateway whose Envoy it is.
    pub gateway: Arc<ObjectRef>,
    /// Its name.
    pub name: String,
    /// The port.
    pub port: u16,
    /// A path with an escaped slash is answered by a redirect to the path with a plain one.
    pub redirects_escaped_slashes: bool,
    /// What it does with connections.
    pub chains: Vec<Chain>,
}

/// What a listener does with some connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The server names it is for; none is all.
    pub server_names: Vec<String>,
    /// Whether connections have TLS.
    pub tls: bool,
    /// The name of the route configuration.
    pub routes: String,
    /// What its one filter for tokens knows, where it has such a filter.
    pub tokens: Vec<Arc<JwtRequirement>>,
}

/// A route configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteConfiguration {
    /// The Gateway whose Envoy has it.
    pub gateway: Arc<ObjectRef>,
    /// Its name.
    pub name: String,
    /// By name.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
}

/// Domains and the routes behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualHost {
    /// Its name.
    pub name: String,
    /// For example `*.example.com`; `*` is every host.
    pub domains: Vec<String>,
    /// Requests without TLS are sent to the same address with it.
    pub require_tls: bool,
    /// Which token every request needs, whatever its route asks for beside it.
    pub jwt: Option<Arc<JwtRequirement>>,
    /// The same, said for all virtual hosts together.
    pub jwt_of_all: Option<Arc<JwtRequirement>>,
    /// The first that matches takes the request.
    pub routes: Vec<Route>,
}
