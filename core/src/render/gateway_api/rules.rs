//! The rules of HTTPRoutes: which requests go to which version.
//!
//! The rules for everybody come first, one for each path, and after them those for requests with the canary's headers:
//! which of two takes a request is decided by their conditions, not by their order, so that a canary comes and goes at
//! the end and moves no rule that is there.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::traffic::{Destination, Matches, Rule, Shadow, Traffic, claim_header, claims_name};
use crate::values::{
    CorsRules, HeaderEdits, HttpOptions, Path, Retries, Service, ValueMatch, Version,
};

/// Renders the rules of all of a service's HTTPRoutes, in their order.
pub(super) fn render(service: &Service, traffic: &Traffic) -> Vec<Value> {
    let (main, canary): (Vec<&Rule>, Vec<&Rule>) =
        traffic.rules().iter().partition(|rule| !rule.matches.is_selective());
    let named = |name: String, rules: Vec<&Rule>| {
        let rules = rules.into_iter().flat_map(|rule| of_rule(service, rule));
        let name = move |(index, mut rule): (usize, Map<String, Value>)| {
            let name = if index == 0 { name.clone() } else { format!("{name}-{}", index + 1) };
            rule.shift_insert(0, "name".into(), name.into());
            Value::Object(rule)
        };
        rules.enumerate().map(name).collect::<Vec<_>>()
    };
    let jwt = service.routes.canary.as_ref().and_then(|canary| canary.jwt.as_ref());
    let of_canary = jwt.map_or_else(|| "canary".to_owned(), |jwt| claims_name(service, jwt));
    [named("primary".to_owned(), main), named(of_canary, canary)].concat()
}

/// The rules that one rule becomes: more than one where a prefix is replaced, which the API allows beside a single
/// match only.
fn of_rule(service: &Service, rule: &Rule) -> Vec<Map<String, Value>> {
    let options = HttpOptions::of(&rule.options);
    let matches = matches(service, &rule.matches);
    let is_single = options.rewrite.path.is_some() && matches!(rule.matches.path, Path::Prefix(_));
    let groups: Vec<Vec<Value>> = match is_single {
        true => matches.into_iter().map(|it| vec![it]).collect(),
        false => vec![matches],
    };
    let of_group = |matches: Vec<Value>| {
        let mut rendered = Map::new();
        rendered.insert("matches".into(), matches.into());
        let filters = filters(service, rule, &options);
        if !filters.is_empty() {
            rendered.insert("filters".into(), filters.into());
        }
        rendered.insert("backendRefs".into(), backends(service, &rule.destinations));
        if let Some(timeouts) = timeouts(&options) {
            rendered.insert("timeouts".into(), timeouts);
        }
        if let Some(retries) = &options.retries {
            rendered.insert("retry".into(), retry(retries));
        }
        rendered
    };
    groups.into_iter().map(of_group).collect()
}

/// A match for each method, or one for all.
fn matches(service: &Service, matches: &Matches) -> Vec<Value> {
    let (kind, value) = match &matches.path {
        Path::Exact(path) => ("Exact", path),
        Path::Regex(expression) => ("RegularExpression", expression),
        Path::Prefix(prefix) => ("PathPrefix", prefix),
    };
    let mut matcher = json!({"path": {"type": kind, "value": value}});
    let headers = matches.headers.iter().map(|(name, it)| condition(name, &it.value));
    let claims = matches.claims.iter();
    let claims = claims.map(|(claim, it)| condition(&claim_header(service, claim), it));
    let headers: Vec<Value> = headers.chain(claims).collect();
    if !headers.is_empty() {
        matcher["headers"] = headers.into();
    }
    let parameters = matches.query_parameters.iter().map(|(name, it)| condition(name, it));
    let parameters: Vec<Value> = parameters.collect();
    if !parameters.is_empty() {
        matcher["queryParams"] = parameters.into();
    }
    if matches.methods.is_empty() {
        return vec![matcher];
    }
    let with_method = |method: &String| {
        let mut matcher = matcher.clone();
        matcher["method"] = method.as_str().into();
        matcher
    };
    matches.methods.iter().map(with_method).collect()
}

/// A condition on a header or query parameter. `.*` stands for any value (gateway-conformance case 02-header-regex).
fn condition(name: &str, wanted: &ValueMatch) -> Value {
    let (kind, value) = match wanted {
        ValueMatch::Exact(text) => ("Exact", text.as_str()),
        ValueMatch::Regex(expression) => ("RegularExpression", expression.as_str()),
        ValueMatch::Present => ("RegularExpression", ".*"),
    };
    json!({"type": kind, "name": name, "value": value})
}

fn backends(service: &Service, destinations: &[Destination]) -> Value {
    let single = destinations.len() == 1;
    let backend = |destination: &Destination| {
        let mut backend = backend(service, &destination.version);
        // A single backend has the weight that the API gives by default.
        backend["weight"] = if single { 1 } else { destination.weight.percent() }.into();
        backend
    };
    destinations.iter().map(backend).collect()
}

/// The Service of a version as a backend.
fn backend(service: &Service, version: &Version) -> Value {
    json!({"group": "", "kind": "Service", "name": service.version_name(version), "port": service.port})
}

fn filters(service: &Service, rule: &Rule, options: &HttpOptions) -> Vec<Value> {
    let rewrite = rewrite(&rule.matches.path, options);
    let rewrite = rewrite.map(|it| json!({"type": "URLRewrite", "urlRewrite": it}));
    let edits = |edits: &HeaderEdits, kind: &str, field: &str| {
        header_edits(edits).map(|it| json!({"type": kind, field: it}))
    };
    let all = [
        rewrite,
        edits(&options.request_headers, "RequestHeaderModifier", "requestHeaderModifier"),
        edits(&options.response_headers, "ResponseHeaderModifier", "responseHeaderModifier"),
        options.cors.as_ref().map(|it| json!({"type": "CORS", "cors": cors(it)})),
        rule.shadow.as_ref().map(|it| mirror(service, it)),
    ];
    all.into_iter().flatten().collect()
}

fn rewrite(path: &Path, options: &HttpOptions) -> Option<Value> {
    let mut rewrite = Map::new();
    if let Some(host) = &options.rewrite.host {
        rewrite.insert("hostname".into(), host.as_str().into());
    }
    if let Some(to) = &options.rewrite.path {
        let path = match path {
            Path::Exact(_) => Some(json!({"type": "ReplaceFullPath", "replaceFullPath": to})),
            Path::Prefix(_) => {
                Some(json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": to}))
            }
            Path::Regex(_) => None,
        };
        rewrite.extend(path.map(|path| ("path".to_owned(), path)));
    }
    (!rewrite.is_empty()).then(|| rewrite.into())
}

fn header_edits(edits: &HeaderEdits) -> Option<Value> {
    let list = |headers: &[(String, String)]| -> Value {
        headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    let mut modifier = Map::new();
    for (key, headers) in [("set", &edits.set), ("add", &edits.add)] {
        if !headers.is_empty() {
            modifier.insert(key.into(), list(headers));
        }
    }
    if !edits.remove.is_empty() {
        modifier.insert("remove".into(), edits.remove.clone().into());
    }
    (!modifier.is_empty()).then(|| modifier.into())
}

fn cors(rules: &CorsRules) -> Value {
    /// What the API gives by default, in seconds.
    const MAX_AGE: u64 = 5;
    let mut cors = Map::new();
    for (key, values) in [
        ("allowOrigins", &rules.origins),
        ("allowMethods", &rules.methods),
        ("allowHeaders", &rules.headers),
        ("exposeHeaders", &rules.exposed),
    ] {
        if !values.is_empty() {
            cors.insert(key.into(), values.clone().into());
        }
    }
    cors.insert("maxAge".into(), rules.max_age.unwrap_or(MAX_AGE).into());
    cors.extend(rules.credentials.map(|it| ("allowCredentials".to_owned(), it.into())));
    cors.into()
}

fn mirror(service: &Service, shadow: &Shadow) -> Value {
    let backend = backend(service, &shadow.version);
    let percent = shadow.weight.percent();
    json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}})
}

fn timeouts(options: &HttpOptions) -> Option<Value> {
    let mut timeouts = Map::new();
    for (key, time) in [("request", options.timeout), ("backendRequest", options.per_try_timeout)] {
        timeouts.extend(time.map(|time| (key.to_owned(), duration(time).into())));
    }
    (!timeouts.is_empty()).then(|| timeouts.into())
}

fn retry(retries: &Retries) -> Value {
    let mut retry = json!({"attempts": retries.attempts, "codes": retries.codes});
    if let Some(backoff) = retries.backoff {
        retry["backoff"] = duration(backoff).into();
    }
    retry
}

/// A duration as the Gateway API writes it (GEP-2257).
fn duration(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        (0, milliseconds) => format!("{milliseconds}ms"),
        (seconds, milliseconds) => format!("{seconds}s{milliseconds}ms"),
    }
}
