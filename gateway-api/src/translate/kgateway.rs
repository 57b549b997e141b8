//! As kgateway 2.4.0 translates.

mod backend;
mod child;
mod context;
mod delegation;
mod filters;
mod flat;
mod order;
mod policies;
mod rules;
mod statuses;
mod validation;

pub(super) use self::order::rank;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::context::Context;
use self::flat::Flat;
use self::policies::Policies;
use self::rules::REPLACED;
use super::attachment::{self, Attachment};
use super::backends;
use super::conditions::parent_name;
use super::listeners::{Plan, plans};
use super::memory::Memory;
use super::output::Output;
use super::reports::Reports;
use crate::ObjectRef;
use crate::config::{Action, Chain, Cluster, Listener, Locality, RouteConfiguration, VirtualHost};
use crate::objects::by_age;
use crate::snapshot::Snapshot;

/// A route that is attached to a listener.
struct Attached<'a> {
    hosts: Vec<String>,
    rules: Arc<Vec<Flat<'a>>>,
}

/// What kgateway makes of the objects.
pub(super) fn translate(snapshot: &Snapshot, memory: &Memory) -> Output {
    let mut output = Output { clusters: Arc::new(clusters(snapshot)), ..Output::default() };
    let mut reports = Reports::default();
    let policies = Policies::read(snapshot, &mut output);
    for mut plan in plans(snapshot) {
        plan.find(&mut output);
        let attached = attach(snapshot, &mut plan, &mut reports, &mut output);
        serve(snapshot, &plan, attached, &policies, &mut reports, &mut output);
        let broken = policies.broken_below_gateway(plan.reference, None);
        statuses::write_gateway(&plan, broken, &mut output);
        output.gateways.push(Arc::clone(&plan.name));
    }
    policies.report(snapshot, &mut output);
    statuses::write_routes(reports, snapshot, &mut output);
    statuses::write_gateways(snapshot, memory, &mut output);
    output
}

/// A cluster for every port of every Service.
fn clusters(snapshot: &Snapshot) -> BTreeMap<String, Cluster> {
    let mut all = BTreeMap::new();
    for (reference, service) in snapshot.services.iter() {
        for port in &service.ports {
            let mut endpoints = backends::endpoints(snapshot, reference, port);
            // Those that are not ready do not count (krtcollections of kgateway).
            endpoints.retain(|endpoint| !endpoint.draining && port.is_tcp());
            let name = backend::cluster_name(reference, port.port);
            let locality = Locality { weight: None, endpoints };
            let localities =
                if locality.endpoints.is_empty() { Vec::new() } else { vec![locality] };
            all.insert(name.clone(), Cluster { name, localities });
        }
    }
    all
}

/// Attaches routes to listeners; by number of the listener.
fn attach<'a>(
    snapshot: &'a Snapshot,
    plan: &mut Plan<'a>,
    reports: &mut Reports,
    output: &mut Output,
) -> BTreeMap<usize, Vec<Attached<'a>>> {
    let mut all: BTreeMap<usize, Vec<Attached<'_>>> = BTreeMap::new();
    for (reference, route) in by_age(&snapshot.routes) {
        let parents = route.spec.parent_refs.iter();
        for parent in parents.filter(|it| attachment::is_for(it, reference, plan.reference)) {
            let below = parent_name(parent, &reference.namespace);
            let report = reports.below(reference, &below);
            let listeners = match attachment::attach(snapshot, plan, parent, reference, &route.spec)
            {
                Attachment::Refused(reason) => {
                    report.set("Accepted", "False", reason, "");
                    let holder = ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name);
                    attachment::find(&Arc::new(holder), &plan.name, reason, output);
                    continue;
                }
                Attachment::Listeners(listeners) => listeners,
            };
            let rules = delegation::flatten(snapshot, reference, route, &below, reports, output);
            let rules = Arc::new(rules);
            for (number, hosts) in listeners {
                plan.listeners[number].attached += 1;
                let attached = Attached { hosts, rules: Arc::clone(&rules) };
                all.entry(number).or_default().push(attached);
            }
        }
    }
    all
}

/// Makes listeners and route configurations.
fn serve<'a>(
    snapshot: &'a Snapshot,
    plan: &Plan<'a>,
    attached: BTreeMap<usize, Vec<Attached<'a>>>,
    policies: &Policies<'_>,
    reports: &mut Reports,
    output: &mut Output,
) {
    for (port, numbers) in plan.served_by_port() {
        let name = format!("listener~{port}");
        let mut chains = Vec::new();
        // Listeners without TLS share one route configuration; each of the others has its own.
        let (tls, plain): (Vec<usize>, Vec<usize>) =
            numbers.into_iter().partition(|number| plan.listeners[*number].has_tls());
        let plain = (!plain.is_empty()).then(|| (name.clone(), plain, false));
        let tls = tls
            .into_iter()
            .map(|number| (plan.listeners[number].spec.name.clone(), vec![number], true));
        for (routes, numbers, tls) in plain.into_iter().chain(tls) {
            let section = numbers.first().map(|number| &plan.listeners[*number].spec.name);
            let section = section.map(String::as_str).unwrap_or_default();
            let context = Context { snapshot, plan, policies, port, tls, section, routes: &routes };
            let hosts = virtual_hosts(context, &attached, &numbers, reports, output);
            let names =
                numbers.iter().filter_map(|number| plan.listeners[*number].spec.hostname.clone());
            chains.push(Chain {
                server_names: if tls { names.collect() } else { Vec::new() },
                tls,
                routes: routes.clone(),
                tokens: Vec::new(),
            });
            let configuration = RouteConfiguration {
                gateway: Arc::clone(&plan.name),
                name: routes,
                virtual_hosts: hosts,
            };
            output.routes.push(configuration);
        }
        output.listeners.push(Listener {
            gateway: Arc::clone(&plan.name),
            name,
            port,
            redirects_escaped_slashes: false,
            chains,
        });
    }
}

fn virtual_hosts<'a>(
    context: Context<'_>,
    attached: &BTreeMap<usize, Vec<Attached<'a>>>,
    numbers: &[usize],
    reports: &mut Reports,
    output: &mut Output,
) -> Vec<Arc<VirtualHost>> {
    let Context { policies, plan, tls, .. } = context;
    let gateway = plan.reference;
    // A listener with TLS has a route configuration of its own, and its policies count there.
    let own = Some(context.section).filter(|_| tls);
    let sections: Vec<Option<&str>> = own.into_iter().map(Some).chain([None]).collect();
    policies.stand_below_gateway(gateway, &sections, output);
    if policies.broken_below_gateway(gateway, None).is_some() {
        return vec![Arc::new(fallback(&context, "default", "*"))];
    }
    let of_all = sections.iter().map(|section| policies.of_gateway(gateway, *section));
    let of_all: Vec<_> = of_all.filter_map(|effect| effect.jwt).collect();
    let mut by_host: BTreeMap<String, Vec<(usize, &Flat<'a>)>> = BTreeMap::new();
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for number in numbers {
        for route in attached.get(number).into_iter().flatten() {
            for host in &route.hosts {
                let rules = by_host.entry(host.clone()).or_default();
                rules.extend(route.rules.iter().enumerate());
                // The most exact listener has the host, of several the first.
                let listener = &plan.listeners[*number].spec;
                let length = |name: &str| {
                    let mut all = plan.listeners.iter();
                    let found = all.find(|it| it.spec.name == name);
                    found.and_then(|it| it.spec.hostname.as_ref()).map_or(0, String::len)
                };
                let owner = owners.entry(host.clone()).or_insert(&listener.name);
                if length(&listener.name) > length(owner) {
                    *owner = &listener.name;
                }
            }
        }
    }
    let mut hosts = Vec::new();
    for (host, mut rules) in by_host {
        let name = format!("{}~{}", context.routes, host.replace('.', "_"));
        let section = owners.get(&host).copied().unwrap_or(context.section);
        let context = Context { section, ..context };
        let listener = Some(section).filter(|_| !tls);
        if listener.is_some() {
            policies.stand_below_gateway(gateway, &[listener], output);
        }
        if policies.broken_below_gateway(gateway, Some(section)).is_some() {
            hosts.push(Arc::new(fallback(&context, &name, &host)));
            continue;
        }
        rules.sort_by(|a, b| order::compare(a, b));
        let routes = rules
            .into_iter()
            .filter_map(|(_, flat)| rules::route(&context, &name, flat, reports, output));
        let routes = routes.collect();
        hosts.push(Arc::new(VirtualHost {
            routes,
            name,
            domains: vec![host],
            require_tls: tls,
            jwt: listener.and_then(|_| policies.of_gateway(gateway, listener).jwt),
            jwt_of_all: of_all.first().cloned(),
        }));
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    hosts
}

/// What answers where a policy of the Gateway or listener is broken (case 07-policy-invalid step 5).
fn fallback(context: &Context<'_>, name: &str, domain: &str) -> VirtualHost {
    let action = Action::DirectResponse { status: 500, body: Some(REPLACED.into()) };
    VirtualHost {
        name: name.into(),
        domains: vec![domain.into()],
        require_tls: false,
        jwt: None,
        jwt_of_all: None,
        routes: vec![rules::bare(Arc::clone(&context.plan.name), action)],
    }
}
