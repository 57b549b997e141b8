use super::command;
use super::domain::without_port;
use super::outcome::{Forwarded, Outcome};
use super::path::split;
use crate::Request;
use crate::config::{Forward, Match, PathMatch, PathRewrite, Redirect, Route, WeightedCluster};
use crate::pattern;

/// What a backend receives.
pub(super) fn forwarded(
    forward: &Forward,
    route: &Route,
    cluster: Option<&WeightedCluster>,
    request: &Request,
    tells_originals: bool,
) -> Forwarded {
    let mut headers = request.headers.clone();
    if let Some(cluster) = cluster {
        command::evaluated(&cluster.request_headers, request).apply(&mut headers);
    }
    command::evaluated(&route.request_headers, request).apply(&mut headers);
    let (path, query) = split(&request.path);
    let new_path = match &forward.path_rewrite {
        Some(rewrite) => rewritten(rewrite, &route.matcher, path),
        None => path.to_owned(),
    };
    if forward.path_rewrite.is_some() && tells_originals {
        headers.push(("x-envoy-original-path".into(), request.path.clone()));
    }
    let host = cluster.and_then(|it| it.host_rewrite.as_ref()).or(forward.host_rewrite.as_ref());
    if host.is_some() && forward.append_x_forwarded_host {
        headers.push(("x-forwarded-host".into(), request.host.clone()));
    }
    if host.is_some() && tells_originals {
        headers.push(("x-envoy-original-host".into(), request.host.clone()));
    }
    Forwarded {
        path: format!("{new_path}{query}"),
        host: host.unwrap_or(&request.host).clone(),
        headers,
        timeout: forward.timeout,
        retry: forward.retry.clone(),
    }
}

/// The new path; what would leave none changes nothing.
fn rewritten(rewrite: &PathRewrite, matcher: &Match, path: &str) -> String {
    let new = match rewrite {
        PathRewrite::Prefix(new) if new.is_empty() => return path.to_owned(),
        PathRewrite::Prefix(new) => swap_prefix(matcher, path, new),
        // Envoy takes a substitution for groups that are not there, and then changes nothing (case 05-rewrite-full).
        PathRewrite::Regex { pattern, substitution }
            if !pattern::is_substitution(pattern, substitution) =>
        {
            path.to_owned()
        }
        PathRewrite::Regex { pattern, substitution } => {
            pattern::replace_all(pattern, substitution, path)
        }
    };
    if new.is_empty() { path.to_owned() } else { new }
}

/// Replaces what the matcher took: the prefix, or the whole path.
fn swap_prefix(matcher: &Match, path: &str, replacement: &str) -> String {
    match &matcher.path {
        PathMatch::Prefix(prefix) | PathMatch::Elements(prefix) => {
            format!("{replacement}{}", path.get(prefix.len()..).unwrap_or_default())
        }
        PathMatch::Exact(_) | PathMatch::Regex(_) => replacement.to_owned(),
    }
}

/// The answer of a redirect.
pub(super) fn redirect(
    redirect: &Redirect,
    matcher: &Match,
    request: &Request,
    has_tls: bool,
) -> Outcome {
    let (path, query) = split(&request.path);
    let new_path = match (&redirect.path, &redirect.rewrite) {
        (Some(path), _) => path.clone(),
        (None, Some(rewrite)) => rewritten(rewrite, matcher, path),
        (None, None) => path.to_owned(),
    };
    // A path of its own may bring a query of its own.
    let own_query = redirect.path.as_ref().is_some_and(|path| path.contains('?'));
    let new_path = if own_query { new_path } else { new_path + query };
    let own = if has_tls { "https" } else { "http" };
    let scheme = redirect.scheme.as_deref().unwrap_or(own);
    let host = match (&redirect.host, redirect.port) {
        (Some(host), _) => host.as_str(),
        (None, Some(_)) => without_port(&request.host),
        (None, None) if scheme != own => without_usual_port(&request.host, own),
        (None, None) => &request.host,
    };
    let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
    let slash = if new_path.starts_with('/') { "" } else { "/" };
    let location = Some(format!("{scheme}://{host}{port}{slash}{new_path}"));
    Outcome::Status { status: redirect.code, body: String::new(), location }
}

/// Where the scheme changes, the usual port of the old one goes.
fn without_usual_port<'a>(host: &'a str, scheme: &str) -> &'a str {
    let usual = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(usual).unwrap_or(host)
}

/// Envoy adds a location to direct answers with a status that calls for one: the request's own.
pub(super) fn location_of_direct_response(
    status: u16,
    request: &Request,
    has_tls: bool,
) -> Option<String> {
    let scheme = if has_tls { "https" } else { "http" };
    (300..400).contains(&status).then(|| format!("{scheme}://{}{}", request.host, request.path))
}
