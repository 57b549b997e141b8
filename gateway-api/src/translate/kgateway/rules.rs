//! From a match of a rule to a route of Envoy.

use std::sync::Arc;

use super::super::backends::{self, Backend};
use super::super::findings::Severity;
use super::super::matchers;
use super::super::output::Output;
use super::super::refusal;
use super::super::reports::Reports;
use super::backend::cluster_name;
use super::context::Context;
use super::flat::{self, Flat};
use super::statuses::PROGRAMMED;
use super::{filters, validation};
use crate::api::{BackendRef, FilterKind};
use crate::code::Code;
use crate::config::{
    Action, CorsPolicy, Forward, HeaderEdits, Match, PathMatch, Route, Target, WeightedCluster,
};
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// What answers in place of a rule that cannot be served.
pub(super) const REPLACED: &str =
    "invalid route configuration detected and replaced with a direct response.";

/// The annotation of a route by which it says how its own filters and policies are merged with those of its children.
const PRIORITY: &str = "kgateway.dev/inherited-policy-priority";

/// The cluster that nobody has, for backends that cannot be had.
const BLACKHOLE: &str = "blackhole-cluster";

/// A route for everything.
pub(super) fn bare(holder: Arc<ObjectRef>, action: Action) -> Route {
    let path = PathMatch::Prefix("/".into());
    Route {
        holder,
        rule: 0,
        name: String::new(),
        matcher: Match { path, headers: Vec::new(), query: Vec::new() },
        action,
        request_headers: HeaderEdits::default(),
        response_headers: HeaderEdits::default(),
        cors: None,
        session: None,
        jwt: None,
        opaque: false,
    }
}

/// The route of a match; none for a rule that delegates, and for one that is dropped.
pub(super) fn route(
    context: &Context<'_>,
    host: &str,
    flat: &Flat<'_>,
    reports: &mut Reports,
    output: &mut Output,
) -> Option<Route> {
    let placeholder = Action::DirectResponse { status: 500, body: None };
    let mut route = Route {
        rule: flat.number,
        name: name(host, flat),
        matcher: matchers::matcher(&flat.matcher),
        ..bare(Arc::clone(&flat.holder), placeholder)
    };
    priorities(context.snapshot, flat, &mut route, output);
    let (mut action, of_backend) = action(context.snapshot, flat, &mut route);
    let extensions = filters::apply(context, flat, &mut route, &mut action);
    // What a single backend changes, its route changes last (case 05-request-headers step 7).
    route.request_headers.extend(&of_backend.request_headers);
    route.response_headers.extend(&of_backend.response_headers);
    let mut faults = extensions.faults;
    for (kind, target) in extensions.unread {
        output.unread(&flat.holder, ObjectRef::new(&kind, &target.namespace, &target.name));
    }
    let mut effects = vec![context.policies.of_rule(flat, &extensions.policies, output)];
    faults.extend(effects.iter_mut().flat_map(|effect| effect.faults.drain(..)));
    let own = effects.len();
    effects.push(context.policies.of_gateway(context.plan.reference, Some(context.section)));
    effects.push(context.policies.of_gateway(context.plan.reference, None));
    for (number, effect) in effects.into_iter().enumerate() {
        if let Some(Action::Forward(forward)) = &mut action {
            forward.timeout = forward.timeout.or(effect.timeout);
            forward.idle_timeout = forward.idle_timeout.or(effect.idle_timeout);
        }
        // Of Gateways and listeners the virtual host has it.
        route.jwt = route.jwt.or(effect.jwt.filter(|_| number < own));
        route.opaque |= effect.opaque;
    }
    if let Some(response) = extensions.responses.first() {
        match (&action, context.snapshot.direct_responses.get(response)) {
            (None, Some(found)) => {
                let (status, body) = (found.spec.status, found.spec.body.clone());
                action = Some(Action::DirectResponse { status, body });
            }
            _ => {
                faults.push("DirectResponse cannot be applied to route with existing action".into())
            }
        }
    }
    finish(context, flat, route, action, faults, reports, output)
}

/// Notes that a parent says otherwise whose filters and policies count more.
fn priorities(snapshot: &Snapshot, flat: &Flat<'_>, route: &mut Route, output: &mut Output) {
    for (parent, _) in &flat.ancestors {
        let said = snapshot.routes.get(*parent).is_some_and(|it| {
            let value = it.meta.annotations.get(PRIORITY);
            value.is_some_and(|value| value != "ShallowMergePreferChild")
        });
        if said {
            let holder = ObjectRef::new("HTTPRoute", &parent.namespace, &parent.name);
            let words = format!(
                "the annotation {PRIORITY} is not modelled: what rules below it do is not judged"
            );
            output.note(&Arc::new(holder), words);
            route.opaque = true;
        }
    }
}

fn finish(
    context: &Context<'_>,
    flat: &Flat<'_>,
    mut route: Route,
    action: Option<Action>,
    mut faults: Vec<String>,
    reports: &mut Reports,
    output: &mut Output,
) -> Option<Route> {
    let mut dropped = false;
    if !flat.delegates {
        match action {
            Some(action) => route.action = action,
            None if faults.is_empty() => faults.push("no action specified".into()),
            None => {}
        }
        if faults.is_empty() {
            faults.extend(validation::fault(&route));
        }
        if faults.is_empty() && context.snapshot.environment.profile.is_strict() {
            let profile = context.snapshot.environment.profile;
            let matcher = refusal::of_match(&route, profile);
            dropped = matcher.is_some();
            let refused = matcher.or_else(|| refusal::of_route(&route, profile));
            faults.extend(refused.map(|(_, words)| words));
        }
    } else if faults.is_empty() && !flat.unresolved {
        return None;
    }
    if faults.is_empty() && !flat.unresolved {
        return Some(route);
    }
    if !faults.is_empty() {
        let report = reports.below(flat.reference, &flat.below);
        let words = faults.join("; ");
        let (reason, prefix) = match dropped {
            true => ("RouteRuleDropped", "Dropped"),
            false => ("RouteRuleReplaced", "Replaced"),
        };
        let message = format!("{prefix} Rule ({}): {words}", flat.match_number);
        report.set(PROGRAMMED, "False", reason, message);
        output.find(&flat.holder, Severity::RuleError, code(&words, dropped), words);
    }
    if dropped {
        return None;
    }
    route.request_headers = HeaderEdits::default();
    route.response_headers = HeaderEdits::default();
    (route.cors, route.session, route.jwt) = (None, None, None);
    route.opaque = false;
    route.action = Action::DirectResponse { status: 500, body: Some(REPLACED.into()) };
    let profile = context.snapshot.environment.profile;
    let matcher = profile.is_strict().then(|| refusal::of_match(&route, profile)).flatten();
    let Some((code, words)) = matcher else { return Some(route) };
    // An Envoy is asked about what answers in its place, too.
    let message = format!("Dropped Rule ({}): {words}", flat.match_number);
    let report = reports.below(flat.reference, &flat.below);
    report.set(PROGRAMMED, "False", "RouteRuleDropped", message);
    output.find(&flat.holder, Severity::RuleError, code, words);
    None
}

fn code(words: &str, dropped: bool) -> Code {
    match words {
        _ if dropped => Code::InvalidExpression,
        "no action specified" => Code::NoBackend,
        _ if words.starts_with("All backend weights are 0") => Code::NoTotalWeight,
        _ if words.contains("policy not found") => Code::MissingExtension,
        _ if words.contains("gateway extension") => Code::InvalidPolicy,
        _ => Code::InvalidRule,
    }
}

fn name(host: &str, flat: &Flat<'_>) -> String {
    let ResourceRef { namespace, name } = flat.reference;
    let rule = flat.rule.name.as_ref().map(|it| format!("-{it}")).unwrap_or_default();
    let (kept, number) = (flat.kept, flat.match_number);
    format!("{host}-route-httproute-{name}-{namespace}-{kept}-{number}{rule}-matcher-{number}")
}

/// Where a rule sends requests, none where it has no backends; and what a single backend changes.
fn action(
    snapshot: &Snapshot,
    flat: &Flat<'_>,
    route: &mut Route,
) -> (Option<Action>, WeightedCluster) {
    let own = flat.rule.backend_refs.iter().filter(|it| !flat::is_delegation(it));
    let several = own.clone().count() > 1;
    let mut clusters: Vec<WeightedCluster> =
        own.map(|backend| cluster(snapshot, flat.reference, backend, several, route)).collect();
    let (target, single) = match clusters.len() {
        0 => return (None, WeightedCluster::default()),
        1 => {
            let only = clusters.remove(0);
            (Target::Cluster(only.name.clone()), only)
        }
        _ => (Target::Weighted(clusters), WeightedCluster::default()),
    };
    let forward = Forward { target, not_found: Some(500), ..Forward::default() };
    (Some(Action::Forward(Box::new(forward))), single)
}

fn cluster(
    snapshot: &Snapshot,
    route: &ResourceRef,
    backend: &BackendRef,
    route_has_several: bool,
    out: &mut Route,
) -> WeightedCluster {
    let name = match backends::resolve(snapshot, &route.namespace, backend) {
        Ok(Backend::Service { reference, port }) => cluster_name(&reference, port.port),
        Ok(Backend::Unknown(..)) => {
            out.opaque = true;
            String::new()
        }
        Err(_) => BLACKHOLE.into(),
    };
    let mut cluster =
        WeightedCluster { name, weight: backend.weight, ..WeightedCluster::default() };
    for filter in &backend.filters {
        let edits = |spec: &Option<_>| spec.as_ref().map(filters::edits).unwrap_or_default();
        match filter.kind {
            FilterKind::RequestHeaderModifier => {
                cluster.request_headers = edits(&filter.request_header_modifier);
            }
            FilterKind::ResponseHeaderModifier => {
                cluster.response_headers = edits(&filter.response_header_modifier);
            }
            // The rules of a single backend are those of the route.
            FilterKind::Cors => {
                let rules = filter.cors.clone();
                out.cors = rules.map(|rules| CorsPolicy { rules }).or(out.cors.take());
                out.opaque |= route_has_several;
            }
            // Others have no effect on a backend.
            _ => {}
        }
    }
    cluster
}
