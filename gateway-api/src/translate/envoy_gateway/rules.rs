//! From the rules of a route to routes of Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::findings::Severity;
use super::super::matchers;
use super::super::output::Output;
use super::super::reports::Reports;
use super::context::Context;
use super::destinations::{self, Destination};
use super::fault::Fault;
use super::filters::{self, Filtered};
use crate::api::{HttpMatch, HttpRouteSpec, PathKind, PathSpec, RuleSpec, millis};
use crate::code::Code;
use crate::config::{
    Action, Cluster, Forward, HeaderMatch, PathMatch, PathRewrite, Retry, Route, Session,
    ValueMatch,
};
use crate::objects::Object;
use crate::pattern;
use crate::snapshot::Snapshot;
use crate::{ObjectRef, ResourceRef};

/// A match of a rule, not yet at a host.
#[derive(Clone)]
pub(super) struct Made<'a> {
    pub(super) route: Route,
    pub(super) rule: &'a RuleSpec,
    /// The prefix as written; empty for other paths.
    pub(super) prefix: String,
    /// A redirect keeps the port of its listener.
    keeps_port: bool,
}

impl Made<'_> {
    /// The same at a host of a listener.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let mut made = self.clone();
        made.route.name = format!("{}/{}", made.route.name, host.replace('.', "_"));
        if let Action::Redirect(redirect) = &mut made.route.action
            && made.keeps_port
        {
            let usual = match redirect.scheme.as_deref() {
                Some("http") => Some(80),
                Some("https") => Some(443),
                _ => None,
            };
            redirect.port = Some(usual.unwrap_or(port));
        }
        if let Action::Redirect(redirect) = &mut made.route.action {
            redirect.port = redirect.port.filter(|port| *port != 80 && *port != 443);
        }
        made
    }
}

/// The rules of a route below one parent.
pub(super) fn of_route<'a>(
    snapshot: &'a Snapshot,
    reference: &'a ResourceRef,
    route: &'a Object<HttpRouteSpec>,
    below: &str,
    reports: &mut Reports,
    clusters: &mut BTreeMap<String, Cluster>,
    output: &mut Output,
) -> Vec<Made<'a>> {
    let holder = Arc::new(ObjectRef::new("HTTPRoute", &reference.namespace, &reference.name));
    let mut all = Vec::new();
    let mut faults: Vec<Fault> = Vec::new();
    let mut rejected = 0;
    for (number, rule) in route.spec.rules.iter().enumerate() {
        let name = format!("httproute/{}/{}/rule/{number}", reference.namespace, reference.name);
        let context = Context { snapshot, reference, rule, number, name, holder: &holder };
        let filtered = filters::of_rule(&context, clusters, output);
        // A copy to a Service without endpoints is left out; the rule goes on.
        let broken = filtered.faults.iter().any(|fault| fault.kind != "BackendsAvailable");
        let unaccepted = filtered.faults.iter().any(|fault| fault.kind == "Accepted");
        faults.extend(filtered.faults.iter().cloned());
        let expression = rule.matches.iter().find_map(fault_of_expression);
        if let Some(words) = expression {
            // The rule is gone (case 07-bad-regex).
            output.find(&holder, Severity::RuleError, Code::InvalidExpression, words.clone());
            faults.push(Fault::new("Accepted", "UnsupportedValue", words));
            rejected += 1;
            continue;
        }
        rejected += usize::from(unaccepted);
        let destination =
            destinations::of_rule(&context, filtered.answers(), &mut faults, clusters, output);
        all.extend(matches(&context, &filtered, broken, &destination));
    }
    report(&faults, rejected == route.spec.rules.len(), reports.below(reference, below));
    all
}

/// Why an expression of a match cannot be compiled.
fn fault_of_expression(one: &HttpMatch) -> Option<String> {
    matchers::matcher(one).expressions().find_map(|it| pattern::check(it).err())
}

/// The routes of the matches of a rule.
fn matches<'a>(
    context: &Context<'a, '_>,
    filtered: &Filtered,
    broken: bool,
    destination: &Destination,
) -> Vec<Made<'a>> {
    let rule = context.rule;
    let own: Vec<HttpMatch> = match rule.matches.is_empty() {
        true => vec![HttpMatch::default()],
        false => rule.matches.clone(),
    };
    let mut all = Vec::new();
    for (number, one) in own.iter().enumerate() {
        let name = match rule.matches.is_empty() {
            true => format!("{}/match/-1", context.name),
            false => format!("{}/match/{number}", context.name),
        };
        let mut route = Route {
            holder: Arc::clone(context.holder),
            rule: context.number,
            name,
            matcher: matchers::matcher(one),
            action: Action::DirectResponse { status: 500, body: None },
            request_headers: filtered.request_headers.clone(),
            response_headers: filtered.response_headers.clone(),
            cors: filtered.cors.clone(),
            session: session(rule, &context.name, &one.path),
            jwt: None,
            opaque: filtered.opaque || destination.opaque,
        };
        let prefix = match &route.matcher.path {
            PathMatch::Prefix(_) | PathMatch::Elements(_) => one.path.value.clone(),
            _ => String::new(),
        };
        if !broken {
            route.action = action(context, filtered, destination, &prefix);
        }
        let keeps_port = filtered.redirect.as_ref().is_some_and(|it| it.port.is_none());
        let preflight = preflight(&route, one);
        let made = Made { route, rule, prefix, keeps_port };
        all.push(made.clone());
        all.extend(preflight.map(|route| Made { route, ..made }));
    }
    all
}

fn action(
    context: &Context<'_, '_>,
    filtered: &Filtered,
    destination: &Destination,
    prefix: &str,
) -> Action {
    if let Some((status, body)) = &filtered.response {
        return Action::DirectResponse { status: *status, body: body.clone() };
    }
    if let Some(redirect) = &filtered.redirect {
        let mut redirect = redirect.clone();
        redirect.rewrite = redirect.rewrite.map(|rewrite| replaced(rewrite, prefix, false));
        return Action::Redirect(redirect);
    }
    let target = match &destination.target {
        Ok(target) => target.clone(),
        Err(status) => return Action::DirectResponse { status: *status, body: None },
    };
    let mut forward = Forward {
        target,
        not_found: destination.not_found,
        mirrors: filtered.mirrors.clone(),
        ..Forward::default()
    };
    forward.path_rewrite =
        filtered.path_rewrite.clone().map(|rewrite| replaced(rewrite, prefix, true));
    forward.host_rewrite.clone_from(&filtered.host_rewrite);
    forward.append_x_forwarded_host = forward.host_rewrite.is_some();
    of_rule(context.rule, &mut forward);
    Action::Forward(Box::new(forward))
}

/// A prefix replaced by nothing, or by a slash, is replaced together with the slashes behind it (case
/// 05-rewrite-prefix).
fn replaced(rewrite: PathRewrite, matched: &str, trim: bool) -> PathRewrite {
    match rewrite {
        PathRewrite::Prefix(new) if (new.is_empty() || new == "/") && !matched.is_empty() => {
            let pattern = format!(r"^{}\/*", quoted(matched));
            PathRewrite::Regex { pattern, substitution: "/".into() }
        }
        PathRewrite::Prefix(new) if trim => {
            PathRewrite::Prefix(new.strip_suffix('/').unwrap_or(&new).into())
        }
        other => other,
    }
}

/// A text as Go quotes it in an expression.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Timeouts and retries of a rule.
fn of_rule(rule: &RuleSpec, forward: &mut Forward) {
    let read = |text: &Option<String>| text.as_deref().and_then(millis);
    let timeouts = rule.timeouts.as_ref();
    let request = timeouts.and_then(|it| read(&it.request));
    let backend = timeouts.and_then(|it| read(&it.backend_request));
    let timeout = match rule.retry {
        Some(_) => request,
        None => backend.or(request),
    };
    set_timeout(forward, timeout);
    forward.retry = rule.retry.as_ref().map(|retry| Retry {
        on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes".into(),
        count: retry.attempts.unwrap_or(2),
        per_try_timeout: backend,
        base_interval: read(&retry.backoff),
        statuses: if retry.codes.is_empty() { vec![503] } else { retry.codes.clone() },
        avoids_previous_hosts: true,
    });
}

/// Sets the timeout; silence is allowed for an hour, or as long as the timeout.
pub(super) fn set_timeout(forward: &mut Forward, timeout: Option<u64>) {
    forward.timeout = timeout;
    forward.idle_timeout = timeout.map(|it| if it == 0 { 0 } else { it.max(3_600_000) });
}

fn session(rule: &RuleSpec, name: &str, path: &PathSpec) -> Option<Session> {
    let session = rule.session_persistence.as_ref()?;
    let name = session.session_name.clone().unwrap_or_else(|| name.replace('/', "-"));
    let lifetime = session.cookie_config.as_ref().and_then(|it| it.lifetime_type.as_deref());
    let ttl = session.absolute_timeout.as_deref().and_then(millis).map(|ms| ms / 1000);
    Some(match session.kind.as_deref() {
        Some("Header") => Session::Header(name),
        _ => Session::Cookie {
            name,
            ttl: ttl.filter(|_| lifetime == Some("Permanent")),
            path: cookie_path(path),
        },
    })
}

/// The path of a cookie is that of the match; of an expression what stands before its first element with a star.
fn cookie_path(path: &PathSpec) -> String {
    match path.kind {
        PathKind::RegularExpression => {
            let elements = path.value.split('/').take_while(|element| !element.contains('*'));
            elements.collect::<Vec<_>>().join("/")
        }
        PathKind::Exact | PathKind::PathPrefix => path.value.clone(),
    }
}

/// With cross-origin rules and another method than OPTIONS Envoy Gateway adds a route for the question that a browser
/// asks first.
fn preflight(route: &Route, one: &HttpMatch) -> Option<Route> {
    route.cors.as_ref()?;
    one.method.as_deref().filter(|method| *method != "OPTIONS")?;
    let mut route = route.clone();
    route.name.push_str("/cors-preflight");
    // Of the filters it has the cross-origin rules alone.
    (route.request_headers, route.response_headers, route.session) = Default::default();
    route.action = match route.action {
        Action::Forward(forward) => {
            let Forward { target, not_found, .. } = *forward;
            Action::Forward(Box::new(Forward { target, not_found, ..Forward::default() }))
        }
        // A redirect is a filter, and without it there is nobody to ask.
        Action::Redirect(_) => Action::DirectResponse { status: 500, body: None },
        answer @ Action::DirectResponse { .. } => answer,
    };
    let header = |name: &str, value| HeaderMatch { name: name.into(), value };
    route.matcher.headers.retain(|it| it.name != ":method");
    let any = || ValueMatch::Regex(".*".into());
    route.matcher.headers.extend([
        header(":method", ValueMatch::Exact("OPTIONS".into())),
        header("origin", any()),
        header("access-control-request-method", any()),
    ]);
    Some(route)
}

/// Writes what is wrong with rules to the conditions of a route.
fn report(
    faults: &[Fault],
    all_rejected: bool,
    conditions: &mut super::super::conditions::Conditions,
) {
    let mut kinds: Vec<&'static str> = Vec::new();
    for fault in faults {
        if !kinds.contains(&fault.kind) {
            kinds.push(fault.kind);
        }
    }
    for kind in kinds {
        let of_kind: Vec<&Fault> = faults.iter().filter(|fault| fault.kind == kind).collect();
        let words: Vec<&str> = of_kind.iter().map(|fault| fault.words.as_str()).collect();
        let words = words.join(" ");
        // Several reasons are joined.
        let reasons: BTreeSet<&str> = of_kind.iter().map(|fault| fault.reason).collect();
        let reason = reasons.into_iter().collect::<Vec<_>>().join(",");
        match kind {
            "Accepted" if all_rejected => conditions.set("Accepted", "False", reason, words),
            "Accepted" => {
                conditions.set("PartiallyInvalid", "True", reason, words);
                conditions.set("Accepted", "True", "Accepted", "");
            }
            other => conditions.set(other, "False", reason, words),
        }
    }
}
