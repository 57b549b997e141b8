//! What a request comes to in either model, in the words of neither.

use std::collections::BTreeMap;

use gateway_api::answer as after_;
use gloo::answer as before_;
use gloo::config::{Listener, Route, Serves, VirtualHost};
use gloo::{ObjectRef, Request, ResourceRef};

use super::clients::Edits;
use crate::migration::pods::PORT;

/// What Envoy takes for a timeout where nothing is said, in milliseconds.
const DEFAULT_TIMEOUT: u64 = 15_000;
/// Probabilities that differ by less are the same.
pub(super) const TOLERANCE: f64 = 1e-9;

/// Who answers, by pod or status, with probabilities that sum to 1.
pub(super) type Shares = BTreeMap<String, f64>;

/// What a request comes to, in the words of neither model.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) shares: Shares,
    pub(super) is_known: bool,
    /// Path, host where it is known, timeout, headers that count; of every backend.
    pub(super) forwarded: Vec<Forwarded>,
    pub(super) copies: Vec<(f64, Shares)>,
    /// What changes the headers of an answer, in order, for every backend; empty where neither a backend answers nor a
    /// redirect.
    pub(super) edits: Vec<Vec<Edits>>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Forwarded {
    pub(super) path: String,
    pub(super) host: Option<String>,
    pub(super) timeout: u64,
    pub(super) headers: Vec<(String, String)>,
}

/// What Gloo answers, and the route that takes the request.
pub(super) fn before<'a>(
    translation: &'a gloo::Translation,
    request: &Request,
) -> (Answer, Option<&'a Route>) {
    let takes = |listener: &&Listener| {
        let plain = |chain: &gloo::config::Chain| {
            chain.tls.is_none() && matches!(chain.serves, Serves::Routes(_))
        };
        listener.chains.iter().any(plain)
    };
    let mut entry = gloo::Entry::http(0);
    if let Some(listener) = translation.listeners.iter().find(takes) {
        entry.proxy.clone_from(&listener.proxy);
        entry.port = listener.port;
    }
    let answer = gloo::answer(translation, &entry, request);
    let host = answer.virtual_host.as_ref();
    let host = translation.served_hosts().find(|it| Some(&it.name) == host);
    let named = |route: &&Route| Some(&route.name) == answer.route.as_ref();
    let route = host.and_then(|host| host.routes.iter().find(named));
    let outcome = |(outcome, share): &(before_::Outcome, f64)| {
        let words = match outcome {
            before_::Outcome::Endpoint { pod, address, .. } => pod_words(pod.as_ref(), address),
            before_::Outcome::Status { status, location, .. } => {
                status_words(*status, location.as_deref())
            }
            before_::Outcome::Unknown => return None,
            // Gloo has no listener while it has no routes: nobody answers either way.
            before_::Outcome::Refused => status_words(404, None),
            before_::Outcome::Closed => "connection closed".to_owned(),
            before_::Outcome::TlsFailed => "no TLS".to_owned(),
        };
        Some((words, *share))
    };
    let found: Option<Vec<_>> = answer.outcomes.iter().map(outcome).collect();
    let forwarded = answer.forwarded.as_ref().map(|it| Forwarded {
        path: it.path.clone(),
        host: it.host.clone(),
        timeout: it
            .timeout
            .map_or(DEFAULT_TIMEOUT, |it| u64::try_from(it.millis()).unwrap_or_default()),
        headers: edited(request, host.map(|it| &**it), route),
    });
    let copies = answer
        .mirrors
        .iter()
        .map(|(share, outcomes)| (*share, summed(outcomes.iter().filter_map(outcome))));
    let levels = route.map(|route| &route.headers).into_iter();
    let levels = levels.chain(host.map(|host| &host.headers)).map(Edits::of_gloo).collect();
    let redirects = |(outcome, _): &(before_::Outcome, f64)| {
        matches!(outcome, before_::Outcome::Status { location: Some(_), .. })
    };
    let is_edited = forwarded.is_some() || answer.outcomes.iter().all(redirects);
    let known = Answer {
        is_known: found.is_some(),
        shares: summed(found.unwrap_or_default()),
        forwarded: forwarded.into_iter().collect(),
        copies: copies.collect(),
        edits: if is_edited { vec![levels] } else { Vec::new() },
    };
    (known, route)
}

/// What the new gateway answers.
pub(super) fn after(
    translation: &gateway_api::Translation,
    gateway: &ObjectRef,
    request: &Request,
) -> Answer {
    let ObjectRef { namespace, name, .. } = gateway;
    let entry = gateway_api::Entry::http(namespace, name, PORT);
    let answer = gateway_api::answer(translation, &entry, request);
    let outcome = |(outcome, share): &(after_::Outcome, f64)| {
        let words = match outcome {
            after_::Outcome::Endpoint { pod, address, .. } => pod_words(pod.as_ref(), address),
            after_::Outcome::Status { status, location, .. } => {
                status_words(u32::from(*status), location.as_deref())
            }
            after_::Outcome::Unknown => return None,
            after_::Outcome::Refused => "connection refused".to_owned(),
            after_::Outcome::Closed => "connection closed".to_owned(),
        };
        Some((words, *share))
    };
    let found: Option<Vec<_>> = answer.outcomes.iter().map(outcome).collect();
    let forwarded = answer.outcomes.iter().filter_map(|(it, _)| answer.forwarded_to(it));
    let forwarded = forwarded.map(|it| Forwarded {
        path: it.path.clone(),
        host: Some(it.host.clone()),
        timeout: it.timeout.unwrap_or(DEFAULT_TIMEOUT),
        headers: counting(it.headers.iter().cloned()),
    });
    let copies = answer
        .mirrors
        .iter()
        .map(|copy| (copy.share, summed(copy.outcomes.iter().filter_map(outcome))));
    let mut edits: Vec<Vec<Edits>> = Vec::new();
    for (outcome, _) in &answer.outcomes {
        let levels = match outcome {
            after_::Outcome::Endpoint { cluster, .. } => {
                let levels = answer.response_edits.get(cluster).into_iter().flatten();
                levels.map(Edits::of_gateway).collect()
            }
            after_::Outcome::Status { location: Some(_), .. } => {
                vec![Edits { add: answer.response_headers.clone(), ..Edits::default() }]
            }
            _ => continue,
        };
        if !edits.contains(&levels) {
            edits.push(levels);
        }
    }
    Answer {
        is_known: found.is_some(),
        shares: summed(found.unwrap_or_default()),
        forwarded: forwarded.collect(),
        copies: copies.collect(),
        edits,
    }
}

fn pod_words(pod: Option<&ResourceRef>, address: &str) -> String {
    match pod {
        Some(ResourceRef { namespace, name }) => format!("{namespace}/{name}"),
        None => address.to_owned(),
    }
}

fn status_words(status: u32, location: Option<&str>) -> String {
    match location {
        Some(location) => format!("{status} to {location}"),
        None => status.to_string(),
    }
}

fn summed(outcomes: impl IntoIterator<Item = (String, f64)>) -> Shares {
    let mut shares = Shares::new();
    for (words, share) in outcomes {
        *shares.entry(words).or_default() += share;
    }
    shares
}

/// Whether the same answer with the same probabilities.
pub(super) fn same(one: &Shares, other: &Shares) -> bool {
    let share = |shares: &Shares, words: &str| shares.get(words).copied().unwrap_or_default();
    one.keys().chain(other.keys()).all(|it| (share(one, it) - share(other, it)).abs() < TOLERANCE)
}

/// The headers of a request as a pod gets them from Gloo: those of the route change them first.
fn edited(
    request: &Request,
    host: Option<&VirtualHost>,
    route: Option<&Route>,
) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = request.headers.clone();
    let all = route.map(|route| &route.headers).into_iter().chain(host.map(|host| &host.headers));
    for edits in all {
        let removed =
            |name: &str| edits.request_remove.iter().any(|it| it.eq_ignore_ascii_case(name));
        headers.retain(|(name, _)| !removed(name));
        // What replaces comes before what is added (gateway-conformance case 05-request-headers step 5, the same Envoy).
        for edit in edits.request_add.iter().filter(|edit| edit.overwrite) {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&edit.name));
            headers.push((edit.name.clone(), edit.value.clone()));
        }
        let added = edits.request_add.iter().filter(|edit| !edit.overwrite);
        headers.extend(added.map(|edit| (edit.name.clone(), edit.value.clone())));
    }
    counting(headers)
}

/// The headers without those that Envoy adds by itself, in an order that does not count.
fn counting(headers: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let own = |name: &str| {
        name.starts_with(':') || name.starts_with("x-envoy-") || name.starts_with("x-forwarded-")
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut kept: Vec<_> = headers.filter(|(name, _)| !own(name)).collect();
    kept.sort();
    kept
}
