//! From Gateways to the listeners of the proxies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mistake::Mistake;
use super::proxy::{Content, Http, Part, Proxy, ProxyListener, ProxyVirtualHost};
use super::reports::Reports;
use super::resolve;
use super::view::View;
use super::{domains, selection, unmodelled};
use crate::api::{
    GatewayMatcher, GatewaySpec, HttpGateway, ObjectRef, ResourceRef, SettingsSpec, SslConfig,
};
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
            let named = spec.http_gateway.iter().flat_map(|http| &http.virtual_services);
            for wanted in named.filter(|it| !self.view.virtual_services.contains_key(*it)) {
                let ResourceRef { namespace, name } = wanted;
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

    /// `None`: Gloo makes no listener of it. The one it had goes unless the Gateway is in error and
    /// the proxy has others (gloo-conformance case 17-no-type).
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
        };
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

    /// One filter chain per matched gateway (gloo-conformance case 17-hybrid-matched).
    fn hybrid(
        &mut self,
        hybrid: &crate::api::HybridGateway,
        proxy: &str,
        listener: &mut ProxyListener,
    ) {
        let gateway = Arc::clone(&listener.gateway);
        let delegated = [
            ("delegatedHttpGateways", hybrid.delegated_http_gateways.is_some()),
            ("delegatedTcpGateways", hybrid.delegated_tcp_gateways.is_some()),
        ];
        for (name, _) in delegated.iter().filter(|(_, used)| *used) {
            listener.opaque = true;
            self.reports.note(&gateway, unmodelled::note(&format!("hybridGateway.{name}")));
        }
        for matched in &hybrid.matched_gateways {
            let none = GatewayMatcher::default();
            let matcher = matched.matcher.as_ref().unwrap_or(&none);
            let known = matcher.ssl_config.as_ref().is_none_or(|ssl| *ssl == SslConfig::default())
                && matcher.rest.is_empty();
            if !known {
                listener.opaque = true;
                let what = "a matcher of hybridGateway.matchedGateways";
                self.reports.note(&gateway, unmodelled::note(what));
            }
            if let Some(http) = &matched.http_gateway {
                self.http(http, matcher.ssl_config.is_some(), Some(matcher), proxy, listener);
            } else if let Some(tcp) = &matched.tcp_gateway {
                let mut part = Part::new(Content::Tcp(tcp.tcp_hosts.clone()));
                part.sources.clone_from(&matcher.source_prefix_ranges);
                listener.parts.push(part);
            }
        }
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
                // (gloo-conformance case 17-selector-expressions step 5).
                listener.selection_kept = true;
                self.selected_before(&gateway, proxy)
            }
        };
        let isolated = ssl && self.settings.isolates_by_ssl_config();
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

impl Proxy {
    /// Replaces what is in error by what was served before.
    ///
    /// A Gateway in error keeps its whole listener; a virtual host in error keeps its last version as
    /// long as its VirtualService exists (gloo-conformance cases 12-last-good*, 12-domains-duplicate,
    /// 17-two-gateways-one-proxy).
    pub(super) fn keep_last_good(self, before: Option<&Self>, reports: &Reports) -> Self {
        let before = before.map(|proxy| proxy.listeners.as_slice()).unwrap_or_default();
        let stays = |listener: &ProxyListener| {
            listener.selection_kept || !reports.has_errors(&listener.gateway)
        };
        let good = self.listeners.into_iter().filter(|listener| stays(listener));
        let good = good.map(|listener| {
            let name = listener.name();
            let old = before.iter().find(|old| old.name() == name);
            let old = old.map(|old| old.parts.as_slice()).unwrap_or_default();
            Arc::new(ProxyListener::clone(&listener).with_kept_hosts(old, reports))
        });
        let mut listeners: Vec<Arc<ProxyListener>> = good.collect();
        let present = |gateway: &Arc<ObjectRef>| {
            listeners.iter().any(|listener| listener.gateway == *gateway)
        };
        let frozen = before.iter().filter(|old| reports.has_errors(&old.gateway));
        let frozen: Vec<_> = frozen.filter(|old| !present(&old.gateway)).cloned().collect();
        listeners.extend(frozen);
        listeners.sort_by(|one, other| one.gateway.cmp(&other.gateway));
        Self { name: self.name, listeners }
    }
}

impl ProxyListener {
    fn with_kept_hosts(mut self, before: &[Part], reports: &Reports) -> Self {
        let rejected = |host: &Arc<ProxyVirtualHost>| reports.has_errors(&host.object());
        for (index, part) in self.parts.iter_mut().enumerate() {
            let Content::Http(http) = &mut part.content else { continue };
            http.virtual_hosts.retain(|host| !rejected(host));
            if let Some(Part { content: Content::Http(old), .. }) = before.get(index) {
                let kept = old.virtual_hosts.iter().filter(|host| rejected(host));
                http.virtual_hosts.extend(kept.cloned());
            }
            http.virtual_hosts.sort_by_cached_key(|host| host.name());
        }
        self
    }
}
