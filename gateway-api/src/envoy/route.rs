//! Routes.

use serde_json::{Map, Value, json};

use super::compact;
use crate::config::{
    Action, CorsPolicy, Forward, HeaderEdits, HeaderMatch, JwtRequirement, Match, Mirror,
    PathMatch, PathRewrite, Redirect, Retry, Route, Session, Target, ValueMatch, WeightedCluster,
};
use crate::environment::Profile;

const TYPE: &str = "type.googleapis.com/envoy.extensions";

pub(super) fn route(from: &Route, profile: Profile) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(from.name));
    fields.insert("match".into(), matcher(&from.matcher));
    match &from.action {
        Action::Forward(to) => fields.insert("route".into(), forward(to)),
        Action::Redirect(to) => fields.insert("redirect".into(), redirect(to, profile)),
        Action::DirectResponse { status, body } => {
            let body = body.as_deref().filter(|body| !body.is_empty());
            let answer = match profile {
                Profile::EnvoyGateway => json!({
                    "status": status,
                    "body_format": body.map(|body| {
                        json!({ "text_format_source": { "inline_bytes": base64(body.as_bytes()) } })
                    }),
                }),
                Profile::Kgateway(_) | Profile::Portable => json!({
                    "status": status,
                    "body": body.map(|body| json!({ "inline_string": body })),
                }),
            };
            fields.insert("direct_response".into(), compact(answer))
        }
    };
    headers("request", &from.request_headers, &mut fields);
    headers("response", &from.response_headers, &mut fields);
    fields.insert("typed_per_filter_config".into(), filters(from));
    compact(Value::Object(fields))
}

fn matcher(from: &Match) -> Value {
    let (name, path) = match &from.path {
        PathMatch::Prefix(prefix) => ("prefix", json!(prefix)),
        PathMatch::Elements(prefix) => ("path_separated_prefix", json!(prefix)),
        PathMatch::Exact(path) => ("path", json!(path)),
        PathMatch::Regex(expression) => ("safe_regex", json!({ "regex": expression })),
    };
    let named = |it: &HeaderMatch| {
        let value = match &it.value {
            ValueMatch::Exact(value) => json!({ "exact": value }),
            ValueMatch::Regex(expression) => json!({ "safe_regex": { "regex": expression } }),
        };
        json!({ "name": it.name, "string_match": value })
    };
    compact(json!({
        name: path,
        "headers": from.headers.iter().map(named).collect::<Vec<_>>(),
        "query_parameters": from.query.iter().map(named).collect::<Vec<_>>(),
    }))
}

fn forward(from: &Forward) -> Value {
    let mut fields = Map::new();
    match &from.target {
        Target::Cluster(name) => fields.insert("cluster".into(), json!(name)),
        Target::Weighted(clusters) => {
            let clusters: Vec<Value> = clusters.iter().map(weighted).collect();
            fields.insert("weighted_clusters".into(), json!({ "clusters": clusters }))
        }
    };
    if from.not_found == Some(500) {
        fields.insert("cluster_not_found_response_code".into(), json!("INTERNAL_SERVER_ERROR"));
    }
    match &from.path_rewrite {
        Some(PathRewrite::Prefix(prefix)) => {
            fields.insert("prefix_rewrite".into(), json!(prefix));
        }
        Some(PathRewrite::Regex { pattern, substitution }) => {
            fields.insert("regex_rewrite".into(), regex_rewrite(pattern, substitution));
        }
        None => {}
    }
    fields.insert("host_rewrite_literal".into(), json!(from.host_rewrite));
    fields.insert("append_x_forwarded_host".into(), json!(from.append_x_forwarded_host));
    fields.insert("timeout".into(), json!(from.timeout.map(duration)));
    fields.insert("idle_timeout".into(), json!(from.idle_timeout.map(duration)));
    fields.insert("retry_policy".into(), from.retry.as_ref().map(retry).unwrap_or_default());
    let mirrors: Vec<Value> = from.mirrors.iter().map(mirror).collect();
    fields.insert("request_mirror_policies".into(), json!(mirrors));
    compact(Value::Object(fields))
}

fn weighted(from: &WeightedCluster) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(from.name));
    fields.insert("weight".into(), json!(from.weight));
    fields.insert("host_rewrite_literal".into(), json!(from.host_rewrite));
    headers("request", &from.request_headers, &mut fields);
    headers("response", &from.response_headers, &mut fields);
    compact(Value::Object(fields))
}

fn regex_rewrite(pattern: &str, substitution: &str) -> Value {
    compact(json!({ "pattern": { "regex": pattern }, "substitution": substitution }))
}

fn redirect(from: &Redirect, profile: Profile) -> Value {
    let mut fields = Map::new();
    match from.scheme.as_deref() {
        Some(scheme) if profile.is_envoy_gateway() || scheme != "https" => {
            fields.insert("scheme_redirect".into(), json!(scheme));
        }
        Some(_) => drop(fields.insert("https_redirect".into(), json!(true))),
        None => {}
    }
    fields.insert("host_redirect".into(), json!(from.host));
    fields.insert("path_redirect".into(), json!(from.path));
    match &from.rewrite {
        Some(PathRewrite::Prefix(prefix)) => {
            fields.insert("prefix_rewrite".into(), json!(prefix));
        }
        Some(PathRewrite::Regex { pattern, substitution }) => {
            fields.insert("regex_rewrite".into(), regex_rewrite(pattern, substitution));
        }
        None => {}
    }
    fields.insert("port_redirect".into(), json!(from.port));
    let code = match from.code {
        302 => "FOUND",
        303 => "SEE_OTHER",
        307 => "TEMPORARY_REDIRECT",
        308 => "PERMANENT_REDIRECT",
        _ => "",
    };
    fields.insert("response_code".into(), json!(code));
    let mut redirect = compact(Value::Object(fields));
    // Nothing in place of a prefix is said, although it changes nothing.
    if from.rewrite == Some(PathRewrite::Prefix(String::new())) {
        redirect["prefix_rewrite"] = json!("");
    }
    redirect
}

fn retry(from: &Retry) -> Value {
    let back_off = from.base_interval.map(|ms| json!({ "base_interval": duration(ms) }));
    let hosts = from.avoids_previous_hosts.then(|| {
        json!([{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": { "@type": format!("{TYPE}.retry.host.previous_hosts.v3.PreviousHostsPredicate") },
        }])
    });
    compact(json!({
        "retry_on": from.on,
        "num_retries": from.count,
        "per_try_timeout": from.per_try_timeout.map(duration),
        "retry_back_off": back_off,
        "retriable_status_codes": from.statuses,
        "retry_host_predicate": hosts,
        "host_selection_retry_max_attempts": from.avoids_previous_hosts.then_some("5"),
    }))
}

fn mirror(from: &Mirror) -> Value {
    let share = from.per_million.map(|per_million| {
        let numerator = per_million / (1_000_000 / from.denominator.max(1));
        let denominator = match from.denominator {
            10_000 => "TEN_THOUSAND",
            1_000_000 => "MILLION",
            _ => "",
        };
        let numerator = (numerator > 0).then_some(numerator);
        json!({ "default_value": compact(json!({ "numerator": numerator, "denominator": denominator })) })
    });
    compact(json!({
        "cluster": from.cluster,
        "runtime_fraction": share,
        "disable_shadow_host_suffix_append": from.keep_host,
    }))
}

/// Header changes; what is set replaces, what is added comes after.
fn headers(of: &str, from: &HeaderEdits, fields: &mut Map<String, Value>) {
    let added = from.add.iter().map(|edit| {
        let action = (!edit.append).then_some("OVERWRITE_IF_EXISTS_OR_ADD");
        let header = compact(json!({ "key": edit.name, "value": edit.value }));
        compact(json!({ "header": header, "append_action": action }))
    });
    fields.insert(format!("{of}_headers_to_add"), added.collect());
    fields.insert(format!("{of}_headers_to_remove"), json!(from.remove));
}

/// What the filter for tokens is told.
pub(super) fn jwt(requirement: &JwtRequirement) -> Value {
    let kind = format!("{TYPE}.filters.http.jwt_authn.v3.PerRouteConfig");
    let name = match requirement.filter.as_str() {
        "" => "global_disable/jwt",
        name => name,
    };
    json!({ name: { "@type": kind } })
}

fn filters(from: &Route) -> Value {
    let mut fields = Map::new();
    if let Some(policy) = &from.cors {
        fields.insert("envoy.filters.http.cors".into(), cors(policy));
    }
    if let Some(requirement) = from.jwt.as_deref()
        && let Value::Object(own) = jwt(requirement)
    {
        fields.extend(own);
    }
    if let Some(session) = &from.session {
        let (name, state) = match session {
            Session::Cookie { name, ttl, path } => {
                let kind =
                    format!("{TYPE}.http.stateful_session.cookie.v3.CookieBasedSessionState");
                let ttl = ttl.map(|seconds| format!("{seconds}s"));
                let cookie = compact(json!({ "name": name, "path": path, "ttl": ttl }));
                ("cookie", json!({ "@type": kind, "cookie": cookie }))
            }
            Session::Header(name) => {
                let kind =
                    format!("{TYPE}.http.stateful_session.header.v3.HeaderBasedSessionState");
                ("header", json!({ "@type": kind, "name": name }))
            }
        };
        let kind = format!("{TYPE}.filters.http.stateful_session.v3.StatefulSessionPerRoute");
        let state =
            json!({ "name": format!("envoy.http.stateful_session.{name}"), "typed_config": state });
        let session = json!({ "@type": kind, "stateful_session": { "session_state": state } });
        fields.insert("envoy.filters.http.stateful_session".into(), session);
    }
    Value::Object(fields)
}

fn cors(from: &CorsPolicy) -> Value {
    let rules = &from.rules;
    compact(json!({
        "@type": format!("{TYPE}.filters.http.cors.v3.CorsPolicy"),
        "allow_methods": rules.allow_methods.join(","),
        "allow_headers": rules.allow_headers.join(","),
        "expose_headers": rules.expose_headers.join(","),
        "max_age": rules.max_age.to_string(),
        "allow_credentials": rules.allow_credentials,
    }))
}

/// A duration as protobuf writes it: `2s`, `0.300s`.
fn duration(ms: u64) -> String {
    let (seconds, rest) = (ms / 1000, ms % 1000);
    match rest {
        0 => format!("{seconds}s"),
        rest => format!("{seconds}.{rest:03}s"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (bits >> (18 - 6 * at)) as usize & 63;
            out.push(if at <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_base64() {
        for (text, expected) in [("teapot", "dGVhcG90"), ("a", "YQ=="), ("ab", "YWI="), ("", "")] {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn durations_have_three_digits_or_none() {
        assert_eq!([0, 2000, 300, 1005].map(duration), ["0s", "2s", "0.300s", "1.005s"]);
    }
}
