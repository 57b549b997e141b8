//! By the rules of the Gateway API's implementations.

use std::collections::BTreeSet;
use std::sync::Arc;

use gateway_api::config::{
    HeaderMatch, Match, PathMatch, RouteConfiguration, ValueMatch, VirtualHost,
};
use gateway_api::{
    Answer, Entry, Environment, Memory, Outcome, Profile, Snapshot, Translation, Validation,
    answer, translate,
};
use gloo::ObjectRef;

use super::{BOLD, DIM, Explained, Part, Wanted, Who};
use crate::hint::advised;
use coalmine_core::sanitize::sanitize;

/// The implementations that are modelled.
const PROFILES: [Profile; 2] = [Profile::Kgateway(Validation::Standard), Profile::EnvoyGateway];

/// Explains who answers the request by these objects, of which the service's routes are those: at every Gateway that
/// serves some of them.
///
/// # Errors
/// That no Gateway of an implementation that is modelled serves the routes.
pub(super) fn explain(
    snapshot: &Snapshot,
    routes: &BTreeSet<ObjectRef>,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<Explained>> {
    let mut explained = Vec::new();
    for profile in PROFILES {
        let environment = Environment { profile, ..snapshot.environment() };
        let translation = translate(&snapshot.clone().within(environment), &Memory::default());
        let gateways: BTreeSet<&Arc<ObjectRef>> =
            serving(&translation, routes).map(|found| &found.gateway).collect();
        for gateway in gateways {
            let at = || serving(&translation, routes).filter(|found| found.gateway == *gateway);
            let takes = |found: &&RouteConfiguration| {
                let mut hosts = found.virtual_hosts.iter().filter(|host| holds(host, routes));
                hosts.any(|host| {
                    wanted.host.is_some_and(|wanted| host.domains.iter().any(|it| it == wanted))
                })
            };
            if let Some(found) = at().find(takes).or_else(|| at().next()) {
                explained.push(at_gateway(&translation, found, routes, wanted));
            }
        }
    }
    if explained.is_empty() {
        return Err(advised(
            format_args!("no Gateway that is known here serves a route of {}", wanted.service),
            format_args!(
                "`kubectl get gateways,httproutes -A` shows what there is; does a parent select its apiGroup, and is its \
                 Gateway one of kgateway or Envoy Gateway?"
            ),
        ));
    }
    Ok(explained)
}

/// The route configurations that hold routes of the service.
fn serving<'a>(
    translation: &'a Translation,
    routes: &'a BTreeSet<ObjectRef>,
) -> impl Iterator<Item = &'a RouteConfiguration> {
    let all = translation.routes.iter();
    all.filter(move |it| it.virtual_hosts.iter().any(|host| holds(host, routes)))
}

fn holds(host: &VirtualHost, routes: &BTreeSet<ObjectRef>) -> bool {
    host.routes.iter().any(|route| routes.contains(&*route.holder))
}

fn at_gateway(
    translation: &Translation,
    found: &RouteConfiguration,
    routes: &BTreeSet<ObjectRef>,
    wanted: &Wanted<'_>,
) -> Explained {
    let own = found.virtual_hosts.iter().find(|host| holds(host, routes));
    let domain = own.and_then(|host| host.domains.first()).map_or("*", String::as_str);
    let host = if domain == "*" { "localhost".to_owned() } else { domain.replace('*', "any") };
    let request = wanted.request(host);
    let entry = entry(translation, found, &request.host);
    let answered = answer(translation, &entry, &request);
    super::print_request(&request, entry.server_name.is_some());
    anstream::println!("  {} takes it in, at port {}", found.gateway, entry.port);
    let is_ours =
        print_way(found, &answered, &request.host).is_some_and(|holder| routes.contains(&holder));
    let mirrors = answered.mirrors.iter();
    Explained {
        is_ours,
        answers: answered.outcomes.iter().map(part).collect(),
        copies: mirrors.map(|it| (it.share, it.outcomes.iter().map(part).collect())).collect(),
    }
}

/// How a request for the host comes to the routes.
fn entry(translation: &Translation, found: &RouteConfiguration, host: &str) -> Entry {
    let (namespace, gateway) = (&found.gateway.namespace, &found.gateway.name);
    let mut listeners = translation.listeners.iter().filter(|it| it.gateway == found.gateway);
    let chain = listeners.find_map(|listener| {
        let chain = listener.chains.iter().find(|chain| chain.routes == found.name)?;
        Some((listener.port, chain.tls))
    });
    let name = host.split(':').next().unwrap_or_default();
    match chain {
        Some((port, true)) => Entry::https(namespace, gateway, port, name),
        Some((port, false)) => Entry::http(namespace, gateway, port),
        None => Entry::http(namespace, gateway, 0),
    }
}

/// Prints the routes that are tried, and returns the object with the one that takes the request.
fn print_way(found: &RouteConfiguration, answered: &Answer, host: &str) -> Option<ObjectRef> {
    let mut hosts = found.virtual_hosts.iter();
    let Some(taking) = hosts.find(|it| Some(&it.name) == answered.virtual_host.as_ref()) else {
        anstream::println!("  no HTTPRoute has the host {}", sanitize(host));
        return None;
    };
    for route in &taking.routes {
        let takes = sanitize(&in_words(&route.matcher)).into_owned();
        if Some(&route.name) == answered.route.as_ref() {
            anstream::println!("  {BOLD}takes it:{BOLD:#} {takes} ({})", route.holder);
            return Some(ObjectRef::clone(&route.holder));
        }
        anstream::println!("  {DIM}passes:   {takes} ({}){DIM:#}", route.holder);
    }
    None
}

/// The requests that a matcher takes, in words: `/echo/* with stage: canary`.
fn in_words(matcher: &Match) -> String {
    let path = match &matcher.path {
        PathMatch::Prefix(prefix) => format!("{prefix}*"),
        PathMatch::Elements(path) => format!("{path} and {path}/*"),
        PathMatch::Exact(path) => path.clone(),
        PathMatch::Regex(expression) => format!("~{expression}"),
    };
    let condition = |name: &str, it: &HeaderMatch| match &it.value {
        ValueMatch::Exact(text) => format!("{name}: {text}"),
        ValueMatch::Regex(expression) => format!("{name}: ~{expression}"),
    };
    let headers = matcher.headers.iter().map(|it| {
        let name = if it.name == ":method" { "method" } else { &it.name };
        condition(name, it)
    });
    let query = matcher.query.iter().map(|it| condition(&format!("?{}", it.name), it));
    let conditions: Vec<String> = headers.chain(query).collect();
    match conditions.is_empty() {
        true => path,
        false => format!("{path} with {}", conditions.join(", ")),
    }
}

fn part((outcome, share): &(Outcome, f64)) -> Part {
    let who = match outcome {
        Outcome::Refused => Who::Refused,
        Outcome::Closed => Who::Closed,
        Outcome::Unknown => Who::Unknown,
        Outcome::Status { status, location, .. } => Who::Status((*status).into(), location.clone()),
        Outcome::Endpoint { cluster, pod, address, .. } => {
            Who::Pod(pod.clone(), format!("{address} of {cluster}"))
        }
    };
    (who, *share)
}
