//! Who answers a request, without asking Envoy.

mod balance;
mod cors;
mod domain;
mod entry;
mod matching;
mod outcome;
mod path;
mod request;
mod rewrite;

use std::collections::BTreeMap;

pub use domain::{domain_of_host, takes_host};
pub use entry::{ClientTls, Entry};
pub use outcome::{Answer, Forwarded, Outcome};
pub use path::{normalize, split};
pub use request::Request;

use crate::config::{Action, Chain, Forward, Mirror, Route, Serves, Target, VirtualHost};
use crate::translate::Translation;

/// Says who answers `request`, by Envoy's rules: listener, filter chain, host, path, first matching
/// route, weights, subsets.
pub fn answer(translation: &Translation, entry: &Entry, request: &Request) -> Answer {
    let certain = |outcome| Answer { outcomes: vec![(outcome, 1.0)], ..Answer::default() };
    let Some(listener) = entry.listener(&translation.listeners) else {
        return certain(Outcome::Refused);
    };
    if listener.proxy_protocol {
        return certain(Outcome::Closed);
    }
    if listener.opaque {
        return certain(Outcome::Unknown);
    }
    let Some(chain) = entry.chain(listener) else { return certain(Outcome::Closed) };
    match (&chain.tls, &entry.tls) {
        (Some(_), None) => return certain(Outcome::Closed),
        (Some(tls), Some(client)) if tls.asks_for_certificate() && !client.has_certificate => {
            return certain(Outcome::TlsFailed);
        }
        // A chain that passes connections on does so with TLS, too.
        (None, Some(_)) if matches!(chain.serves, Serves::Routes(_)) => {
            return certain(Outcome::TlsFailed);
        }
        _ => {}
    }
    match &chain.serves {
        Serves::Clusters(clusters) => passed_on(translation, clusters, request),
        Serves::Routes(name) => {
            let wanted = |it: &&crate::config::RouteConfiguration| {
                it.proxy == listener.proxy && it.name == *name
            };
            let routes = translation.routes.iter().find(wanted);
            let hosts = routes.map(|routes| routes.virtual_hosts.as_slice()).unwrap_or_default();
            let path = listener.health_check_path.as_deref();
            routed(translation, hosts, path, chain, request)
        }
    }
}

/// Connections that nobody looks into.
fn passed_on(translation: &Translation, clusters: &[(String, u32)], request: &Request) -> Answer {
    let mut answer = Answer::default();
    let sum: f64 = clusters.iter().map(|(_, weight)| f64::from(*weight)).sum();
    for (name, weight) in clusters.iter().filter(|(_, weight)| *weight > 0) {
        let share = f64::from(*weight) / sum;
        let picked = balance::pick(translation, name, &BTreeMap::new());
        picked.into_iter().for_each(|(outcome, p)| add(&mut answer.outcomes, outcome, p * share));
    }
    if answer.outcomes.is_empty() {
        answer.outcomes.push((Outcome::Unknown, 1.0));
    }
    let (path, host) = (request.path.clone(), Some(request.host.clone()));
    answer.forwarded = Some(Forwarded { path, host, timeout: None, retry: None });
    answer
}

fn routed(
    translation: &Translation,
    hosts: &[std::sync::Arc<VirtualHost>],
    health_check_path: Option<&str>,
    chain: &Chain,
    request: &Request,
) -> Answer {
    let mut answer = Answer::default();
    let Some(path) = path::normalize(&request.path) else {
        answer.outcomes.push((Outcome::status(400, ""), 1.0));
        return answer;
    };
    let request = Request { path, ..request.clone() };
    if health_check_path == Some(path::split(&request.path).0) {
        answer.outcomes.push((Outcome::status(200, ""), 1.0));
        return answer;
    }
    let has_tls = chain.tls.is_some();
    let host = domain::find(hosts, &request.host);
    answer.virtual_host = host.map(|host| host.name.clone());
    if host.is_some_and(|host| host.require_tls && !has_tls) {
        let location = format!("https://{}{}", request.host, request.path);
        answer.outcomes.push((Outcome::moved(301, location), 1.0));
        return answer;
    }
    let routes = host.into_iter().flat_map(|host| &host.routes);
    let route = routes.into_iter().find(|route| matching::takes(&route.matcher, &request));
    answer.route = route.map(|route| route.name.clone());
    answer.outcomes = match route.map(|route| (route, &route.action)) {
        None => vec![(Outcome::status(404, ""), 1.0)],
        Some((_, Action::DirectResponse { status, body })) => {
            let location = rewrite::location_of_direct_response(*status, &request, has_tls);
            vec![(Outcome::Status { status: *status, body: body.clone(), location }, 1.0)]
        }
        Some((route, Action::Redirect(redirect))) => {
            vec![(rewrite::redirect(redirect, &route.matcher, &request, has_tls), 1.0)]
        }
        Some((route, Action::Forward(forward))) => match cors::preflight(host, route, &request) {
            Some(outcome) => with_fault(route, vec![(outcome, 1.0)]),
            None => {
                let mut forwarded =
                    rewrite::forwarded(forward, &route.matcher, &request, translation);
                let of_host = || host.and_then(|host| host.retry.clone());
                forwarded.retry = forwarded.retry.or_else(of_host);
                answer.forwarded = Some(forwarded);
                answer.mirrors = mirrors(translation, forward);
                with_fault(route, targets(translation, forward, &request))
            }
        },
    };
    answer
}

fn targets(translation: &Translation, forward: &Forward, request: &Request) -> Vec<(Outcome, f64)> {
    match &forward.target {
        Target::Missing | Target::Dynamic { filter: false } => {
            vec![(Outcome::status(503, ""), 1.0)]
        }
        Target::Unknown | Target::Dynamic { filter: true } => vec![(Outcome::Unknown, 1.0)],
        Target::Cluster { name, subset } => balance::pick(translation, name, subset),
        Target::Header(name) => {
            let value = request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let cluster = value.map_or("", |(_, value)| value);
            balance::pick(translation, cluster, &BTreeMap::new())
        }
        Target::Weighted { clusters, .. } => {
            let sum: f64 = clusters.iter().map(|cluster| f64::from(cluster.weight)).sum();
            let mut outcomes = Vec::new();
            for cluster in clusters.iter().filter(|cluster| cluster.weight > 0) {
                let share = f64::from(cluster.weight) / sum;
                let picked = balance::pick(translation, &cluster.name, &cluster.subset);
                picked.into_iter().for_each(|(o, p)| add(&mut outcomes, o, p * share));
            }
            outcomes
        }
    }
}

/// Adds to the probability of an outcome that is there already.
fn add(outcomes: &mut Vec<(Outcome, f64)>, outcome: Outcome, probability: f64) {
    match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
        Some((_, known)) => *known += probability,
        None => outcomes.push((outcome, probability)),
    }
}

/// A made-up answer comes before any backend is asked.
fn with_fault(route: &Route, outcomes: Vec<(Outcome, f64)>) -> Vec<(Outcome, f64)> {
    let Some(abort) = route.fault.as_ref().and_then(|fault| fault.abort) else { return outcomes };
    let share = f64::from(abort.per_million.min(1_000_000)) / 1e6;
    let mut all = Vec::new();
    if share > 0.0 {
        all.push((Outcome::status(abort.status, "fault filter abort"), share));
    }
    if share < 1.0 {
        all.extend(outcomes.into_iter().map(|(outcome, p)| (outcome, p * (1.0 - share))));
    }
    all
}

fn mirrors(translation: &Translation, forward: &Forward) -> Vec<(f64, Vec<(Outcome, f64)>)> {
    let none = BTreeMap::new();
    let mirrors = forward.mirrors.iter().filter(|mirror| mirror.per_million > 0);
    let copy = |mirror: &Mirror| {
        let share = f64::from(mirror.per_million.min(1_000_000)) / 1e6;
        (share, balance::pick(translation, &mirror.cluster, &none))
    };
    mirrors.map(copy).collect()
}

#[cfg(test)]
mod tests;
