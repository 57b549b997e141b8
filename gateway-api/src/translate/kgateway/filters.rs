//! Filters, timeouts and retries of a rule, as kgateway hands them to Envoy.

use super::super::backends::{self, Backend};
use super::backend::cluster_name;
use super::context::Context;
use super::flat::Flat;
use crate::ResourceRef;
use crate::api::{
    Filter, FilterKind, HeaderModifier, PathModifier, RequestMirror, RequestRedirect, RuleSpec,
    UrlRewrite, millis,
};
use crate::config::{
    Action, CorsPolicy, Forward, HeaderEdit, HeaderEdits, Mirror, PathMatch, PathRewrite, Redirect,
    Retry, Route, Session,
};

/// What extension references of a rule lead to.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) policies: Vec<ResourceRef>,
    pub(super) responses: Vec<ResourceRef>,
    pub(super) faults: Vec<String>,
    /// One that was not read.
    pub(super) unread: Vec<(String, ResourceRef)>,
}

/// Applies the filters of a rule and of those that delegate to it; what the nearest says counts, but of headers and
/// copies, which add up. The action is there already, if the rule has backends.
pub(super) fn apply(
    context: &Context<'_>,
    flat: &Flat<'_>,
    route: &mut Route,
    action: &mut Option<Action>,
) -> Extensions {
    let mut extensions = Extensions::default();
    let own = (flat.reference, flat.rule);
    for (reference, rule) in std::iter::once(own).chain(flat.ancestors.iter().copied()) {
        for filter in &rule.filters {
            one(context, reference, filter, route, action, &mut extensions);
        }
        of_rule(rule, route, action);
    }
    extensions
}

fn one(
    context: &Context<'_>,
    reference: &ResourceRef,
    filter: &Filter,
    route: &mut Route,
    action: &mut Option<Action>,
    extensions: &mut Extensions,
) {
    match filter.kind {
        FilterKind::RequestHeaderModifier => {
            let edits = filter.request_header_modifier.as_ref().map(edits).unwrap_or_default();
            route.request_headers.extend(&edits);
        }
        FilterKind::ResponseHeaderModifier => {
            let edits = filter.response_header_modifier.as_ref().map(edits).unwrap_or_default();
            route.response_headers.extend(&edits);
        }
        FilterKind::RequestMirror => {
            let mirror = filter.request_mirror.as_ref();
            let mirror = mirror.and_then(|it| copy(context, &reference.namespace, it));
            if let (Some(Action::Forward(forward)), Some(mirror)) = (action, mirror) {
                forward.mirrors.push(mirror);
            }
        }
        FilterKind::RequestRedirect => {
            if let Some(spec) = &filter.request_redirect
                && !matches!(action, Some(Action::Redirect(_)))
            {
                *action = Some(Action::Redirect(redirect(spec, context.port, context.tls)));
            }
        }
        FilterKind::UrlRewrite => {
            if let (Some(spec), Some(Action::Forward(forward))) = (&filter.url_rewrite, action) {
                rewrite(spec, &route.matcher.path, forward);
            }
        }
        FilterKind::Cors => {
            if let (Some(rules), None) = (&filter.cors, &route.cors) {
                route.cors = Some(CorsPolicy { rules: rules.clone() });
            }
        }
        FilterKind::ExtensionRef => {
            let Some(extension) = &filter.extension_ref else { return };
            let target = ResourceRef::new(&reference.namespace, &extension.name);
            let (known, complete) = match (extension.group.as_str(), extension.kind.as_str()) {
                ("gateway.kgateway.dev", "TrafficPolicy") => (
                    context.snapshot.traffic_policies.contains_key(&target),
                    context.snapshot.is_complete("TrafficPolicy"),
                ),
                ("gateway.kgateway.dev", "DirectResponse") => (
                    context.snapshot.direct_responses.contains_key(&target),
                    context.snapshot.is_complete("DirectResponse"),
                ),
                _ => (false, true),
            };
            match (known, extension.kind.as_str()) {
                (true, "TrafficPolicy") => extensions.policies.push(target),
                (true, _) => extensions.responses.push(target),
                (false, kind) if !complete => {
                    extensions.unread.push((kind.to_owned(), target));
                    route.opaque = true;
                }
                (false, kind) => extensions.faults.push(format!(
                    "{}/{kind}/{}/{}: policy not found",
                    extension.group, target.namespace, target.name
                )),
            }
        }
        FilterKind::Unknown => route.opaque = true,
    }
}

/// Header changes; what is added comes first (case 05-request-headers).
pub(super) fn edits(spec: &HeaderModifier) -> HeaderEdits {
    let one = |append| {
        move |it: &crate::api::HeaderValue| HeaderEdit {
            name: it.name.clone(),
            value: it.value.clone(),
            append,
        }
    };
    HeaderEdits {
        remove: spec.remove.clone(),
        add: spec.add.iter().map(one(true)).chain(spec.set.iter().map(one(false))).collect(),
    }
}

/// A copy to a backend that cannot be had is dropped in silence.
fn copy(context: &Context<'_>, namespace: &str, mirror: &RequestMirror) -> Option<Mirror> {
    let cluster = match backends::resolve(context.snapshot, namespace, &mirror.backend_ref).ok()? {
        Backend::Service { reference, port } => cluster_name(&reference, port.port),
        Backend::Unknown(..) => return None,
    };
    let (per_million, denominator) = match (mirror.percent, &mirror.fraction) {
        (Some(percent), _) => (Some(percent.saturating_mul(10_000)), 100),
        (None, Some(fraction)) => {
            let share = f64::from(fraction.numerator) / f64::from(fraction.denominator.max(1));
            (Some((share * 1e6) as u32), 1_000_000)
        }
        (None, None) => (None, 100),
    };
    Some(Mirror { cluster, per_million, denominator, keep_host: false })
}

fn redirect(spec: &RequestRedirect, listener: u16, tls: bool) -> Redirect {
    let own = if tls { "https" } else { "http" };
    let scheme = spec.scheme.as_deref().unwrap_or(own).to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => 0,
    };
    let port = match (spec.port, &spec.scheme) {
        (Some(port), _) => port,
        (None, Some(_)) => usual,
        (None, None) => listener,
    };
    let (path, rewrite) = match &spec.path {
        Some(PathModifier { kind, replace_full_path, .. }) if kind == "ReplaceFullPath" => {
            (Some(replace_full_path.clone().unwrap_or_else(|| "/".into())), None)
        }
        Some(PathModifier { replace_prefix_match, .. }) => {
            let prefix = replace_prefix_match.clone().unwrap_or_else(|| "/".into());
            (None, Some(PathRewrite::Prefix(prefix)))
        }
        None => (None, None),
    };
    Redirect {
        scheme: spec.scheme.clone(),
        host: spec.hostname.clone(),
        path: path.filter(|path| !path.is_empty()),
        rewrite,
        port: (port != usual).then_some(port),
        code: spec.status_code.unwrap_or(302),
    }
}

fn rewrite(spec: &UrlRewrite, matched: &PathMatch, forward: &mut Forward) {
    if let (Some(host), None) = (&spec.hostname, &forward.host_rewrite) {
        forward.host_rewrite = Some(host.clone());
    }
    let (Some(path), None) = (&spec.path, &forward.path_rewrite) else { return };
    if path.kind == "ReplaceFullPath" {
        let substitution = path.replace_full_path.clone().unwrap_or_else(|| "/".into());
        if !substitution.is_empty() {
            forward.path_rewrite = Some(PathRewrite::Regex { pattern: ".*".into(), substitution });
        }
        return;
    }
    forward.path_rewrite = match path.replace_prefix_match.as_deref().unwrap_or("/") {
        // Nothing is replaced (case 05-rewrite-prefix step 6).
        "" => None,
        "/" if !matches!(matched, PathMatch::Regex(_)) => {
            // Not quoted: a path with the letters of an expression is read as one.
            let pattern = format!(r"^{}\/*", matched.text());
            Some(PathRewrite::Regex { pattern, substitution: "/".into() })
        }
        prefix => Some(PathRewrite::Prefix(prefix.into())),
    };
}

fn of_rule(rule: &RuleSpec, route: &mut Route, action: &mut Option<Action>) {
    let Some(Action::Forward(forward)) = action else { return };
    let read = |text: &Option<String>| text.as_deref().and_then(millis);
    let timeouts = rule.timeouts.as_ref();
    let request = timeouts.and_then(|it| read(&it.request));
    let backend = timeouts.and_then(|it| read(&it.backend_request));
    if forward.timeout.is_none() {
        forward.timeout = match rule.retry {
            Some(_) => request,
            None => backend.or(request),
        };
    }
    if let (Some(retry), None) = (&rule.retry, &forward.retry) {
        forward.retry = Some(Retry {
            on: "cancelled,connect-failure,refused-stream,reset,retriable-headers,retriable-status-codes,\
                 unavailable"
                .into(),
            count: retry.attempts.unwrap_or(1),
            per_try_timeout: backend,
            base_interval: read(&retry.backoff),
            statuses: retry.codes.clone(),
            avoids_previous_hosts: false,
        });
    }
    if let (Some(session), None) = (&rule.session_persistence, &route.session) {
        let name = |default: &str| session.session_name.clone().unwrap_or_else(|| default.into());
        let lifetime = session.cookie_config.as_ref().and_then(|it| it.lifetime_type.as_deref());
        let ttl = read(&session.absolute_timeout).map(|ms| ms / 1000);
        route.session = Some(match session.kind.as_deref() {
            Some("Header") => Session::Header(name("x-session-persistence")),
            _ => Session::Cookie {
                name: name("sessionPersistence"),
                path: "/".into(),
                ttl: match lifetime {
                    Some("Session") => None,
                    Some(_) => ttl.or(Some(365 * 24 * 3600)),
                    None => ttl,
                },
            },
        });
    }
}
