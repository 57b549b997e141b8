use super::outcome::{Forwarded, Outcome};
use super::path::split;
use super::request::Request;
use crate::api::RedirectCode;
use crate::config::{
    Discovery, Forward, HostRewrite, Match, PathMatch, PathRewrite, Redirect, RedirectPath, Target,
};
use crate::pattern;
use crate::translate::Translation;

/// What a backend receives (gloo-conformance case 13-rewrites).
pub(super) fn forwarded(
    forward: &Forward,
    matcher: &Match,
    request: &Request,
    translation: &Translation,
) -> Forwarded {
    let (path, query) = split(&request.path);
    let path = match forward.path_rewrites.first() {
        Some(PathRewrite::Prefix(prefix)) => swap_prefix(matcher, path, prefix),
        Some(PathRewrite::Regex { pattern, substitution }) => {
            pattern::replace_all(pattern, substitution, path)
        }
        None => path.to_owned(),
    };
    let host = match &forward.host_rewrite {
        Some(HostRewrite::Literal(host)) => Some(host.clone()),
        Some(HostRewrite::Auto(true)) if named(&forward.target, translation) => None,
        Some(HostRewrite::Header(name)) => {
            let named = request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            let value = named.map(|(_, value)| value).filter(|value| !value.is_empty());
            Some(value.unwrap_or(&request.host).clone())
        }
        Some(HostRewrite::PathRegex { pattern, substitution }) => {
            Some(pattern::replace_all(pattern, substitution, split(&request.path).0))
        }
        Some(HostRewrite::Auto(_)) | None => Some(request.host.clone()),
    };
    Forwarded {
        path: format!("{path}{query}"),
        host,
        timeout: forward.timeout,
        retry: forward.retry.clone(),
    }
}

/// Whether the endpoints have names of their own: those of static Upstreams do.
fn named(target: &Target, translation: &Translation) -> bool {
    let names: Vec<&String> = match target {
        Target::Cluster { name, .. } => vec![name],
        Target::Weighted { clusters, .. } => clusters.iter().map(|cluster| &cluster.name).collect(),
        Target::Missing | Target::Unknown | Target::Dynamic { .. } | Target::Header(_) => {
            Vec::new()
        }
    };
    let mut clusters = translation.clusters.iter();
    clusters.any(|c| names.contains(&&c.name) && c.discovery != Discovery::Eds)
}

/// Replaces what the path matcher took: the prefix, or the whole path.
fn swap_prefix(matcher: &Match, path: &str, replacement: &str) -> String {
    match &matcher.path {
        Some(PathMatch::Prefix(prefix)) => {
            format!("{replacement}{}", path.get(prefix.len()..).unwrap_or_default())
        }
        _ => replacement.to_owned(),
    }
}

/// Envoy adds a location to direct answers with a status that calls for one: the request's own.
pub(super) fn location_of_direct_response(
    status: u32,
    request: &Request,
    has_tls: bool,
) -> Option<String> {
    let redirects = (300..400).contains(&status);
    redirects.then(|| format!("{}://{}{}", scheme(has_tls), request.host, request.path))
}

/// The answer of a redirect (gloo-conformance case 13-redirect-direct).
pub(super) fn redirect(
    redirect: &Redirect,
    matcher: &Match,
    request: &Request,
    has_tls: bool,
) -> Outcome {
    let (path, query) = split(&request.path);
    let new_path = match &redirect.path {
        Some(RedirectPath::Path(path)) => path.clone(),
        Some(RedirectPath::Prefix(prefix)) => swap_prefix(matcher, path, prefix),
        Some(RedirectPath::Regex { pattern, substitution }) => {
            pattern::replace_all(pattern, substitution, path)
        }
        None => path.to_owned(),
    };
    // A path of its own may bring a query of its own.
    let own_query = matches!(&redirect.path, Some(RedirectPath::Path(path)) if path.contains('?'));
    let mut new_path = if own_query { new_path } else { new_path + query };
    if redirect.strip_query && !own_query {
        new_path.truncate(new_path.find('?').unwrap_or(new_path.len()));
    }
    let scheme = scheme(redirect.https || has_tls);
    let changes_scheme = redirect.https && !has_tls;
    let host = redirect_host(redirect, &request.host, changes_scheme);
    let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
    let status = match redirect.code {
        RedirectCode::MovedPermanently => 301,
        RedirectCode::Found => 302,
        RedirectCode::SeeOther => 303,
        RedirectCode::TemporaryRedirect => 307,
        RedirectCode::PermanentRedirect => 308,
    };
    let slash = if new_path.starts_with('/') { "" } else { "/" };
    Outcome::moved(status, format!("{scheme}://{host}{port}{slash}{new_path}"))
}

fn scheme(has_tls: bool) -> &'static str {
    if has_tls { "https" } else { "http" }
}

/// The host of a redirect. The request's loses its port where another is given, and the default port
/// where the scheme changes.
fn redirect_host<'a>(redirect: &'a Redirect, host: &'a str, changes_scheme: bool) -> &'a str {
    if !redirect.host.is_empty() {
        return &redirect.host;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if redirect.port.is_some() || (changes_scheme && port == "80") => name,
        _ => host,
    }
}
