//! Who answers a request, without asking Envoy.

mod balance;
mod cors;
mod domain;
mod matching;
mod outcome;
mod path;
mod request;
mod rewrite;

use std::collections::BTreeMap;

pub use outcome::{Answer, Forwarded, Outcome};
pub use request::Request;

use crate::config::{Action, Forward, Mirror, Route, Target};
use crate::translate::Translation;

/// Says who answers `request`, by Envoy's rules: host, path, first matching route, weights, subsets.
pub fn answer(translation: &Translation, request: &Request) -> Answer {
    let mut answer = Answer::default();
    if translation.listener.is_none() {
        answer.outcomes.push((Outcome::Refused, 1.0));
        return answer;
    }
    let Some(path) = path::normalize(&request.path) else {
        answer.outcomes.push((Outcome::status(400, ""), 1.0));
        return answer;
    };
    let request = Request { path, ..request.clone() };
    let host = domain::find(&translation.virtual_hosts, &request.host);
    answer.virtual_host = host.map(|host| host.name.clone());
    let routes = host.into_iter().flat_map(|host| &host.routes);
    let route = routes.into_iter().find(|route| matching::takes(&route.matcher, &request));
    answer.route = route.map(|route| route.name.clone());
    answer.outcomes = match route.map(|route| (route, &route.action)) {
        None => vec![(Outcome::status(404, ""), 1.0)],
        Some((_, Action::DirectResponse { status, body })) => {
            let location = rewrite::location_of_direct_response(*status, &request);
            vec![(Outcome::Status { status: *status, body: body.clone(), location }, 1.0)]
        }
        Some((route, Action::Redirect(redirect))) => {
            vec![(rewrite::redirect(redirect, &route.matcher, &request), 1.0)]
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
        Target::Missing => vec![(Outcome::status(503, ""), 1.0)],
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
