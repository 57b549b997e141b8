//! What Envoy refuses. One such route keeps the whole route configuration from being accepted.

mod clusters;
mod headers;
mod listeners;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use self::clusters::{ClusterFault, of_cluster};
pub(super) use self::listeners::of_listener;
use self::text::one_line;
use super::findings::{Finding, Severity};
use super::mistake::Mistake;
use crate::api::{Duration, ObjectRef};
use crate::code::Code;
use crate::config::{
    Action, CorsPolicy, Forward, HashKey, HashSource, HostRewrite, Match, PathMatch, PathRewrite,
    Redirect, RedirectPath, Retry, Route, RouteConfiguration, Target, ValueMatch, VirtualHost,
};
use crate::environment::Environment;
use crate::pattern;

/// The largest body of a direct answer that Envoy takes, in bytes.
const LARGEST_BODY: usize = 4096;

/// The longest name of a query parameter that Envoy matches, in bytes.
const LONGEST_PARAMETER: usize = 1024;

const QUERY: &str = "query parameter";

const REFUSED: Severity = Severity::Refused;

/// Why Envoy refuses the route configuration, if it does: what it finds first, then everything else
/// that it would find.
pub(super) fn refusals(routes: &RouteConfiguration, environment: Environment) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut domains = BTreeSet::new();
    for host in &routes.virtual_hosts {
        let taken = host.domains.iter().filter(|it| !domains.insert(it.to_ascii_lowercase()));
        let taken = taken.map(|domain| match domain.as_str() {
            "*" => "Only a single wildcard domain is permitted".to_owned(),
            domain => format!(
                "Only unique values for domains are permitted. Duplicate entry of domain {domain}"
            ),
        });
        let taken = taken.map(|words| Mistake::new(Code::DuplicateDomain, words));
        found.extend(taken.map(|it| of(host, &host.holder, it)));
        found.extend(of_virtual_host(host, routes.longest_body, environment));
    }
    found
}

fn of(host: &VirtualHost, holder: &Arc<ObjectRef>, mistake: Mistake) -> Finding {
    let finding = Finding::new(holder, REFUSED, mistake);
    Finding { gateway: Some(Arc::clone(&host.gateway)), ..finding }
}

/// Why Envoy refuses a virtual host, whatever others there are.
pub(super) fn of_virtual_host(
    host: &VirtualHost,
    longest_body: Option<u32>,
    environment: Environment,
) -> Vec<Finding> {
    let of_host =
        host.domains.iter().find_map(|domain| one_line(Code::InvalidDomain, "a domain", domain));
    let of_host = of_host
        .or_else(|| headers::refusal(&host.headers))
        .or_else(|| host.retry.as_ref().and_then(of_retry))
        .or_else(|| host.cors.as_ref().and_then(of_cors))
        .or_else(|| (environment.plain_envoy && host.transforms).then(of_transformation));
    let named = |reason: &str| format!("{reason} (virtual host {})", host.name);
    let of_host = of_host.map(|mistake| mistake.within(named));
    let of_host = of_host.map(|it| of(host, &host.holder, it));
    let longest = longest_body.map_or(LARGEST_BODY, |bytes| bytes as usize);
    let of_routes = host.routes.iter().filter_map(|route| {
        let mistake = of_route(route, longest, environment)?;
        Some(of(host, &route.holder, mistake))
    });
    of_host.into_iter().chain(of_routes).collect()
}

fn of_transformation() -> Mistake {
    missing_filter("io.solo.transformation")
}

fn missing_filter(filter: &str) -> Mistake {
    let words = format!("Didn't find a registered implementation for '{filter}'");
    Mistake::new(Code::MissingFilter, words)
}

fn some(code: Code, words: impl Into<String>) -> Option<Mistake> {
    Some(Mistake::new(code, words))
}

fn of_route(route: &Route, longest: usize, environment: Environment) -> Option<Mistake> {
    if environment.plain_envoy && route.transforms {
        return Some(of_transformation());
    }
    let general = of_match(&route.matcher)
        .or_else(|| headers::refusal(&route.headers))
        .or_else(|| route.cors.as_ref().and_then(of_cors));
    general.or_else(|| match &route.action {
        Action::Forward(forward) => of_forward(forward, environment),
        Action::Redirect(redirect) => of_redirect(redirect),
        Action::DirectResponse { status, .. } if !(200..600).contains(status) => {
            let words = format!("status of a direct response must be in [200, 600), got {status}");
            some(Code::InvalidDirectResponse, words)
        }
        Action::DirectResponse { body, .. } if body.len() > longest => {
            let size = body.len();
            let words = format!("response body size is {size} bytes; maximum is {longest}");
            some(Code::InvalidDirectResponse, words)
        }
        Action::DirectResponse { .. } => None,
    })
}

fn of_match(matcher: &Match) -> Option<Mistake> {
    match &matcher.path {
        None => return some(Code::InvalidMatcher, "a match without a path"),
        Some(PathMatch::Regex(expression)) => {
            if let Some(reason) = of_expression(expression) {
                return Some(reason);
            }
        }
        Some(_) => {}
    }
    for (kind, name, value) in conditions(matcher) {
        if name.is_empty() {
            return some(Code::InvalidMatcher, format!("a {kind} match without a name"));
        }
        if kind == QUERY && name.len() > LONGEST_PARAMETER {
            let words = format!("a {kind} match with a name of more than 1024 bytes");
            return some(Code::InvalidMatcher, words);
        }
        if let Some(reason) = one_line(Code::InvalidMatcher, "the name of a match", name) {
            return Some(reason);
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
    headers.chain(matcher.query.iter().map(|query| (QUERY, &query.name, &query.value)))
}

fn of_expression(expression: &str) -> Option<Mistake> {
    if expression.is_empty() {
        return some(Code::InvalidExpression, "an empty regular expression");
    }
    let fault = pattern::check(expression).err()?;
    some(Code::InvalidExpression, fault)
}

fn of_forward(forward: &Forward, environment: Environment) -> Option<Mistake> {
    if let (true, Some(filter)) = (environment.plain_envoy, &forward.missing_filter) {
        return Some(missing_filter(filter));
    }
    if forward.path_rewrites.len() > 1 {
        let words = "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy";
        return some(Code::InvalidRewrite, words);
    }
    for rewrite in &forward.path_rewrites {
        if let PathRewrite::Regex { pattern, .. } = rewrite
            && let Some(reason) = of_expression(pattern)
        {
            return Some(reason);
        }
    }
    for rewrite in &forward.path_rewrites {
        if let PathRewrite::Prefix(prefix) = rewrite
            && let Some(reason) = one_line(Code::InvalidRewrite, "a prefix rewrite", prefix)
        {
            return Some(reason);
        }
    }
    let of_host = match &forward.host_rewrite {
        Some(HostRewrite::PathRegex { pattern, .. }) => of_expression(pattern),
        Some(HostRewrite::Literal(host)) => one_line(Code::InvalidRewrite, "a host rewrite", host),
        Some(HostRewrite::Auto(_) | HostRewrite::Header(_)) | None => None,
    };
    of_host
        .or_else(|| of_limits(forward))
        .or_else(|| forward.retry.as_ref().and_then(of_retry))
        .or_else(|| forward.hash.iter().find_map(of_hash))
        .or_else(|| of_target(&forward.target))
}

fn of_limits(forward: &Forward) -> Option<Mistake> {
    let stream = forward.max_stream_duration.unwrap_or_default();
    let limits = [
        forward.timeout,
        forward.idle_timeout,
        stream.max_stream_duration,
        stream.grpc_timeout_header_max,
        stream.grpc_timeout_header_offset,
    ];
    if limits.into_iter().flatten().any(|limit| limit < Duration::default()) {
        return some(Code::InvalidDuration, "a negative duration");
    }
    let nobody = forward.mirrors.iter().any(|mirror| mirror.cluster.is_empty());
    nobody.then(|| Mistake::new(Code::InvalidShadowing, "a mirror without a cluster"))
}

fn of_retry(retry: &Retry) -> Option<Mistake> {
    let negative = retry.per_try_timeout.is_some_and(|limit| limit < Duration::default());
    let no_pause = matches!(retry.back_off, Some((None, _)));
    match (negative, no_pause) {
        (true, _) => some(Code::InvalidDuration, "a negative duration"),
        (false, true) => some(Code::InvalidRetries, "a retry back-off without a base interval"),
        (false, false) => None,
    }
}

fn of_hash(key: &HashKey) -> Option<Mistake> {
    match &key.source {
        None => some(Code::InvalidHash, "a hash policy without a source"),
        Some(HashSource::Header(name) | HashSource::Cookie { name, .. }) if name.is_empty() => {
            some(Code::InvalidHash, "a hash policy without a name")
        }
        Some(_) => None,
    }
}

fn of_cors(policy: &CorsPolicy) -> Option<Mistake> {
    policy.rules.allow_origin_regex.iter().find_map(|expression| of_expression(expression))
}

/// Weights may be any numbers with a sum from 1 to 2^32-1 (gloo-conformance case 08-weights).
fn of_target(target: &Target) -> Option<Mistake> {
    match target {
        Target::Missing => some(Code::NoDestination, "a route without a cluster"),
        Target::Cluster { name, .. } if name.is_empty() => {
            some(Code::NoDestination, "a cluster without a name")
        }
        Target::Header(name) if name.is_empty() => {
            some(Code::NoDestination, "a cluster header without a name")
        }
        Target::Cluster { .. } | Target::Header(_) | Target::Unknown | Target::Dynamic { .. } => {
            None
        }
        Target::Weighted { clusters, .. } if clusters.is_empty() => {
            some(Code::NoDestination, "an empty list of weighted clusters")
        }
        Target::Weighted { clusters, .. } => {
            if let Some(reason) = clusters.iter().find_map(|c| headers::refusal(&c.headers)) {
                return Some(reason);
            }
            let sum: u64 = clusters.iter().map(|cluster| u64::from(cluster.weight)).sum();
            match sum {
                0 => {
                    let words = "Sum of weights in the weighted_cluster must be greater than 0.";
                    some(Code::NoTotalWeight, words)
                }
                sum if sum > u64::from(u32::MAX) => {
                    let words = "The sum of weights of all weighted clusters exceeds 4294967295";
                    some(Code::TotalWeightTooLarge, words)
                }
                _ => None,
            }
        }
    }
}

fn of_redirect(redirect: &Redirect) -> Option<Mistake> {
    one_line(Code::InvalidRedirect, "a redirect", &redirect.host).or_else(|| {
        match redirect.path.as_ref()? {
            RedirectPath::Regex { pattern, .. } => of_expression(pattern),
            RedirectPath::Path(path) | RedirectPath::Prefix(path) => {
                one_line(Code::InvalidRedirect, "a redirect", path)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Memory, Snapshot, translate};

    /// Why Envoy refuses a route to some Upstream with these options.
    fn refused(options: Value) -> Option<String> {
        let mut snapshot = Snapshot::default();
        let mut put = |kind: &str, spec: Value| {
            let metadata = json!({ "namespace": "gloo-system", "name": "x" });
            snapshot.upsert(&json!({ "kind": kind, "metadata": metadata, "spec": spec }));
        };
        let destination = json!({ "single": { "upstream": { "name": "x" } } });
        let route = json!({ "routeAction": destination, "options": options });
        put("Gateway", json!({ "httpGateway": {} }));
        put("VirtualService", json!({ "virtualHost": { "routes": [route] } }));
        let refused = translate(&snapshot, &Memory::default()).refused;
        refused.into_iter().next().map(|refused| refused.words)
    }

    #[test]
    fn options_that_gloo_passes_on_and_envoy_does_not_take_are_found() {
        let bad = [
            json!({ "timeout": "-1s" }),
            json!({ "retries": { "retryOn": "5xx", "retryBackOff": {} } }),
            json!({ "hostRewrite": "a\nb" }),
            json!({ "prefixRewrite": "/a", "regexRewrite": { "pattern": { "regex": "a" } } }),
            json!({ "lbHash": { "hashPolicies": [{}] } }),
            json!({ "shadowing": { "upstream": {}, "percentage": 5 } }),
            json!({ "cors": { "allowOriginRegex": [""] } }),
            json!({ "headerManipulation": { "requestHeadersToRemove": ["host"] } }),
            json!({ "headerManipulation": { "responseHeadersToAdd": [{ "header": { "key": "a", "value": "5%" } }] } }),
        ];
        for options in bad {
            assert!(refused(options.clone()).is_some(), "{options}");
        }
    }

    #[test]
    fn options_that_envoy_takes_are_admitted() {
        let good = [
            json!({ "timeout": "0s", "idleTimeout": "1s" }),
            json!({ "retries": { "retryOn": "5xx", "retryBackOff": { "baseInterval": "10ms" } } }),
            json!({ "lbHash": { "hashPolicies": [{ "sourceIp": true }] } }),
            json!({ "headerManipulation": { "requestHeadersToAdd": [{ "header": { "key": "a", "value": "%REQ(b)%" } }] } }),
        ];
        for options in good {
            assert_eq!(refused(options.clone()), None, "{options}");
        }
    }
}
