use std::sync::Arc;

use crate::api::{
    DirectResponseAction, Matcher, ObjectRef, RedirectAction, ResourceRef, RouteAction,
    RouteOptions, VirtualHostOptions,
};

/// What Gloo makes of Gateway, VirtualServices and RouteTables, before it looks at Upstreams.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Proxy {
    /// The name of the proxy, by default `gateway-proxy`.
    pub(super) name: String,
    /// Without one nothing is served: the Gateway was in error from the start.
    pub(super) listener: Option<ProxyListener>,
}

/// An address and the virtual hosts behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyListener {
    pub(super) address: String,
    pub(super) port: u32,
    pub(super) virtual_hosts: Vec<Arc<ProxyVirtualHost>>,
}

impl ProxyListener {
    pub(super) fn name(&self) -> String {
        format!("listener-{}-{}", self.address, self.port)
    }
}

/// A VirtualService with all delegation resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProxyVirtualHost {
    /// The VirtualService.
    pub(super) source: Arc<ResourceRef>,
    pub(super) domains: Vec<String>,
    pub(super) routes: Vec<ProxyRoute>,
    pub(super) options: Option<VirtualHostOptions>,
}

impl ProxyVirtualHost {
    /// Gloo's name of it, `namespace.name`.
    pub(super) fn name(&self) -> String {
        self.source.key()
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
