//! From the proxy's virtual hosts to Envoy's.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::destinations;
use super::findings::{Finding, Remark};
use super::mistake::Mistake;
use super::options;
use super::paths;
use super::proxy::{ProxyAction, ProxyRoute, ProxyVirtualHost};
use super::route_findings::{RouteError, RouteFindings};
use super::view::View;
use crate::api::{Matcher, ObjectRef, Path, RedirectAction};
use crate::code::Code;
use crate::config::{
    Action, Forward, HeaderEdits, HeaderMatch, Match, PathMatch, QueryMatch, Redirect,
    RedirectPath, Route, Target, ValueMatch, VirtualHost,
};

/// A virtual host and what Gloo has to say about it.
pub(super) struct Translated {
    pub(super) host: Arc<VirtualHost>,
    /// Errors of the host itself.
    pub(super) errors: Vec<Mistake>,
    /// Errors of its routes. They show in the proxy's status only.
    pub(super) route_errors: Vec<RouteError>,
    pub(super) warnings: Vec<Finding>,
    /// What is not served as written and is no error to Gloo.
    lost: Vec<Finding>,
    /// What could not be judged, and the object it stands in.
    pub(super) notes: Vec<(Arc<ObjectRef>, Remark)>,
}

impl Translated {
    /// What shows in no status, or in that of the VirtualService only, and the object it stands in.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        let errors = self.route_errors.iter().map(RouteError::finding);
        errors.chain(self.warnings.iter().cloned()).chain(self.lost.iter().cloned())
    }
}

/// Translates one virtual host against the Upstreams there are.
pub(super) fn translate(host: &ProxyVirtualHost, view: &View) -> Translated {
    let name = host.name().replace('.', "_");
    let mut findings = RouteFindings::default();
    let mut routes = Vec::new();
    for (index, route) in host.routes.iter().enumerate() {
        let base = format!("{name}-route-{index}");
        findings.holder = Arc::clone(&route.holder);
        translate_route(route, &base, host, view, &mut findings, &mut routes);
    }
    let domains = match host.domains.as_slice() {
        [] => vec!["*".to_owned()],
        [one] if one.is_empty() => vec!["*".to_owned()],
        domains => domains.to_vec(),
    };
    let holder = Arc::new(host.object());
    let mut out = VirtualHost {
        holder: Arc::clone(&holder),
        gateway: Arc::clone(&host.gateway),
        require_tls: host.ssl,
        name,
        domains,
        routes,
        ..VirtualHost::default()
    };
    findings.holder = holder;
    let errors = options::apply_to_virtual_host(host, &mut out, view, &mut findings);
    let RouteFindings { errors: route_errors, warnings, lost, notes, .. } = findings;
    out.opaque = host.opaque || !notes.is_empty();
    Translated { host: Arc::new(out), errors, route_errors, warnings, lost, notes }
}

/// Each matcher becomes a route of its own (gloo-conformance cases 09-*).
fn translate_route(
    route: &ProxyRoute,
    base: &str,
    host: &ProxyVirtualHost,
    view: &View,
    findings: &mut RouteFindings,
    out: &mut Vec<Route>,
) {
    for _ in route.matchers.iter().filter(|matcher| matcher.path().is_none()) {
        let mistake = Mistake::new(Code::InvalidMatcher, "no path specifier provided");
        findings.matcher_error(mistake, base);
    }
    for (index, matcher) in route.matchers.iter().enumerate() {
        let name = match route.name.as_str() {
            "" => format!("{base}-matcher-{index}"),
            own => format!("{base}-{own}-matcher-{index}"),
        };
        let mut translated = Route {
            holder: Arc::clone(&route.holder),
            name,
            matcher: translate_matcher(matcher),
            action: Action::Forward(Box::default()),
            headers: HeaderEdits::default(),
            metadata: BTreeMap::new(),
            fault: None,
            cors: None,
            transforms: false,
        };
        translated.action = action(route, &translated.name, view, findings);
        if let Action::Forward(forward) = &mut translated.action
            && let Target::Dynamic { filter } = &mut forward.target
        {
            *filter = host.dynamic_forward_proxy;
        }
        options::apply_to_route(route, &mut translated, view, findings);
        paths::check(&translated, findings);
        out.push(translated);
    }
}

fn action(route: &ProxyRoute, name: &str, view: &View, findings: &mut RouteFindings) -> Action {
    match &route.action {
        ProxyAction::Route(action) => {
            let target = destinations::translate(action, name, view, findings);
            Action::Forward(Box::new(Forward { target, ..Forward::default() }))
        }
        ProxyAction::Redirect(action) => Action::Redirect(redirect(action)),
        ProxyAction::DirectResponse(action) => {
            Action::DirectResponse { status: action.status, body: action.body.clone() }
        }
    }
}

fn redirect(action: &RedirectAction) -> Redirect {
    let regex = action.regex_rewrite.as_ref().map(|rewrite| RedirectPath::Regex {
        pattern: rewrite.pattern.regex.clone(),
        substitution: rewrite.substitution.clone(),
    });
    let prefix = action.prefix_rewrite.clone().map(RedirectPath::Prefix);
    let path = action.path_redirect.clone().map(RedirectPath::Path);
    Redirect {
        host: action.host_redirect.clone(),
        path: regex.or(prefix).or(path),
        code: action.response_code,
        https: action.https_redirect,
        strip_query: action.strip_query,
        port: action.port_redirect,
    }
}

fn translate_matcher(matcher: &Matcher) -> Match {
    let headers = matcher.headers.iter().map(|header| HeaderMatch {
        name: header.name.clone(),
        value: value_match(&header.value, header.regex),
        invert: header.invert_match,
    });
    let methods = (!matcher.methods.is_empty()).then(|| HeaderMatch {
        name: ":method".into(),
        value: ValueMatch::Regex(matcher.methods.join("|")),
        invert: false,
    });
    let query = matcher.query_parameters.iter().map(|parameter| QueryMatch {
        name: parameter.name.clone(),
        value: value_match(&parameter.value, parameter.regex),
    });
    let path = matcher.path().map(|path| match path {
        Path::Prefix(text) => PathMatch::Prefix(text),
        Path::Exact(text) => PathMatch::Exact(text),
        Path::Regex(text) => PathMatch::Regex(text),
        Path::Connect => PathMatch::Connect,
    });
    Match {
        path,
        case_sensitive: matcher.case_sensitive,
        headers: headers.chain(methods).collect(),
        query: query.collect(),
    }
}

/// An empty value means presence, also where it is called an expression.
fn value_match(value: &str, regex: bool) -> ValueMatch {
    match (value, regex) {
        ("", _) => ValueMatch::Present,
        (value, true) => ValueMatch::Regex(value.to_owned()),
        (value, false) => ValueMatch::Exact(value.to_owned()),
    }
}
