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
    policies.report(snapshot, &reports, &mut output);
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
            endpoints.retain(|endpoint| !endpoint.draining);
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
            let own = numbers.iter().flat_map(|number| attached.get(number).into_iter().flatten());
            let context = Context { snapshot, plan, policies, port, tls, routes: &routes };
            let hosts = virtual_hosts(&context, own, &numbers, reports, output);
            let names =
                numbers.iter().filter_map(|number| plan.listeners[*number].spec.hostname.clone());
            chains.push(Chain {
                server_names: if tls { names.collect() } else { Vec::new() },
                tls,
                routes: routes.clone(),
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
    context: &Context<'_>,
    attached: impl Iterator<Item = &'a Attached<'a>>,
    numbers: &[usize],
    reports: &mut Reports,
    output: &mut Output,
) -> Vec<Arc<VirtualHost>> {
    if context.policies.broken_below_gateway(context.plan.reference, None).is_some() {
        return vec![Arc::new(fallback(context, "default", "*"))];
    }
    let mut by_host: BTreeMap<String, Vec<(usize, &Flat<'a>)>> = BTreeMap::new();
    for route in attached {
        for host in &route.hosts {
            let rules = by_host.entry(host.clone()).or_default();
            rules.extend(route.rules.iter().enumerate());
        }
    }
    let mut hosts = Vec::new();
    for (host, mut rules) in by_host {
        let name = format!("{}~{}", context.routes, host.replace('.', "_"));
        let broken = numbers.iter().find_map(|number| {
            let section = Some(context.plan.listeners[*number].spec.name.as_str());
            context.policies.broken_below_gateway(context.plan.reference, section)
        });
        if broken.is_some() {
            hosts.push(Arc::new(fallback(context, &name, &host)));
            continue;
        }
        rules.sort_by(|a, b| order::compare(a, b));
        let routes = rules
            .into_iter()
            .filter_map(|(_, flat)| rules::route(context, &name, flat, reports, output));
        hosts.push(Arc::new(VirtualHost {
            routes: routes.collect(),
            name,
            domains: vec![host],
            require_tls: context.tls,
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
        routes: vec![rules::bare(Arc::clone(&context.plan.name), action)],
    }
}
