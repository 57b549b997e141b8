//! From Gateways to the listeners of the proxies.

mod hybrid;
mod last_good;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::findings::Remark;
use super::mistake::Mistake;
use super::proxy::{Content, Http, Part, Proxy, ProxyListener, ProxyVirtualHost};
use super::reports::Reports;
use super::resolve;
use super::view::View;
use super::{domains, selection, unmodelled};
use crate::api::{GatewayMatcher, GatewaySpec, HttpGateway, ObjectRef, ResourceRef, SettingsSpec};
use crate::code::Code;
use crate::objects::Object;

/// What Gateways are read with.
struct Reader<'a> {
    view: &'a View,
    settings: &'a SettingsSpec,
    before: &'a BTreeMap<String, Arc<Proxy>>,
    reports: &'a mut Reports,
}

/// A Gateway that counts.
type Counted<'a> = (&'a Arc<ResourceRef>, &'a Arc<Object<GatewaySpec>>);

/// The Gateways that count: those in Gloo's namespace, or all of them if Settings say so
/// (gloo-conformance case 17-gateway-other-namespace).
pub(super) fn counted<'a>(
    view: &'a View,
    namespace: &'a str,
    settings: &SettingsSpec,
) -> impl Iterator<Item = Counted<'a>> {
    let anywhere = settings.takes_gateways_from_anywhere();
    view.gateways.iter().filter(move |(it, _)| anywhere || it.namespace == namespace)
}

/// Reads Gateways, VirtualServices and RouteTables; the proxies by name. One is left out when it has
/// nothing to serve. Without a Gateway that counts nothing is looked at (gloo-conformance case
/// 17-no-gateway).
pub(super) fn desire(
    view: &View,
    namespace: &str,
    settings: &SettingsSpec,
    before: &BTreeMap<String, Arc<Proxy>>,
    reports: &mut Reports,
) -> BTreeMap<String, Proxy> {
    let mut by_proxy: BTreeMap<&str, Vec<Counted<'_>>> = BTreeMap::new();
    for counted in counted(view, namespace, settings) {
        for proxy in counted.1.spec.proxies() {
            by_proxy.entry(proxy).or_default().push(counted);
        }
    }
    if by_proxy.is_empty() {
        return BTreeMap::new();
    }
    accept(view, reports);
    let mut proxies = BTreeMap::new();
    let mut reader = Reader { view, settings, before, reports };
    for (name, gateways) in by_proxy {
        reader.validate(&gateways);
        let listeners = gateways.iter().filter_map(|gateway| reader.listener(gateway, name));
        let listeners: Vec<Arc<ProxyListener>> = listeners.map(Arc::new).collect();
        if !listeners.is_empty() {
            proxies.insert(name.to_owned(), Proxy { name: name.to_owned(), listeners });
        }
    }
    reports.look_at(None);
    proxies
}

fn accept(view: &View, reports: &mut Reports) {
    for reference in view.gateways.keys() {
        reports.accept(object("Gateway", reference));
    }
    for reference in view.virtual_services.keys() {
        reports.accept(object("VirtualService", reference));
    }
    for reference in view.route_tables.keys() {
        reports.accept(object("RouteTable", reference));
    }
}

fn object(kind: &str, reference: &ResourceRef) -> ObjectRef {
    ObjectRef::new(kind, &reference.namespace, &reference.name)
}

impl Reader<'_> {
    /// VirtualServices that are named and not there, and addresses that two Gateways have
    /// (gloo-conformance cases 17-explicit-list, 17-one-port-one-proxy).
    fn validate(&mut self, gateways: &[Counted<'_>]) {
        let mut addresses: BTreeMap<String, Vec<&ResourceRef>> = BTreeMap::new();
        for (reference, gateway) in gateways {
            let spec = &gateway.spec;
            let address = format!("{}:{}", spec.bind_address, spec.bind_port);
            addresses.entry(address).or_default().push(reference);
            let gateway = Arc::new(object("Gateway", reference));
            self.reports.look_at(Some(&gateway));
            let hybrid = spec.hybrid_gateway.iter().flat_map(|hybrid| &hybrid.matched_gateways);
            let matched = hybrid.filter_map(|matched| matched.http_gateway.as_ref());
            let gateways = spec.http_gateway.iter().chain(matched);
            let named = gateways.flat_map(|http| &http.virtual_services);
            for wanted in named.filter(|it| !self.view.virtual_services.contains_key(*it)) {
                let ResourceRef { namespace, name } = wanted;
                if !self.view.known.sees("VirtualService", namespace) {
                    self.reports.note(&gateway, Remark::not_read("VirtualService", wanted));
                    continue;
                }
                let words =
                    format!("invalid virtual service ref name:{name:?} namespace:{namespace:?}");
                self.reports.error(&gateway, Mistake::new(Code::MissingVirtualService, words));
            }
        }
        for (address, sharing) in addresses.iter().filter(|(_, sharing)| sharing.len() > 1) {
            let names: Vec<String> = sharing.iter().map(|it| it.key()).collect();
            let words = format!(
                "bind-address {address} is not unique in a proxy. gateways: {}",
                names.join(",")
            );
            for reference in sharing {
                let gateway = Arc::new(object("Gateway", reference));
                self.reports.look_at(Some(&gateway));
                self.reports.error(&gateway, Mistake::new(Code::PortTaken, words.clone()));
            }
        }
    }

    /// `None`: Gloo makes no listener of it. The one it had goes with the proxy, if that has no other (gloo-conformance
    /// case 17-no-type step 3); beside others a Gateway in error keeps it, as every Gateway in error does.
    fn listener(
        &mut self,
        (reference, gateway): &Counted<'_>,
        proxy: &str,
    ) -> Option<ProxyListener> {
        let (gateway, spec) = (Arc::new(object("Gateway", reference)), &gateway.spec);
        self.reports.look_at(Some(&gateway));
        for words in unmodelled::of_gateway(spec) {
            self.reports.note(&gateway, words);
        }
        let mut listener = ProxyListener {
            gateway: Arc::clone(&gateway),
            address: spec.bind_address.clone(),
            port: spec.bind_port,
            proxy_protocol: spec.use_proxy_proto.unwrap_or_default(),
            longest_body: spec
                .route_options
                .as_ref()
                .and_then(|options| options.max_direct_response_body_size_bytes),
            parts: Vec::new(),
            selection_kept: false,
            opaque: false,
            isolated: false,
        };
        listener.isolated = spec.isolated.unwrap_or(self.settings.isolates_by_ssl_config());
        if let Some(hybrid) = &spec.hybrid_gateway {
            self.hybrid(hybrid, proxy, &mut listener);
            return (!listener.parts.is_empty() || listener.opaque).then_some(listener);
        }
        if let Some(tcp) = &spec.tcp_gateway {
            listener.parts.push(Part::new(Content::Tcp(tcp.tcp_hosts.clone())));
            return Some(listener);
        }
        let Some(http) = &spec.http_gateway else {
            let words = "invalid gateway: gateway must contain gatewayType";
            self.reports.error(&gateway, Mistake::new(Code::InvalidGateway, words));
            return None;
        };
        self.http(http, spec.ssl, None, proxy, &mut listener);
        (!listener.parts.is_empty()).then_some(listener)
    }

    /// Adds what an HTTP gateway serves: nothing while there is no VirtualService at all, unless
    /// Settings want empty listeners, too (gloo-conformance case 17-translate-empty).
    fn http(
        &mut self,
        http: &HttpGateway,
        ssl: bool,
        matcher: Option<&GatewayMatcher>,
        proxy: &str,
        listener: &mut ProxyListener,
    ) {
        let empty = self.view.virtual_services.is_empty();
        if empty && !self.settings.translates_empty_gateways() {
            return;
        }
        let gateway = Arc::clone(&listener.gateway);
        let chosen = match selection::select(http, ssl, self.view) {
            Ok(chosen) => chosen,
            Err(mistakes) => {
                for mistake in mistakes {
                    self.reports.error(&gateway, mistake);
                }
                // The VirtualServices that it had stay with it, and what they say goes on
                // (gloo-conformance case 17-selector-expressions step 5). One that had none serves
                // nothing; any of them may be meant for it.
                let before = self.selected_before(&gateway, proxy);
                listener.selection_kept = !before.is_empty();
                if before.is_empty() { selection::possible(http, ssl, self.view) } else { before }
            }
        };
        let isolated = ssl && listener.isolated;
        for chosen in self.groups(chosen, isolated) {
            domains::check_written(&gateway, &chosen, &self.view.virtual_services, self.reports);
            let suffix = match (isolated, matcher) {
                (true, _) | (_, Some(_)) => format!("-{}", listener.parts.len()),
                (false, None) => String::new(),
            };
            let content = self.content(http, ssl, &chosen, &gateway, proxy);
            let mut part = Part { suffix, ..Part::new(Content::Http(content)) };
            if let Some(matcher) = matcher {
                part.sources.clone_from(&matcher.source_prefix_ranges);
            }
            listener.parts.push(part);
        }
    }

    /// Those with equal `sslConfig`s together, or all of them.
    fn groups(&self, chosen: Vec<Arc<ResourceRef>>, isolated: bool) -> Vec<Vec<Arc<ResourceRef>>> {
        if !isolated {
            return vec![chosen];
        }
        let config = |name: &Arc<ResourceRef>| {
            self.view.virtual_services.get(name).and_then(|it| it.spec.ssl_config.as_deref())
        };
        let mut groups: Vec<Vec<Arc<ResourceRef>>> = Vec::new();
        for name in chosen {
            let own = config(&name);
            let same = |group: &&mut Vec<Arc<ResourceRef>>| {
                let other = group.first().and_then(config);
                own.zip(other).is_some_and(|(own, other)| own.same_but_names(other))
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(name),
                None => groups.push(vec![name]),
            }
        }
        groups
    }

    fn selected_before(&self, gateway: &ObjectRef, proxy: &str) -> Vec<Arc<ResourceRef>> {
        let listeners = self.before.get(proxy).map(|proxy| proxy.listeners.as_slice());
        let mut listeners = listeners.unwrap_or_default().iter();
        let listener = listeners.find(|listener| *listener.gateway == *gateway);
        let hosts = listener.into_iter().flat_map(|listener| listener.virtual_hosts());
        let names = hosts.map(|host| Arc::clone(&host.source));
        names.filter(|name| self.view.virtual_services.contains_key(name)).collect()
    }

    fn content(
        &mut self,
        http: &HttpGateway,
        ssl: bool,
        chosen: &[Arc<ResourceRef>],
        gateway: &Arc<ObjectRef>,
        proxy: &str,
    ) -> Http {
        let options = http.options.as_ref();
        let option = |name: &str| options.and_then(|options| options.0.get(name));
        let configs = chosen.iter().filter_map(|name| {
            let config = self.view.virtual_services.get(name)?.spec.ssl_config.as_deref()?.clone();
            Some((Arc::clone(name), Arc::new(config)))
        });
        let ssl_configs = configs.collect();
        let dynamic = option("dynamicForwardProxy").is_some();
        let host = |name| resolve::virtual_host(self.view, name, gateway, proxy, self.reports);
        let hosts = chosen.iter().map(host).map(|host: ProxyVirtualHost| {
            Arc::new(ProxyVirtualHost { dynamic_forward_proxy: dynamic, ..host })
        });
        let virtual_hosts = hosts.collect();
        let path = option("healthCheck").and_then(|check| check.get("path")?.as_str());
        Http {
            ssl,
            ssl_configs,
            virtual_hosts,
            health_check_path: path.map(str::to_owned),
            upstreams: options.map(|options| named_upstreams(&options.0)).unwrap_or_default(),
        }
    }
}

/// The Upstreams that settings of a listener send something to beside the routes (gloo-conformance
/// case 17-gateway-options-more).
fn named_upstreams(options: &serde_json::Map<String, serde_json::Value>) -> Vec<ResourceRef> {
    let servers = [
        "/httpConnectionManagerSettings/tracing/zipkinConfig/collectorUpstreamRef",
        "/httpConnectionManagerSettings/tracing/datadogConfig/collectorUpstreamRef",
        "/httpConnectionManagerSettings/tracing/openTelemetryConfig/collectorUpstreamRef",
        "/httpConnectionManagerSettings/tracing/openCensusConfig/grpcAddress/collectorUpstreamRef",
        "/extauth/extauthzServerRef",
        "/ratelimitServer/ratelimitServerRef",
    ];
    let options = serde_json::Value::Object(options.clone());
    let named = servers.iter().filter_map(|pointer| options.pointer(pointer));
    named.filter_map(|named| serde_json::from_value(named.clone()).ok()).collect()
}
