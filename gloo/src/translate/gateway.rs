//! From Gateway and VirtualServices to the proxy.

use std::sync::Arc;

use super::delegation::Resolver;
use super::mistake::Mistake;
use super::proxy::{Proxy, ProxyListener, ProxyVirtualHost};
use super::reports::Reports;
use super::selector::{check, has_labels, holds};
use super::view::View;
use super::{domains, unsupported};
use crate::api::{
    GatewaySpec, HttpGateway, ObjectRef, Path, ResourceRef, VirtualHost, VirtualServiceSpec,
};
use crate::code::Code;
use crate::objects::Object;
use crate::pattern;

/// The proxy that the objects ask for, and the Gateway it comes from.
pub(super) struct Desired {
    pub(super) gateway: ObjectRef,
    pub(super) proxy: String,
    pub(super) listener: ProxyListener,
}

/// Reads Gateways, VirtualServices and RouteTables. `None`: there is nothing to serve.
///
/// Gloo takes Gateways from its own namespace only. Of several HTTP gateways this crate serves the
/// first, in the order of their names.
pub(super) fn desire(view: &View, namespace: &str, reports: &mut Reports) -> Option<Desired> {
    for reference in view.gateways.keys() {
        reports.accept(ObjectRef::new("Gateway", &reference.namespace, &reference.name));
    }
    for reference in view.virtual_services.keys() {
        reports.accept(ObjectRef::new("VirtualService", &reference.namespace, &reference.name));
    }
    for reference in view.route_tables.keys() {
        reports.accept(ObjectRef::new("RouteTable", &reference.namespace, &reference.name));
    }
    let mut served: Option<(&ResourceRef, &GatewaySpec, &HttpGateway)> = None;
    for (reference, gateway) in view.gateways.iter() {
        if reference.namespace != namespace {
            continue;
        }
        let object = ObjectRef::new("Gateway", &reference.namespace, &reference.name);
        warn_of_options(&object, &gateway.spec, reports);
        match (in_scope(&gateway.spec, view), &served) {
            (Ok(None), _) => {}
            (Ok(Some(http)), None) => served = Some((reference, &gateway.spec, http)),
            (Ok(Some(_)), Some((first, ..))) => {
                let words = format!("only one http gateway is served, and that is {}", first.key());
                reports.error(&object, Mistake::new(Code::NotModelled, words));
            }
            (Err(mistake), _) => {
                reports.error(&object, mistake);
            }
        }
    }
    let (reference, spec, http) = served?;
    (!view.virtual_services.is_empty()).then(|| listener(view, reference, spec, http, reports))
}

/// The HTTP part of a Gateway; `None` if it has nothing to serve.
fn in_scope<'a>(gateway: &'a GatewaySpec, view: &View) -> Result<Option<&'a HttpGateway>, Mistake> {
    if gateway.hybrid_gateway.is_some() {
        return Err(unsupported::field("hybridGateway"));
    }
    if gateway.tcp_gateway.is_some() {
        return Err(unsupported::field("tcpGateway"));
    }
    let Some(http) = &gateway.http_gateway else {
        let words = "invalid gateway: gateway must contain gatewayType";
        return Err(Mistake::new(Code::InvalidGateway, words));
    };
    let tls = view.virtual_services.values().any(|object| object.spec.ssl_config.is_some());
    match (gateway.ssl, tls) {
        (false, _) => Ok(Some(http)),
        (true, false) => Ok(None),
        (true, true) => Err(unsupported::field("ssl with VirtualServices that have sslConfig")),
    }
}

fn warn_of_options(object: &ObjectRef, gateway: &GatewaySpec, reports: &mut Reports) {
    let http = gateway.http_gateway.as_ref();
    let fields = [
        ("options", gateway.options.as_ref().is_some_and(|options| !options.0.is_empty())),
        ("routeOptions", gateway.route_options.is_some()),
        ("useProxyProto", gateway.use_proxy_proto == Some(true)),
        (
            "httpGateway.options",
            http.and_then(|http| http.options.as_ref()).is_some_and(|open| !open.0.is_empty()),
        ),
    ];
    for (field, _) in fields.iter().filter(|(_, used)| *used) {
        reports.warning(object, unsupported::field(field));
    }
}

fn listener(
    view: &View,
    reference: &ResourceRef,
    spec: &GatewaySpec,
    http: &HttpGateway,
    reports: &mut Reports,
) -> Desired {
    let gateway = ObjectRef::new("Gateway", &reference.namespace, &reference.name);
    let proxy = spec.proxy_names.first().map_or("gateway-proxy", String::as_str);
    let mut chosen = Vec::new();
    for (name, object) in view.virtual_services.iter() {
        match serves(http, name, object) {
            Ok(true) => chosen.push(Arc::clone(name)),
            Ok(false) => {}
            Err(mistake) => {
                reports.error(&gateway, mistake);
            }
        }
    }
    for wanted in &http.virtual_services {
        if !view.virtual_services.contains_key(wanted) {
            let ResourceRef { namespace, name } = wanted;
            let words =
                format!("invalid virtual service ref name:{name:?} namespace:{namespace:?}");
            reports.error(&gateway, Mistake::new(Code::MissingVirtualService, words));
        }
    }
    domains::check_written(&gateway, &chosen, &view.virtual_services, reports);
    let names = (reference.name.as_str(), proxy);
    let virtual_hosts =
        chosen.iter().map(|name| Arc::new(virtual_host(view, name, names, reports))).collect();
    let (address, port) = (spec.bind_address.clone(), spec.bind_port);
    Desired {
        gateway,
        proxy: proxy.to_owned(),
        listener: ProxyListener { address, port, virtual_hosts },
    }
}

/// Whether the gateway serves the VirtualService (gloo-conformance case 16-gateway-selection).
fn serves(
    http: &HttpGateway,
    reference: &ResourceRef,
    object: &Object<VirtualServiceSpec>,
) -> Result<bool, Mistake> {
    if object.spec.ssl_config.is_some() {
        return Ok(false);
    }
    let (namespace, labels) = (&reference.namespace, &object.labels);
    let wanted = &http.virtual_service_namespaces;
    let in_namespace =
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == "*" || wanted == namespace);
    if let Some(selector) = &http.virtual_service_expressions {
        for expression in &selector.expressions {
            check(expression).map_err(|mistake| {
                mistake
                    .within(|e| format!("{e}: the virtual service selector expression is invalid"))
            })?;
        }
        return Ok(in_namespace && selector.expressions.iter().all(|e| holds(e, labels)));
    }
    if !http.virtual_service_selector.is_empty() {
        return Ok(in_namespace && has_labels(labels, &http.virtual_service_selector));
    }
    if http.virtual_services.is_empty() {
        return Ok(in_namespace);
    }
    Ok(http.virtual_services.contains(reference))
}

fn virtual_host(
    view: &View,
    name: &Arc<ResourceRef>,
    gateway: (&str, &str),
    reports: &mut Reports,
) -> ProxyVirtualHost {
    let root = Arc::new(ObjectRef::new("VirtualService", &name.namespace, &name.name));
    let spec = &view.virtual_services[name].spec;
    for mistake in unsupported::of_virtual_service(spec) {
        reports.warning(&root, mistake);
    }
    let none = VirtualHost::default();
    let written = spec.virtual_host.as_ref().unwrap_or(&none);
    let mut resolver =
        Resolver { tables: &view.route_tables, root: Arc::clone(&root), gateway, reports };
    let host = ProxyVirtualHost {
        source: Arc::clone(name),
        routes: resolver.resolve(&written.routes),
        domains: written.domains.clone(),
        options: written.options.clone(),
    };
    check_expressions(&host, &root, reports);
    host
}

/// Expressions that Go cannot compile reject the VirtualService (gloo-conformance case
/// 09-matcher-invalid). Those of headers and query parameters are not looked at: Envoy refuses them.
fn check_expressions(host: &ProxyVirtualHost, root: &ObjectRef, reports: &mut Reports) {
    for route in &host.routes {
        let options = route.options.iter();
        let rewrites = options.flat_map(|options| {
            [&options.host_rewrite_path_regex, &options.regex_rewrite].into_iter().flatten()
        });
        let rewrites = rewrites.map(|rewrite| rewrite.pattern.regex.as_str());
        let paths = route.matchers.iter().filter_map(|matcher| match matcher.path() {
            Some(Path::Regex(expression)) => Some(expression),
            _ => None,
        });
        for expression in rewrites.map(str::to_owned).chain(paths) {
            if let Err(fault) = pattern::compile(&expression) {
                let name = host.name();
                let words = format!(
                    "virtual service [{name}] has a regex matcher with invalid regex, {fault}"
                );
                reports.error(root, Mistake::new(Code::InvalidExpression, words));
            }
        }
    }
}

impl Desired {
    /// Replaces what is in error by what was served before.
    ///
    /// A virtual host in error keeps its last version as long as its VirtualService exists; a Gateway
    /// in error keeps its whole listener (gloo-conformance cases 12-last-good*, 12-domains-duplicate).
    pub(super) fn keep_last_good(self, before: Option<&Proxy>, reports: &Reports) -> Proxy {
        let before = before.filter(|proxy| proxy.name == self.proxy);
        let before = before.and_then(|proxy| proxy.listener.as_ref());
        let before = before.filter(|listener| listener.name() == self.listener.name());
        if reports.has_errors(&self.gateway) {
            return Proxy { name: self.proxy, listener: before.cloned() };
        }
        let rejected = |host: &Arc<ProxyVirtualHost>| {
            let source = &host.source;
            reports.has_errors(&ObjectRef::new("VirtualService", &source.namespace, &source.name))
        };
        let mut listener = self.listener;
        listener.virtual_hosts.retain(|host| !rejected(host));
        let kept = before.into_iter().flat_map(|listener| &listener.virtual_hosts);
        listener.virtual_hosts.extend(kept.filter(|host| rejected(host)).cloned());
        listener.virtual_hosts.sort_by_cached_key(|host| host.name());
        Proxy { name: self.proxy, listener: Some(listener) }
    }
}
