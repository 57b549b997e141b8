//! Filters of a rule, as Envoy Gateway hands them to Envoy.

use std::collections::BTreeMap;

use super::super::backends::{self, Backend};
use super::super::findings::Severity;
use super::super::output::Output;
use super::context::Context;
use super::fault::Fault;
use super::headers;
use crate::api::{
    BackendRef, Filter, FilterKind, LocalRef, PathModifier, RequestMirror, RequestRedirect,
    UrlRewrite,
};
use crate::code::Code;
use crate::config::{
    Cluster, CorsPolicy, HeaderEdit, HeaderEdits, Locality, Mirror, PathRewrite, Redirect,
    WeightedCluster,
};
use crate::objects::slashed;
use crate::{ObjectRef, ResourceRef};

/// What the filters of a rule come to.
#[derive(Default)]
pub(super) struct Filtered {
    pub(super) request_headers: HeaderEdits,
    pub(super) response_headers: HeaderEdits,
    pub(super) redirect: Option<Redirect>,
    /// A direct answer.
    pub(super) response: Option<(u16, Option<String>)>,
    pub(super) path_rewrite: Option<PathRewrite>,
    pub(super) host_rewrite: Option<String>,
    pub(super) mirrors: Vec<Mirror>,
    pub(super) cors: Option<CorsPolicy>,
    /// Something about them is not modelled.
    pub(super) opaque: bool,
    pub(super) faults: Vec<Fault>,
}

impl Filtered {
    /// The rule answers by itself.
    pub(super) fn answers(&self) -> bool {
        self.redirect.is_some() || self.response.is_some() || !self.faults.is_empty()
    }
}

/// Reads the filters of a rule, until one answers by itself.
pub(super) fn of_rule(
    context: &Context<'_, '_>,
    clusters: &mut BTreeMap<String, Cluster>,
    output: &mut Output,
) -> Filtered {
    let filtered = read(context, &context.rule.filters, Some(clusters), output);
    for fault in &filtered.faults {
        let (severity, code) = match (fault.kind, fault.reason) {
            ("BackendsAvailable", _) => (Severity::Warning, Code::NoEndpoints),
            ("ResolvedRefs", "UnsupportedValue") => (Severity::RuleError, Code::MissingExtension),
            ("ResolvedRefs", _) => (Severity::RuleError, fault.code()),
            _ => (Severity::RuleError, Code::InvalidRule),
        };
        output.find(context.holder, severity, code, fault.words.clone());
    }
    filtered
}

/// What changes for one backend alone.
pub(super) fn of_backend(
    context: &Context<'_, '_>,
    backend: &BackendRef,
    output: &mut Output,
) -> Result<WeightedCluster, String> {
    let filtered = read(context, &backend.filters, None, output);
    match filtered.faults.into_iter().next() {
        Some(fault) => Err(fault.words),
        None => Ok(WeightedCluster {
            host_rewrite: filtered.host_rewrite,
            request_headers: filtered.request_headers,
            response_headers: filtered.response_headers,
            ..WeightedCluster::default()
        }),
    }
}

fn read(
    context: &Context<'_, '_>,
    filters: &[Filter],
    mut clusters: Option<&mut BTreeMap<String, Cluster>>,
    output: &mut Output,
) -> Filtered {
    let mut out = Filtered::default();
    for (number, filter) in filters.iter().enumerate() {
        if out.response.is_some() {
            break;
        }
        let fault = match filter.kind {
            FilterKind::RequestHeaderModifier => {
                headers::merge(filter.request_header_modifier.as_ref(), &mut out.request_headers)
            }
            FilterKind::ResponseHeaderModifier => {
                headers::merge(filter.response_header_modifier.as_ref(), &mut out.response_headers)
            }
            FilterKind::UrlRewrite => {
                filter.url_rewrite.as_ref().and_then(|spec| rewrite(spec, &mut out))
            }
            FilterKind::RequestRedirect => {
                filter.request_redirect.as_ref().and_then(|spec| redirect(spec, &mut out))
            }
            FilterKind::RequestMirror => match (&filter.request_mirror, clusters.as_deref_mut()) {
                (Some(mirror), Some(clusters)) => copy(context, number, mirror, clusters, &mut out),
                _ => None,
            },
            FilterKind::Cors => {
                let rules = filter.cors.clone();
                out.cors = rules.map(|rules| CorsPolicy { rules }).or(out.cors.take());
                None
            }
            FilterKind::ExtensionRef => {
                let reference = filter.extension_ref.as_ref();
                reference.and_then(|reference| extension(context, reference, &mut out, output))
            }
            FilterKind::Unknown => {
                out.response = Some((500, None));
                Some(Fault::new("Accepted", "UnsupportedValue", "invalid filter: unknown type"))
            }
        };
        out.faults.extend(fault);
    }
    if !out.mirrors.is_empty() && (out.response.is_some() || out.redirect.is_some()) {
        let words = "RequestMirror filter cannot be used when the rule also configures a filter that answers";
        (out.response, out.redirect) = (None, None);
        out.mirrors.clear();
        out.faults.push(Fault::new("Accepted", "IncompatibleFilters", words));
    }
    out
}

fn unsupported(words: impl Into<String>) -> Option<Fault> {
    Some(Fault::new("Accepted", "UnsupportedValue", words))
}

/// Whether a host can stand in a rewrite: no address, no wildcard.
fn is_host(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_err() && !host.contains('*')
}

fn rewrite(spec: &UrlRewrite, out: &mut Filtered) -> Option<Fault> {
    if (out.path_rewrite.is_some() || out.host_rewrite.is_some())
        && (spec.hostname.is_some() || spec.path.is_some())
    {
        return unsupported(
            "cannot configure multiple urlRewrite filters for a single HTTPRouteRule",
        );
    }
    if let Some(host) = &spec.hostname {
        if !is_host(host) {
            return unsupported(format!("hostname {host:?} is no host"));
        }
        out.host_rewrite = Some(host.clone());
    }
    let path = spec.path.as_ref()?;
    let rewrite = match full_or_prefix(path) {
        Some(Ok(full)) => PathRewrite::Regex { pattern: "^/.*$".into(), substitution: full },
        Some(Err(prefix)) => PathRewrite::Prefix(prefix),
        None => return unsupported(format!("rewrite path type: {} is invalid", path.kind)),
    };
    out.path_rewrite = Some(rewrite);
    None
}

/// The full path of a modifier, or the new prefix.
fn full_or_prefix(path: &PathModifier) -> Option<Result<String, String>> {
    match path.kind.as_str() {
        "ReplaceFullPath" => path.replace_full_path.clone().map(Ok),
        "ReplacePrefixMatch" => path.replace_prefix_match.clone().map(Err),
        _ => None,
    }
}

fn redirect(spec: &RequestRedirect, out: &mut Filtered) -> Option<Fault> {
    if out.redirect.is_some() {
        let words = "cannot configure multiple requestRedirect filters for a single HTTPRouteRule";
        return unsupported(words);
    }
    if let Some(scheme) = spec.scheme.as_deref().filter(|it| !["http", "https"].contains(it)) {
        return unsupported(format!("scheme: {scheme} is unsupported"));
    }
    if let Some(host) = spec.hostname.as_deref().filter(|host| !is_host(host)) {
        return unsupported(format!("hostname {host:?} is no host"));
    }
    let (path, rewrite) = match spec.path.as_ref().and_then(full_or_prefix) {
        Some(Ok(full)) => (Some(full), None),
        Some(Err(prefix)) => (None, Some(PathRewrite::Prefix(prefix))),
        None => (None, None),
    };
    out.redirect = Some(Redirect {
        scheme: spec.scheme.clone(),
        host: spec.hostname.clone(),
        path,
        rewrite,
        port: spec.port,
        code: spec.status_code.unwrap_or(302),
    });
    None
}

/// A copy of requests, to a cluster of its own.
fn copy(
    context: &Context<'_, '_>,
    number: usize,
    mirror: &RequestMirror,
    clusters: &mut BTreeMap<String, Cluster>,
    out: &mut Filtered,
) -> Option<Fault> {
    let namespace = &context.reference.namespace;
    let prefix = "failed to validate the RequestMirror filter";
    let (reference, port) =
        match backends::resolve(context.snapshot, namespace, &mirror.backend_ref) {
            Ok(Backend::Service { reference, port }) => (reference, port),
            Ok(Backend::Unknown(..)) => {
                out.opaque = true;
                return None;
            }
            Err((reason, words)) => {
                return Some(Fault::new("ResolvedRefs", reason, format!("{prefix}: {words}")));
            }
        };
    let endpoints = backends::endpoints(context.snapshot, &reference, port);
    if endpoints.is_empty() {
        let words =
            format!("{prefix}: no ready endpoints for the related Service {}", slashed(&reference));
        return Some(Fault::new("BackendsAvailable", "EndpointsNotFound", words));
    }
    let percent = match (&mirror.fraction, mirror.percent) {
        (Some(it), _) => Some(100.0 * it.numerator as f32 / it.denominator.max(1) as f32),
        (None, percent) => percent.map(|percent| percent as f32),
    };
    if percent.is_some_and(|percent| percent <= 0.0) {
        return None;
    }
    let cluster = format!("{}-mirror-{number}", context.name);
    let (per_million, denominator) = match percent {
        Some(percent) => ((percent * 10_000.0) as u32, 1_000_000),
        None => (1_000_000, 100),
    };
    let locality = Locality { weight: Some(1), endpoints };
    let made = Cluster { name: cluster.clone(), localities: vec![locality] };
    clusters.insert(cluster.clone(), made);
    let per_million = Some(per_million);
    out.mirrors.push(Mirror { cluster, per_million, denominator, keep_host: true });
    None
}

/// What an HTTPRouteFilter changes.
fn extension(
    context: &Context<'_, '_>,
    reference: &LocalRef,
    out: &mut Filtered,
    output: &mut Output,
) -> Option<Fault> {
    let target = ResourceRef::new(&context.reference.namespace, &reference.name);
    let ours = (reference.group.as_str(), reference.kind.as_str())
        == ("gateway.envoyproxy.io", "HTTPRouteFilter");
    if !ours {
        out.response = Some((500, None));
        return unsupported(format!(
            "invalid filter ExtensionRef: unknown kind {}",
            reference.kind
        ));
    }
    let Some(filter) = context.snapshot.route_filters.get(&target) else {
        if !context.snapshot.is_complete("HTTPRouteFilter") {
            let unread = ObjectRef::new("HTTPRouteFilter", &target.namespace, &target.name);
            output.unread(context.holder, unread);
            out.opaque = true;
            return None;
        }
        out.response = Some((500, None));
        let words = format!("Unable to translate HTTPRouteFilter: {}", slashed(&target));
        return Some(Fault::new("ResolvedRefs", "UnsupportedValue", words));
    };
    if let Some(response) = &filter.spec.direct_response {
        if let Some(kind) = &response.content_type {
            let (name, value) = ("Content-Type".into(), kind.clone());
            out.response_headers.add.push(HeaderEdit { name, value, append: false });
        }
        let body = response.body.as_ref();
        out.opaque |= body.is_some_and(|body| body.value_ref.is_some());
        let body = body.and_then(|body| body.inline.clone()).filter(|body| !body.is_empty());
        out.response = Some((response.status_code.unwrap_or(200), body));
    }
    for field in filter.spec.others.keys() {
        let object = ObjectRef::new("HTTPRouteFilter", &target.namespace, &target.name);
        let words = format!("spec.{field} is not modelled: what it does is not judged");
        output.note(&std::sync::Arc::new(object), words);
        out.opaque = true;
    }
    None
}
