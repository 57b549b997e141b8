//! What Envoy refuses. One such route keeps the whole route configuration from being taken up.

use std::collections::BTreeSet;

use crate::config::{
    Action, Forward, HostRewrite, Match, PathMatch, PathRewrite, Redirect, RedirectPath, Route,
    Target, ValueMatch, VirtualHost,
};
use crate::pattern;

/// The largest body of a direct answer that Envoy takes, in bytes.
const LARGEST_BODY: usize = 4096;

/// Why Envoy refuses the virtual hosts, if it does: the first reason found, and where.
pub(super) fn refusal(hosts: &[VirtualHost]) -> Option<String> {
    let mut domains = BTreeSet::new();
    for host in hosts {
        for domain in &host.domains {
            if !domains.insert(domain.to_ascii_lowercase()) {
                return Some(match domain.as_str() {
                    "*" => "Only a single wildcard domain is permitted".to_owned(),
                    domain => format!(
                        "Only unique values for domains are permitted. Duplicate entry of domain \
                         {domain}"
                    ),
                });
            }
        }
        let mut routes = host.routes.iter();
        if let Some(found) = routes.find_map(|route| Some((route, of_route(route)?))) {
            return Some(format!("{} (route {})", found.1, found.0.name));
        }
    }
    None
}

fn of_route(route: &Route) -> Option<String> {
    of_match(&route.matcher).or_else(|| match &route.action {
        Action::Forward(forward) => of_forward(forward),
        Action::Redirect(redirect) => of_redirect(redirect),
        Action::DirectResponse { status, .. } if !(200..600).contains(status) => {
            Some(format!("status of a direct response must be in [200, 600), got {status}"))
        }
        Action::DirectResponse { body, .. } if body.len() > LARGEST_BODY => {
            let size = body.len();
            Some(format!("response body size is {size} bytes; maximum is {LARGEST_BODY}"))
        }
        Action::DirectResponse { .. } => None,
    })
}

fn of_match(matcher: &Match) -> Option<String> {
    match &matcher.path {
        None => return Some("a match without a path".into()),
        Some(PathMatch::Regex(expression)) => {
            if let Some(reason) = of_expression(expression) {
                return Some(reason);
            }
        }
        Some(_) => {}
    }
    for (kind, name, value) in conditions(matcher) {
        if name.is_empty() {
            return Some(format!("a {kind} match without a name"));
        }
        if let ValueMatch::Regex(expression) = value
            && let Some(reason) = of_expression(expression)
        {
            return Some(reason);
        }
    }
    None
}

fn conditions(matcher: &Match) -> impl Iterator<Item = (&'static str, &String, &ValueMatch)> {
    let headers = matcher.headers.iter().map(|header| ("header", &header.name, &header.value));
    headers.chain(matcher.query.iter().map(|query| ("query parameter", &query.name, &query.value)))
}

fn of_expression(expression: &str) -> Option<String> {
    if expression.is_empty() {
        return Some("an empty regular expression".into());
    }
    pattern::compile(expression).err()
}

fn of_forward(forward: &Forward) -> Option<String> {
    if let Some(filter) = &forward.missing_filter {
        return Some(format!("Didn't find a registered implementation for '{filter}'"));
    }
    if forward.path_rewrites.len() > 1 {
        return Some(
            "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy".into(),
        );
    }
    for rewrite in &forward.path_rewrites {
        if let PathRewrite::Regex { pattern, .. } = rewrite
            && let Some(reason) = of_expression(pattern)
        {
            return Some(reason);
        }
    }
    if let Some(HostRewrite::PathRegex { pattern, .. }) = &forward.host_rewrite
        && let Some(reason) = of_expression(pattern)
    {
        return Some(reason);
    }
    of_target(&forward.target)
}

/// Weights may be any numbers with a sum from 1 to 2^32-1 (gloo-conformance case 08-weights).
fn of_target(target: &Target) -> Option<String> {
    match target {
        Target::Missing => Some("a route without a cluster".into()),
        Target::Cluster { name, .. } if name.is_empty() => Some("a cluster without a name".into()),
        Target::Header(name) if name.is_empty() => Some("a cluster header without a name".into()),
        Target::Cluster { .. } | Target::Header(_) => None,
        Target::Weighted { clusters, .. } if clusters.is_empty() => {
            Some("an empty list of weighted clusters".into())
        }
        Target::Weighted { clusters, .. } => {
            let sum: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
            match sum {
                0 => Some("Sum of weights in the weighted_cluster must be greater than 0.".into()),
                sum if sum > u64::from(u32::MAX) => {
                    Some("The sum of weights of all weighted clusters exceeds 4294967295".into())
                }
                _ => None,
            }
        }
    }
}

fn of_redirect(redirect: &Redirect) -> Option<String> {
    match &redirect.path {
        Some(RedirectPath::Regex { pattern, .. }) => of_expression(pattern),
        _ => None,
    }
}
