use std::sync::Arc;

use super::VirtualHost;
use crate::api::{AddressRange, ObjectRef, ResourceRef, SslConfig};
use crate::secret::Secret;

/// An address that is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// The proxy whose Envoy listens there.
    pub proxy: String,
    /// The Gateway it comes from.
    pub gateway: Arc<ObjectRef>,
    /// `listener-<address>-<port>`.
    pub name: String,
    /// As in the Gateway.
    pub address: String,
    /// As in the Gateway.
    pub port: u32,
    /// Connections begin with the PROXY protocol; others are closed.
    pub proxy_protocol: bool,
    /// Requests to this path are answered with 200, whatever the routes say.
    pub health_check_path: Option<String>,
    /// What it does with connections. Of those that fit the most specific counts.
    pub chains: Vec<Chain>,
    /// It takes further connections, of which this crate does not know what becomes.
    pub opaque: bool,
}

/// What a listener does with some of its connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// It takes connections with TLS that ask for one of these names; none means any connection.
    pub server_names: Vec<String>,
    /// It takes connections from these addresses; none means any.
    pub sources: Vec<AddressRange>,
    /// TLS that ends here.
    pub tls: Option<Tls>,
    /// What it serves.
    pub serves: Serves,
}

/// What a filter chain serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serves {
    /// HTTP, by the route configuration of this name.
    Routes(String),
    /// Whatever comes is passed on to these clusters, by weight.
    Clusters(Vec<(String, u32)>),
}

/// TLS that ends in Envoy.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// As it is written in one of the objects; the names are those of the chain.
    pub config: Arc<SslConfig>,
    /// The Secret with the certificate, where it is one and is known.
    pub secret: Option<(ResourceRef, Secret)>,
}

impl Tls {
    /// Whether clients need a certificate: there is somebody who has to have signed it.
    pub fn asks_for_certificate(&self) -> bool {
        let root = match &self.secret {
            Some((_, Secret::Tls { root, .. })) => !root.is_empty(),
            _ => self.config.ssl_files.as_ref().is_some_and(|files| !files.root_ca.is_empty()),
        };
        root && self.config.one_way_tls != Some(true)
    }
}

/// Virtual hosts behind a listener, or behind part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteConfiguration {
    /// The proxy whose Envoy has it.
    pub proxy: String,
    /// The Gateway it comes from.
    pub gateway: Arc<ObjectRef>,
    /// `<listener>-routes`, with a suffix where a listener has several.
    pub name: String,
    /// By name.
    pub virtual_hosts: Vec<Arc<VirtualHost>>,
    /// The longest body of a direct answer, in bytes; `None` is Envoy's 4096.
    pub longest_body: Option<u32>,
}
