//! What implementations decide differently.

use std::sync::Arc;

use super::findings::Severity;
use super::output::Output;
use super::{envoy_gateway, kgateway};
use crate::ObjectRef;
use crate::api::{FilterKind, HttpMatch, HttpRouteSpec, PathKind, RuleSpec};
use crate::code::Code;
use crate::snapshot::Snapshot;

/// Finds what kgateway and Envoy Gateway decide differently.
pub(super) fn compare(snapshot: &Snapshot, output: &mut Output) {
    for (reference, route) in snapshot.routes.iter() {
        let holder = Arc::new(ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name));
        let mut found = order(&route.spec);
        for (number, rule) in route.spec.rules.iter().enumerate() {
            found.extend(of_rule(rule).into_iter().map(|words| format!("rule {number}: {words}")));
        }
        for words in found {
            output.find(&holder, Severity::Warning, Code::ImplementationsDiffer, words);
        }
    }
}

/// Matches of a route of which one implementation takes the first and the other the second (case 03-mix).
fn order(route: &HttpRouteSpec) -> Vec<String> {
    let matches: Vec<(usize, &HttpMatch)> = route
        .rules
        .iter()
        .enumerate()
        .flat_map(|(number, rule)| rule.matches.iter().map(move |one| (number, one)))
        .collect();
    let mut found = Vec::new();
    for (index, (number, one)) in matches.iter().enumerate() {
        for (other_number, other) in matches.iter().skip(index + 1) {
            if number == other_number || apart(one, other) {
                continue;
            }
            let here = kgateway::rank(one).cmp(&kgateway::rank(other));
            let there = envoy_gateway::rank(one).cmp(&envoy_gateway::rank(other));
            // Equal ones stay in the order of the route.
            if here.is_gt() != there.is_gt() {
                found.push(format!(
                    "rules {number} and {other_number} may take the same request, and implementations do not agree \
                     which comes first"
                ));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Whether no request can fit both, as far as is easily told.
fn apart(one: &HttpMatch, other: &HttpMatch) -> bool {
    let path = |it: &HttpMatch| (it.path.kind, it.path.value.trim_end_matches('/').to_owned());
    let ((kind, text), (other_kind, other_text)) = (path(one), path(other));
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let paths_apart = match (kind, other_kind) {
        (PathKind::RegularExpression, _) | (_, PathKind::RegularExpression) => false,
        (PathKind::Exact, PathKind::Exact) => one.path.value != other.path.value,
        (PathKind::Exact, PathKind::PathPrefix) => !within(&text, &other_text),
        (PathKind::PathPrefix, PathKind::Exact) => !within(&other_text, &text),
        (PathKind::PathPrefix, PathKind::PathPrefix) => {
            !within(&text, &other_text) && !within(&other_text, &text)
        }
    };
    let methods_apart = match (&one.method, &other.method) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    };
    paths_apart || methods_apart
}

/// What of a rule implementations decide differently.
fn of_rule(rule: &RuleSpec) -> Vec<&'static str> {
    let mut found = Vec::new();
    let backends = &rule.backend_refs;
    if let [only] = backends.as_slice()
        && only.weight == 0
    {
        found.push(
            "of a single backend kgateway does not look at the weight, Envoy Gateway answers 500",
        );
    }
    if backends.iter().any(|it| it.kind == "HTTPRoute" || it.group == "delegation.kgateway.dev") {
        found.push("only kgateway knows routes as backends");
    }
    let has = |kind: FilterKind| rule.filters.iter().any(|it| it.kind == kind);
    if has(FilterKind::RequestMirror) {
        found.push(
            "a copy to a Service that is not there is left out by kgateway; with Envoy Gateway the rule answers 500",
        );
    }
    if has(FilterKind::ExtensionRef) {
        found.push("an extension belongs to one implementation");
    }
    let edits = rule.filters.iter().flat_map(|it| {
        [&it.request_header_modifier, &it.response_header_modifier].into_iter().flatten()
    });
    let mut host = edits.flat_map(|it| it.set.iter().chain(&it.add));
    if host.any(|it| it.name.eq_ignore_ascii_case("host")) {
        found.push(
            "a change of the header Host stops all changes of routes with kgateway; with Envoy Gateway the rule \
             answers 500",
        );
    }
    found
}
