//! By Gloo's rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use gloo::config::{RouteConfiguration, VirtualHost};
use gloo::{
    Answer, Entry, Memory, ObjectRef, Outcome, Serves, Snapshot, Translation, answer, translate,
};

use super::{BOLD, DIM, Explained, Part, Wanted, Who};
use crate::hint::advised;
use coalmine_core::proposal::{host_of, in_words};
use coalmine_core::sanitize::sanitize;

/// Explains who answers the request by these objects, of which the service's routes are those.
///
/// # Errors
/// That no Gateway serves the routes.
pub(super) fn explain(
    snapshot: &Snapshot,
    routes: &BTreeSet<ObjectRef>,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Explained> {
    let translation = translate(snapshot, &Memory::default());
    let Some(host) = host_of(&translation, routes) else {
        return Err(advised(
            format_args!("the gateway serves no route of {}", wanted.service),
            "does a VirtualService select its apiGroup?",
        ));
    };
    let request = wanted.request(host);
    let way_in = way_in(&translation, routes, &request.host);
    let answered = answer(&translation, &way_in.entry, &request);
    super::print_request(&request, way_in.entry.tls.is_some());
    let is_ours = print_way(&translation, &answered, &way_in, &request.host)
        .is_some_and(|holder| routes.contains(&holder));
    let mirrors = answered.mirrors.iter();
    Ok(Explained {
        is_ours,
        answers: answered.outcomes.iter().map(part).collect(),
        copies: mirrors.map(|(share, parts)| (*share, parts.iter().map(part).collect())).collect(),
    })
}

fn part((outcome, share): &(Outcome, f64)) -> Part {
    let who = match outcome {
        Outcome::Refused => Who::Refused,
        Outcome::Closed => Who::Closed,
        Outcome::TlsFailed => Who::TlsFailed,
        Outcome::Unknown => Who::Unknown,
        Outcome::Status { status, location, .. } => Who::Status(*status, location.clone()),
        Outcome::Endpoint { cluster, pod, address, .. } => {
            Who::Pod(pod.clone(), format!("{address} of {cluster}"))
        }
    };
    (who, *share)
}

/// How the request comes in.
struct WayIn {
    entry: Entry,
    /// The Gateway, unless nobody serves the routes.
    gateway: Option<Arc<ObjectRef>>,
}

/// The listener that serves the service's routes for this host; of several the one whose virtual host has
/// them.
fn way_in(translation: &Translation, routes: &BTreeSet<ObjectRef>, host: &str) -> WayIn {
    let holds = |it: &VirtualHost| it.routes.iter().any(|route| routes.contains(&*route.holder));
    let serving = |it: &&RouteConfiguration| it.virtual_hosts.iter().any(|host| holds(host));
    let Some(found) = translation.routes.iter().find(serving) else {
        return WayIn { entry: Entry::http(0), gateway: None };
    };
    let mut listeners = translation.listeners.iter();
    let listener = listeners.find(|it| it.proxy == found.proxy && it.gateway == found.gateway);
    let serves = Serves::Routes(found.name.clone());
    let chains = listener.map(|listener| listener.chains.as_slice()).unwrap_or_default();
    let mut chains = chains.iter().filter(|chain| chain.serves == serves);
    let port = listener.map_or(0, |listener| listener.port);
    let name = host.split(':').next().unwrap_or_default();
    let entry = match chains.any(|chain| chain.tls.is_some()) {
        true => Entry::https(port, name),
        false => Entry::http(port),
    };
    let entry = Entry { proxy: found.proxy.clone(), ..entry };
    WayIn { entry, gateway: Some(Arc::clone(&found.gateway)) }
}

/// Prints the routes that are tried, and returns the object with the one that takes the request.
fn print_way(
    translation: &Translation,
    answered: &Answer,
    way_in: &WayIn,
    host: &str,
) -> Option<ObjectRef> {
    if let (Some(gateway), true) = (&way_in.gateway, translation.gateways().len() > 1) {
        anstream::println!("  {gateway} takes it in, at port {}", way_in.entry.port);
    }
    let mut hosts = translation.served_hosts();
    let is_it = |it: &&Arc<VirtualHost>| {
        Some(&it.name) == answered.virtual_host.as_ref()
            && Some(&it.gateway) == way_in.gateway.as_ref()
    };
    let Some(found) = hosts.find(is_it) else {
        anstream::println!("  no VirtualService has the domain {}", sanitize(host));
        return None;
    };
    let domains = found.domains.join(", ");
    anstream::println!("  {} has the domain {}", found.holder, sanitize(&domains));
    for route in &found.routes {
        let takes = in_words(&route.matcher);
        if Some(&route.name) == answered.route.as_ref() {
            anstream::println!("  {BOLD}takes it:{BOLD:#} {} ({})", sanitize(&takes), route.holder);
            return Some(ObjectRef::clone(&route.holder));
        }
        anstream::println!("  {DIM}passes:   {} ({}){DIM:#}", sanitize(&takes), route.holder);
    }
    None
}
