//! From the listeners of a proxy to those of its Envoy.

use std::collections::HashMap;
use std::sync::Arc;

use super::domains;
use super::findings::Remark;
use super::mistake::Mistake;
use super::proxy::{Content, Http, Part, ProxyListener, ProxyVirtualHost};
use super::statuses::ProxyReport;
use super::tcp;
use super::tls::{self, Holding};
use super::view::View;
use super::virtual_hosts::{self, Translated};
use crate::api::{ObjectRef, SettingsSpec};
use crate::code::Code;
use crate::config::{Chain, Listener, RouteConfiguration, Serves, VirtualHost};

/// What is wrong with a listener as a whole, and what could not be judged.
#[derive(Default)]
pub(super) struct Judgement {
    /// Of the Gateway.
    pub(super) errors: Vec<Mistake>,
    /// Of the Gateway.
    pub(super) warnings: Vec<Mistake>,
    /// With the objects they are about; none means the Gateway.
    pub(super) notes: Vec<(Vec<Arc<ObjectRef>>, Remark)>,
}

/// A listener and the objects behind its chains.
pub(super) struct Made {
    pub(super) listener: Listener,
    pub(super) holders: Vec<Vec<Arc<ObjectRef>>>,
    pub(super) waits: bool,
}

/// What Envoys are told of a proxy's listener.
#[derive(Default)]
pub(super) struct Served {
    pub(super) listener: Option<Made>,
    pub(super) routes: Vec<RouteConfiguration>,
}

/// Translated virtual hosts by their source.
pub(super) type Known<'a> = HashMap<*const ProxyVirtualHost, &'a Translated>;

/// Filter chains of one part.
fn chains_of(
    listener: &ProxyListener,
    part: &Part,
    view: &View,
    settings: &SettingsSpec,
    judgement: &mut Judgement,
) -> Vec<Holding> {
    let warns = settings.warns_of_missing_secrets();
    match &part.content {
        Content::Http(http) => {
            let routes = routes_name(listener, part);
            if !http.ssl {
                return vec![plain(part, Serves::Routes(routes))];
            }
            let made = tls::chains(&http.ssl_configs, &part.sources, &routes, view, warns);
            judgement.errors.extend(made.errors);
            judgement.warnings.extend(made.warnings.into_iter().map(warning));
            judgement.notes.extend(made.notes);
            made.chains
        }
        Content::Tcp(hosts) => {
            let made = tcp::chains(hosts, part, listener, view, warns);
            judgement.errors.extend(made.errors);
            judgement.warnings.extend(made.warnings);
            judgement.notes.extend(made.notes);
            made.chains
        }
    }
}

fn warning(mistake: Mistake) -> Mistake {
    mistake.within(|text| format!("Listener Warning: SSLConfigWarning. Reason: {text}"))
}

/// A chain without TLS.
fn plain(part: &Part, serves: Serves) -> Holding {
    let chain =
        Chain { server_names: Vec::new(), sources: part.sources.clone(), tls: None, serves };
    Holding { chain, holders: Vec::new(), waits: false }
}

pub(super) fn routes_name(listener: &ProxyListener, part: &Part) -> String {
    format!("{}-routes{}", listener.name(), part.suffix)
}

/// What is wrong with the Gateway's settings and certificates. `empty` are parts without virtual
/// hosts, of which nothing is made.
fn chains(
    listener: &ProxyListener,
    view: &View,
    settings: &SettingsSpec,
) -> (Vec<Holding>, Judgement) {
    let mut judgement = Judgement::default();
    let mut all = Vec::new();
    for part in &listener.parts {
        all.extend(chains_of(listener, part, view, settings, &mut judgement));
    }
    if !listener.opaque {
        judgement.errors.extend(tls::duplicates(&all));
    }
    let reason = |text: &str| format!("Listener Error: SSLConfigError. Reason: {text}");
    let errors = judgement.errors.into_iter().map(|mistake| mistake.within(reason));
    judgement.errors = errors.collect();
    for reference in listener.parts.iter().flat_map(upstreams) {
        if view.lacks_upstream(reference) {
            let words = format!(
                "HttpListener Warning: InvalidDestinationWarning. Reason: *v1.Upstream {{ {} }} not \
                 found",
                reference.key()
            );
            judgement.warnings.push(Mistake::new(Code::MissingUpstream, words));
        }
    }
    (all, judgement)
}

fn upstreams(part: &Part) -> &[crate::api::ResourceRef] {
    match &part.content {
        Content::Http(http) => &http.upstreams,
        Content::Tcp(_) => &[],
    }
}

/// What is wrong with the listener, its virtual hosts apart.
pub(super) fn judge(listener: &ProxyListener, view: &View, settings: &SettingsSpec) -> Judgement {
    chains(listener, view, settings).1
}

/// Ports that two listeners of one proxy have (gloo-conformance case 17-one-port-one-proxy).
pub(super) fn ports(listeners: &[Arc<ProxyListener>]) -> Vec<(Arc<ObjectRef>, Mistake)> {
    let mut found = Vec::new();
    for listener in listeners {
        let same = |(_, other): &(usize, &Arc<ProxyListener>)| other.port == listener.port;
        let sharing = listeners.iter().enumerate().filter(same);
        let places: Vec<String> = sharing.map(|(place, _)| place.to_string()).collect();
        if places.len() > 1 {
            let words = format!(
                "Listener Error: BindPortNotUniqueError. Reason: port {} is shared by listeners [{}]",
                listener.port,
                places.join(" ")
            );
            found.push((Arc::clone(&listener.gateway), Mistake::new(Code::PortTaken, words)));
        }
    }
    found
}

/// What Gloo sends of a listener. Without virtual hosts none is sent (gloo-conformance case
/// 12-last-good-alone), unless Settings want empty ones: then without TLS (17-translate-empty-ssl).
pub(super) fn serve(
    proxy: &str,
    listener: &ProxyListener,
    known: &Known<'_>,
    view: &View,
    settings: &SettingsSpec,
    report: &mut ProxyReport,
) -> Served {
    let (holdings, judgement) = chains(listener, view, settings);
    let errors = judgement.errors.into_iter().map(|mistake| mistake.words);
    let warnings = judgement.warnings.into_iter().map(|mistake| mistake.words);
    report.add(errors, &[], warnings);
    let mut served = Served::default();
    let mut empty = Vec::new();
    for part in &listener.parts {
        let Content::Http(http) = &part.content else { continue };
        let virtual_hosts = virtual_hosts(http, known, view, report);
        let name = routes_name(listener, part);
        if virtual_hosts.is_empty() {
            empty.push(name);
            continue;
        }
        served.routes.push(RouteConfiguration {
            proxy: proxy.to_owned(),
            gateway: Arc::clone(&listener.gateway),
            name,
            virtual_hosts,
            longest_body: listener.longest_body,
        });
    }
    let translates_empty = settings.translates_empty_gateways();
    let is_empty =
        |chain: &Chain| matches!(&chain.serves, Serves::Routes(name) if empty.contains(name));
    let mut kept: Vec<Holding> = holdings.into_iter().filter(|it| !is_empty(&it.chain)).collect();
    if translates_empty {
        let empty = listener.parts.iter().filter(|part| {
            matches!(part.content, Content::Http(_)) && empty.contains(&routes_name(listener, part))
        });
        kept.extend(empty.map(|part| plain(part, Serves::Routes(routes_name(listener, part)))));
    }
    if kept.is_empty() && !listener.opaque {
        return served;
    }
    let mut paths = listener.parts.iter().filter_map(|part| match &part.content {
        Content::Http(http) => http.health_check_path.clone(),
        Content::Tcp(_) => None,
    });
    let waits = kept.iter().any(|holding| holding.waits);
    let (chains, holders) = kept.into_iter().map(|it| (it.chain, it.holders)).unzip();
    let made = Listener {
        proxy: proxy.to_owned(),
        gateway: Arc::clone(&listener.gateway),
        name: listener.name(),
        address: listener.address.clone(),
        port: listener.port,
        proxy_protocol: listener.proxy_protocol,
        health_check_path: paths.next(),
        chains,
        opaque: listener.opaque,
    };
    served.listener = Some(Made { listener: made, holders, waits });
    served
}

fn virtual_hosts(
    http: &Http,
    known: &Known<'_>,
    view: &View,
    report: &mut ProxyReport,
) -> Vec<Arc<VirtualHost>> {
    let conflicts = domains::check_resolved(&http.virtual_hosts);
    let mut hosts = Vec::with_capacity(http.virtual_hosts.len());
    for (host, conflicts) in http.virtual_hosts.iter().zip(conflicts) {
        let kept;
        let translated = match known.get(&Arc::as_ptr(host)) {
            Some(translated) => translated,
            None => {
                kept = virtual_hosts::translate(host, view);
                &kept
            }
        };
        let errors = conflicts.into_iter().chain(translated.errors.iter().cloned());
        let warnings = translated.warnings.iter().map(|warning| warning.words.clone());
        report.add(errors.map(|it| it.words), &translated.route_errors, warnings);
        hosts.push(Arc::clone(&translated.host));
    }
    hosts
}
