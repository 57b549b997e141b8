//! As Envoy Gateway 1.9.1 translates with its defaults.

mod context;
mod destinations;
mod effects;
mod fault;
mod filters;
mod headers;
mod order;
mod overlap;
mod policies;
mod rules;
mod statuses;

pub(super) use self::order::rank;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::policies::Policies;
use self::rules::Made;
use super::attachment::{self, Attachment};
use super::conditions::{Status, parent_name};
use super::listeners::{Plan, plans};
use super::memory::Memory;
use super::output::Output;
use super::reports::Reports;
use crate::ObjectRef;
use crate::config::{Action, Chain, Cluster, Listener, RouteConfiguration, Target, VirtualHost};
use crate::objects::by_age;
use crate::snapshot::Snapshot;

/// A rule's match at one host of a listener.
struct Placed<'a> {
    host: String,
    made: Made<'a>,
    /// What its status is below.
    below: String,
}

/// What Envoy Gateway makes of the objects.
pub(super) fn translate(snapshot: &Snapshot, memory: &Memory) -> Output {
    let mut output = Output::default();
    let mut reports = Reports::default();
    let mut clusters: BTreeMap<String, Cluster> = BTreeMap::new();
    let mut all = plans(snapshot);
    let mut placed: Vec<BTreeMap<usize, Vec<Placed<'_>>>> = Vec::new();
    for plan in &mut all {
        plan.find(&mut output);
        placed.push(attach(snapshot, plan, &mut reports, &mut clusters, &mut output));
    }
    let policies = Policies::read(snapshot, &reports, &mut output);
    for (plan, mut listeners) in all.iter().zip(placed) {
        for (number, routes) in &mut listeners {
            overlap::report(routes, &mut reports, &mut output);
            let section = plan.listeners[*number].spec.name.as_str();
            for route in routes.iter_mut() {
                policies.apply(plan.reference, section, &mut route.made);
            }
            routes.sort_by(|a, b| order::compare(&a.made, &b.made));
        }
        serve(plan, listeners, &mut output);
        gateway(plan, &mut output);
    }
    used(&output.routes, &mut clusters);
    output.clusters = Arc::new(clusters);
    statuses::write_routes(reports, snapshot, memory, &mut output);
    keep(snapshot, memory, &mut output);
    output
}

/// Attaches routes to listeners; by number of the listener.
fn attach<'a>(
    snapshot: &'a Snapshot,
    plan: &mut Plan<'a>,
    reports: &mut Reports,
    clusters: &mut BTreeMap<String, Cluster>,
    output: &mut Output,
) -> BTreeMap<usize, Vec<Placed<'a>>> {
    let mut all: BTreeMap<usize, Vec<Placed<'a>>> = BTreeMap::new();
    for (reference, route) in by_age(&snapshot.routes) {
        let parents = route.spec.parent_refs.iter();
        for parent in parents.filter(|it| attachment::is_for(it, reference, plan.reference)) {
            let below = parent_name(parent, &reference.namespace);
            let attached = attachment::attach(snapshot, plan, parent, reference, &route.spec);
            let report = reports.below(reference, &below);
            match &attached {
                // Where hosts differ, that is said last.
                Attachment::Listeners(_) | Attachment::Refused("NoMatchingListenerHostname") => {
                    report.set("Accepted", "True", "Accepted", "");
                }
                Attachment::Refused(reason) => report.set("Accepted", "False", *reason, ""),
            }
            if let Attachment::Refused("NoMatchingParent") = attached {
                report.assume("ResolvedRefs", "True", "ResolvedRefs");
            }
            let made =
                rules::of_route(snapshot, reference, route, &below, reports, clusters, output);
            let listeners = match attached {
                Attachment::Listeners(listeners) => listeners,
                Attachment::Refused(reason) => {
                    let holder = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
                    attachment::find(&Arc::new(holder), &plan.name, reason, output);
                    if reason == "NoMatchingListenerHostname" {
                        reports.below(reference, &below).set("Accepted", "False", reason, "");
                    }
                    continue;
                }
            };
            for (number, hosts) in listeners {
                plan.listeners[number].attached += 1;
                let listener = &plan.listeners[number];
                if !listener.served {
                    continue;
                }
                let port = listener.spec.port;
                let mut hosts = hosts;
                hosts.sort();
                let placed = all.entry(number).or_default();
                for host in hosts {
                    placed.extend(made.iter().map(|it| Placed {
                        host: host.clone(),
                        made: it.at(&host, port),
                        below: below.clone(),
                    }));
                }
            }
        }
    }
    all
}

/// Makes listeners and route configurations. Listeners of one port are one listener of Envoy, named after the first;
/// those without TLS share its route configuration.
fn serve(plan: &Plan<'_>, mut placed: BTreeMap<usize, Vec<Placed<'_>>>, output: &mut Output) {
    let name = |number: usize| {
        let reference = plan.reference;
        format!("{}/{}/{}", reference.namespace, reference.name, plan.listeners[number].spec.name)
    };
    for (port, numbers) in plan.served_by_port() {
        let mut chains: Vec<Chain> = Vec::new();
        let mut hosts: BTreeMap<String, Vec<VirtualHost>> = BTreeMap::new();
        for number in &numbers {
            let listener = &plan.listeners[*number];
            let tls = listener.has_tls();
            let routes = if tls { name(*number) } else { name(numbers[0]) };
            let configuration = hosts.entry(routes.clone()).or_default();
            for placed in placed.remove(number).unwrap_or_default() {
                let domain = placed.host;
                // Two listeners that share a host have a virtual host each, and Envoy refuses them.
                let virtual_host = format!("{}/{}", name(*number), domain.replace('.', "_"));
                match configuration.iter_mut().find(|it| it.name == virtual_host) {
                    Some(host) => host.routes.push(placed.made.route),
                    None => configuration.push(VirtualHost {
                        name: virtual_host,
                        domains: vec![domain],
                        require_tls: false,
                        jwt: None,
                        jwt_of_all: None,
                        routes: vec![placed.made.route],
                    }),
                }
            }
            if !chains.iter().any(|chain| chain.routes == routes) {
                let names = listener.spec.hostname.clone().into_iter();
                let server_names = if tls { names.collect() } else { Vec::new() };
                chains.push(Chain { server_names, tls, routes, tokens: Vec::new() });
            }
        }
        for (routes, virtual_hosts) in &hosts {
            let all = virtual_hosts.iter().flat_map(|host| &host.routes);
            for chain in chains.iter_mut().filter(|chain| chain.routes == *routes) {
                for requirement in all.clone().filter_map(|route| route.jwt.as_ref()) {
                    if !chain.tokens.contains(requirement) {
                        chain.tokens.push(Arc::clone(requirement));
                    }
                }
            }
        }
        for (routes, mut virtual_hosts) in hosts {
            virtual_hosts.sort_by(|a, b| a.name.cmp(&b.name));
            output.routes.push(RouteConfiguration {
                gateway: Arc::clone(&plan.name),
                name: routes,
                virtual_hosts: virtual_hosts.into_iter().map(Arc::new).collect(),
            });
        }
        output.listeners.push(Listener {
            gateway: Arc::clone(&plan.name),
            name: name(numbers[0]),
            port,
            redirects_escaped_slashes: true,
            chains,
        });
    }
    output.gateways.push(Arc::clone(&plan.name));
}

/// Writes the status of a Gateway. Without infrastructure of its own it has no address.
fn gateway(plan: &Plan<'_>, output: &mut Output) {
    let generation = plan.object.meta.generation;
    let mut listeners = Vec::new();
    let mut rejected = Vec::new();
    for listener in &plan.listeners {
        let mut own = listener.conditions.clone();
        let faulty = own.is("ResolvedRefs", "False") || own.is("Conflicted", "True");
        if !faulty && !own.is("Accepted", "False") {
            own.assume("Accepted", "True", "Accepted");
        }
        own.assume(
            "Programmed",
            if listener.served { "True" } else { "False" },
            if listener.served { "Programmed" } else { "Invalid" },
        );
        own.assume("ResolvedRefs", "True", "ResolvedRefs");
        if !own.is("Accepted", "True") {
            rejected.push(listener.spec.name.clone());
        }
        let mut status = listener.status(generation);
        status.conditions = own.finish(generation);
        listeners.push(status);
    }
    let mut conditions = super::conditions::Conditions::default();
    match rejected.len() {
        0 => conditions.set("Accepted", "True", "Accepted", ""),
        some if some < plan.listeners.len() => {
            let words = format!("Listeners not valid: {}", rejected.join(", "));
            conditions.set("Accepted", "True", "ListenersNotValid", words);
        }
        _ => {
            let words = format!("No listeners are valid: {}", rejected.join(", "));
            conditions.set("Accepted", "False", "ListenersNotValid", words);
        }
    }
    let words = "No addresses have been assigned to the Gateway";
    conditions.set("Programmed", "False", "AddressNotAssigned", words);
    let conditions = conditions.finish(generation);
    output
        .statuses
        .insert((*plan.name).clone(), Status { parents: Vec::new(), conditions, listeners });
}

/// Takes out the clusters that no route leads to: Envoy is not told of them.
fn used(routes: &[RouteConfiguration], clusters: &mut BTreeMap<String, Cluster>) {
    let mut names = std::collections::BTreeSet::new();
    let all = routes.iter().flat_map(|it| &it.virtual_hosts).flat_map(|host| &host.routes);
    for route in all {
        let Action::Forward(forward) = &route.action else { continue };
        match &forward.target {
            Target::Cluster(name) => drop(names.insert(name.clone())),
            Target::Weighted(all) => names.extend(all.iter().map(|it| it.name.clone())),
        }
        names.extend(forward.mirrors.iter().map(|it| it.cluster.clone()));
    }
    clusters.retain(|name, _| names.contains(name));
}

/// What stays on objects that Envoy Gateway says nothing about: statuses of policies whose target is gone (case
/// 07-policy-invalid step 4).
fn keep(snapshot: &Snapshot, memory: &Memory, output: &mut Output) {
    for object in memory.statuses.keys().filter(|object| object.kind.ends_with("Policy")) {
        if let Some(status) = memory.status(snapshot, object)
            && !output.statuses.contains_key(object)
        {
            output.statuses.insert(object.clone(), status.clone());
        }
    }
}
