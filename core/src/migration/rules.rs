//! From what a Gloo route does to a rule of an HTTPRoute.

use gloo::config::{
    Action, Forward, HeaderEdits, HostRewrite, Match, Mirror, PathMatch, PathRewrite, RedirectPath,
    Route, Target, VirtualHost,
};
use serde_json::{Map, Value, json};

use super::answers::{cors, redirect};
use super::backends::{Backend, Backends, Labels};
use super::conditions;
use super::headers::{Changes, changes};
use super::unsaid::{Unsaid, check};

/// The largest weight of a backend.
const MOST_WEIGHT: u32 = 1_000_000;

/// The rule of a route for the requests of `matcher`.
///
/// # Errors
/// Says what no rule can do.
pub(super) fn rule(
    route: &Route,
    host: &VirtualHost,
    matcher: &Match,
    namespace: &str,
    backends: &mut Backends<'_>,
) -> Result<Map<String, Value>, Unsaid> {
    check(route, host)?;
    let mut rule = Map::new();
    rule.insert("matches".into(), conditions::matches(matcher)?.into());
    let mut filters = Vec::new();
    match &route.action {
        Action::Forward(forward) => {
            filters = forwarding(route, forward, matcher)?;
            filters.extend(edits(route, host)?);
            for copy in forward.mirrors.iter().filter(|mirror| mirror.per_million > 0) {
                filters.push(mirror(copy, namespace, backends)?);
            }
            rule.insert("backendRefs".into(), targets(forward, namespace, backends)?);
            if let Some(timeout) = forward.timeout {
                let time = u64::try_from(timeout.millis()).map_err(|_| "a negative timeout")?;
                rule.insert("timeouts".into(), json!({"request": duration(time)?}));
            }
        }
        Action::Redirect(to) => {
            if matches!(to.path, Some(RedirectPath::Prefix(_)))
                && route.matcher.path != matcher.path
            {
                return Err("a replaced prefix of a longer path".into());
            }
            filters.push(redirect(to, matcher)?);
            filters.extend(edits(route, host)?);
        }
        // Nothing of the Gateway API itself answers: it was refused before.
        Action::DirectResponse { .. } => {}
    }
    if let Some(policy) = route.cors.as_ref().or(host.cors.as_ref())
        && !policy.disabled
    {
        filters.push(cors(policy)?);
    }
    if !filters.is_empty() {
        rule.insert("filters".into(), filters.into());
    }
    Ok(rule)
}

fn targets(
    forward: &Forward,
    namespace: &str,
    backends: &mut Backends<'_>,
) -> Result<Value, Unsaid> {
    match &forward.target {
        Target::Cluster { name, subset } => {
            let backend = backends.backend(name, subset).map_err(Unsaid::Elsewhere)?;
            Ok(json!([reference(&backend, namespace, 1)]))
        }
        Target::Weighted { clusters, .. } => {
            let mut all = Vec::new();
            for cluster in clusters {
                if cluster.headers != HeaderEdits::default() {
                    return Err("changes of headers for one of several destinations".into());
                }
                if cluster.weight > MOST_WEIGHT {
                    return Err(format!("the weight {}", cluster.weight).into());
                }
                let backend =
                    backends.backend(&cluster.name, &cluster.subset).map_err(Unsaid::Elsewhere)?;
                all.push(reference(&backend, namespace, cluster.weight));
            }
            if clusters.iter().all(|cluster| cluster.weight == 0) {
                return Err("weights that are all 0".into());
            }
            Ok(all.into())
        }
        Target::Header(_) => Err("a destination that a header names".into()),
        Target::Dynamic { .. } => Err("dynamicForwardProxy".into()),
        Target::Missing | Target::Unknown => Err("a destination that is not known".into()),
    }
}

fn reference(backend: &Backend, namespace: &str, weight: u32) -> Value {
    let mut reference = json!({"group": "", "kind": "Service", "name": backend.name});
    if backend.namespace != namespace {
        reference["namespace"] = backend.namespace.as_str().into();
    }
    reference["port"] = backend.port.into();
    reference["weight"] = weight.into();
    reference
}

/// The filter that rewrites host and path, if they change.
fn forwarding(route: &Route, forward: &Forward, matcher: &Match) -> Result<Vec<Value>, Unsaid> {
    let mut rewrite = Map::new();
    match &forward.host_rewrite {
        None => {}
        Some(HostRewrite::Literal(name)) => {
            rewrite.insert("hostname".into(), name.as_str().into());
        }
        // The pods of a Service have no names: nothing changes.
        Some(HostRewrite::Auto(_)) => {}
        Some(_) => return Err("a host that is made of the request".into()),
    }
    match (forward.path_rewrites.first(), &matcher.path) {
        (None, _) => {}
        (Some(PathRewrite::Prefix(_)), _) if route.matcher.path != matcher.path => {
            return Err("a replaced prefix of a longer path".into());
        }
        (Some(PathRewrite::Prefix(to)), Some(PathMatch::Prefix(_))) => {
            let to = json!({"type": "ReplacePrefixMatch", "replacePrefixMatch": to});
            rewrite.insert("path".into(), to);
        }
        (Some(PathRewrite::Prefix(to)), Some(PathMatch::Exact(_))) => {
            let to = json!({"type": "ReplaceFullPath", "replaceFullPath": to});
            rewrite.insert("path".into(), to);
        }
        _ => return Err("a rewrite of the path by an expression".into()),
    }
    if rewrite.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![json!({"type": "URLRewrite", "urlRewrite": rewrite})])
}

/// The filters that change headers.
fn edits(route: &Route, host: &VirtualHost) -> Result<Vec<Value>, Unsaid> {
    let [request, response] = changes(route, host);
    let request = modifier(request)?
        .map(|it| json!({"type": "RequestHeaderModifier", "requestHeaderModifier": it}));
    let response = modifier(response)?
        .map(|it| json!({"type": "ResponseHeaderModifier", "responseHeaderModifier": it}));
    Ok(request.into_iter().chain(response).collect())
}

fn modifier(changes: Changes) -> Result<Option<Value>, Unsaid> {
    if changes.is_empty() {
        return Ok(None);
    }
    let (mut set, mut add) = (Vec::new(), Vec::new());
    for edit in changes.add {
        if edit.value.contains('%') {
            return Err(format!("the header {} with a % in its value", edit.name).into());
        }
        if edit.name.starts_with(':') || edit.name.eq_ignore_ascii_case("host") {
            return Err(format!("a change of the header {}", edit.name).into());
        }
        let list = if edit.overwrite { &mut set } else { &mut add };
        let is_named = |it: &Value| {
            it["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(&edit.name))
        };
        if list.iter().any(is_named) {
            return Err(format!("two changes of the header {}", edit.name).into());
        }
        list.push(json!({"name": edit.name, "value": edit.value}));
    }
    let mut modifier = Map::new();
    for (key, list) in [("set", set), ("add", add)] {
        if !list.is_empty() {
            modifier.insert(key.into(), list.into());
        }
    }
    if !changes.remove.is_empty() {
        modifier.insert("remove".into(), changes.remove.into());
    }
    Ok(Some(modifier.into()))
}

fn mirror(copy: &Mirror, namespace: &str, backends: &mut Backends<'_>) -> Result<Value, Unsaid> {
    let backend = backends.backend(&copy.cluster, &Labels::new()).map_err(Unsaid::Elsewhere)?;
    let mut reference = reference(&backend, namespace, 1);
    if let Some(fields) = reference.as_object_mut() {
        fields.remove("weight");
    }
    let mut mirror = json!({"backendRef": reference});
    match copy.per_million.min(1_000_000) {
        share if share % 10_000 == 0 => mirror["percent"] = (share / 10_000).into(),
        share => mirror["fraction"] = json!({"numerator": share, "denominator": 1_000_000}),
    }
    Ok(json!({"type": "RequestMirror", "requestMirror": mirror}))
}

/// A duration as the Gateway API writes it (GEP-2257): no more than five digits of each unit.
fn duration(milliseconds: u64) -> Result<String, Unsaid> {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    if seconds > 99_999 {
        return Err("a timeout of more than a day".into());
    }
    Ok(match (seconds, rest) {
        (seconds, 0) => format!("{seconds}s"),
        (0, rest) => format!("{rest}ms"),
        (seconds, rest) => format!("{seconds}s{rest}ms"),
    })
}
