use std::sync::Arc;

use crate::api::{
    AddressRange, DirectResponseAction, Matcher, ObjectRef, RedirectAction, ResourceRef,
    RouteAction, RouteOptions, SslConfig, TcpHost, VirtualHostOptions,
};

/// What Gloo makes of the Gateways of one proxy, of VirtualServices and RouteTables, before it looks at
/// Upstreams and Secrets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proxy {
    /// By default `gateway-proxy`.
    pub(super) name: String,
    /// In the order of their Gateways.
    pub(super) listeners: Vec<Arc<ProxyListener>>,
}

/// An address and what is behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyListener {
    pub(super) gateway: Arc<ObjectRef>,
    pub(super) address: String,
    pub(super) port: u32,
    pub(super) proxy_protocol: bool,
    pub(super) longest_body: Option<u32>,
    pub(super) parts: Vec<Part>,
    /// The Gateway's error is one that leaves it the VirtualServices that it had, and their changes.
    pub(super) selection_kept: bool,
    /// It takes further connections that are not modelled.
    pub(super) opaque: bool,
    /// VirtualServices with different `sslConfig`s have route configurations of their own.
    pub(super) isolated: bool,
}

impl ProxyListener {
    pub(super) fn name(&self) -> String {
        format!("listener-{}-{}", self.address, self.port)
    }

    /// The virtual hosts of all parts.
    pub(super) fn virtual_hosts(&self) -> impl Iterator<Item = &Arc<ProxyVirtualHost>> {
        self.parts.iter().flat_map(|part| match &part.content {
            Content::Http(http) => http.virtual_hosts.as_slice(),
            Content::Tcp(_) => &[],
        })
    }
}

/// What some connections of a listener get: all of a Gateway, or one of several matched gateways.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Follows the name of the listener's route configuration; empty where there is only one.
    pub(super) suffix: String,
    pub(super) sources: Vec<AddressRange>,
    pub(super) content: Content,
}

impl Part {
    /// All connections of a listener.
    pub(super) fn new(content: Content) -> Self {
        Self { suffix: String::new(), sources: Vec::new(), content }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Http(Http),
    Tcp(Vec<TcpHost>),
}

/// Virtual hosts with one route configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Http {
    /// Connections have TLS.
    pub(super) ssl: bool,
    /// Those of all VirtualServices, in their order; also of such that are in error.
    pub(super) ssl_configs: Vec<(Arc<ResourceRef>, Arc<SslConfig>)>,
    pub(super) virtual_hosts: Vec<Arc<ProxyVirtualHost>>,
    pub(super) health_check_path: Option<String>,
    /// Upstreams that the settings of the listener name.
    pub(super) upstreams: Vec<ResourceRef>,
}

/// A VirtualService with all delegation resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyVirtualHost {
    /// The VirtualService.
    pub(super) source: Arc<ResourceRef>,
    /// The Gateway that serves it here.
    pub(super) gateway: Arc<ObjectRef>,
    /// It has an `sslConfig`.
    pub(super) ssl: bool,
    /// Something in it is not modelled.
    pub(super) opaque: bool,
    /// The Gateway can forward to the request's own host.
    pub(super) dynamic_forward_proxy: bool,
    pub(super) domains: Vec<String>,
    pub(super) routes: Vec<ProxyRoute>,
    pub(super) options: Option<VirtualHostOptions>,
}

impl ProxyVirtualHost {
    /// Gloo's name of it, `namespace.name`.
    pub(super) fn name(&self) -> String {
        self.source.key()
    }

    /// The VirtualService.
    pub(super) fn object(&self) -> ObjectRef {
        ObjectRef::new("VirtualService", &self.source.namespace, &self.source.name)
    }
}

/// A route that answers or forwards.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyRoute {
    /// The object it is written in.
    pub(super) holder: Arc<ObjectRef>,
    /// Empty unless somebody named a route on the way to it.
    pub(super) name: String,
    pub(super) matchers: Vec<Matcher>,
    pub(super) options: Option<Box<RouteOptions>>,
    pub(super) action: ProxyAction,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ProxyAction {
    Route(Box<RouteAction>),
    Redirect(RedirectAction),
    DirectResponse(DirectResponseAction),
}
