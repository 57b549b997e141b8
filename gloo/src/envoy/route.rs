use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::{compact, typed};
use crate::api::RedirectCode;
use crate::config::{
    Action, CorsPolicy, Fault, Forward, HashKey, HashSource, HeaderEdit, HeaderEdits, HostRewrite,
    Match, Mirror, PathMatch, PathRewrite, Redirect, RedirectPath, Retry, Route, Target,
    UpgradeConfig, ValueMatch, WeightedCluster,
};

/// One route.
pub(super) fn route(from: &Route) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(from.name));
    fields.insert("match".into(), matcher(&from.matcher));
    let fault = from.fault.as_ref().map(fault);
    let mut filters = Map::new();
    match &from.action {
        Action::Forward(action) => {
            let weighted = matches!(action.target, Target::Weighted { .. });
            let of_cluster = fault.as_ref().filter(|_| weighted);
            fields.insert("route".into(), forward(action, of_cluster));
            if !weighted {
                filters.extend(fault.map(|fault| ("envoy.filters.http.fault".to_owned(), fault)));
            }
        }
        Action::Redirect(action) => {
            fields.insert("redirect".into(), redirect(action));
        }
        Action::DirectResponse { status, body } => {
            let answer = json!({ "status": status, "body": { "inline_string": body } });
            fields.insert("direct_response".into(), answer);
        }
    }
    if let Some(policy) = &from.cors {
        filters.insert("envoy.filters.http.cors".into(), cors(policy));
    }
    fields.insert("typed_per_filter_config".into(), Value::Object(filters));
    if !from.metadata.is_empty() {
        fields.insert("metadata".into(), json!({ "filter_metadata": from.metadata }));
    }
    headers(&from.headers, &mut fields);
    compact(Value::Object(fields))
}

fn matcher(from: &Match) -> Value {
    let mut fields = Map::new();
    match &from.path {
        Some(PathMatch::Prefix(text)) => fields.insert("prefix".into(), json!(text)),
        Some(PathMatch::Exact(text)) => fields.insert("path".into(), json!(text)),
        Some(PathMatch::Regex(text)) => {
            fields.insert("safe_regex".into(), json!({ "regex": text }))
        }
        Some(PathMatch::Connect) => fields.insert("connect_matcher".into(), json!({})),
        None => None,
    };
    fields.extend(from.case_sensitive.map(|on| ("case_sensitive".to_owned(), json!(on))));
    let header = |name: &str, value: &ValueMatch, invert: bool| {
        let mut header = Map::new();
        header.insert("name".into(), json!(name));
        condition(value, &mut header);
        if invert {
            header.insert("invert_match".into(), json!(true));
        }
        Value::Object(header)
    };
    let headers = from.headers.iter().map(|h| header(&h.name, &h.value, h.invert));
    let query = from.query.iter().map(|q| header(&q.name, &q.value, false));
    let lists: [(_, Vec<Value>); 2] =
        [("headers", headers.collect()), ("query_parameters", query.collect())];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    fields.extend(lists.map(|(name, list)| (name.to_owned(), json!(list))));
    Value::Object(fields)
}

fn condition(value: &ValueMatch, fields: &mut Map<String, Value>) {
    match value {
        ValueMatch::Present => fields.insert("present_match".into(), json!(true)),
        ValueMatch::Exact(text) => fields.insert("string_match".into(), json!({ "exact": text })),
        ValueMatch::Regex(text) => {
            let regex = json!({ "safe_regex": { "regex": text } });
            fields.insert("string_match".into(), regex)
        }
    };
}

fn forward(from: &Forward, fault: Option<&Value>) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match &from.target {
        Target::Cluster { name, subset } => {
            put("cluster", json!(name));
            put("metadata_match", metadata_match(subset));
        }
        Target::Weighted { clusters, total } => {
            let clusters: Vec<Value> = clusters.iter().map(|c| weighted(c, fault)).collect();
            let weighted = compact(json!({ "clusters": clusters, "total_weight": total }));
            put("weighted_clusters", weighted);
        }
        Target::Header(name) => drop(put("cluster_header", json!(name))),
        Target::Dynamic { .. } => drop(put("cluster", json!("solo_io_generated_dfp:0"))),
        Target::Missing | Target::Unknown => {}
    }
    for rewrite in &from.path_rewrites {
        match rewrite {
            PathRewrite::Prefix(text) => put("prefix_rewrite", json!(text)),
            PathRewrite::Regex { pattern, substitution } => {
                put("regex_rewrite", regex_rewrite(pattern, substitution))
            }
        };
    }
    match &from.host_rewrite {
        Some(HostRewrite::Literal(host)) => put("host_rewrite_literal", json!(host)),
        Some(HostRewrite::Auto(auto)) => put("auto_host_rewrite", json!(auto)),
        Some(HostRewrite::Header(name)) => put("host_rewrite_header", json!(name)),
        Some(HostRewrite::PathRegex { pattern, substitution }) => {
            put("host_rewrite_path_regex", regex_rewrite(pattern, substitution))
        }
        None => None,
    };
    put("append_x_forwarded_host", json!(from.append_x_forwarded_host));
    put("timeout", json!(from.timeout));
    put("idle_timeout", json!(from.idle_timeout));
    if let Some(limits) = from.max_stream_duration {
        let limits = json!({
            "max_stream_duration": limits.max_stream_duration,
            "grpc_timeout_header_max": limits.grpc_timeout_header_max,
            "grpc_timeout_header_offset": limits.grpc_timeout_header_offset,
        });
        put("max_stream_duration", compact(limits));
    }
    put("retry_policy", from.retry.as_ref().map(retry).unwrap_or_default());
    put("request_mirror_policies", from.mirrors.iter().map(mirror).collect());
    put("hash_policy", from.hash.iter().map(hash).collect());
    put("upgrade_configs", from.upgrades.iter().map(upgrade).collect());
    compact(Value::Object(fields))
}

fn weighted(from: &WeightedCluster, fault: Option<&Value>) -> Value {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(from.name));
    fields.insert("weight".into(), json!(from.weight));
    fields.insert("metadata_match".into(), metadata_match(&from.subset));
    if let Some(fault) = fault {
        let config = json!({ "envoy.filters.http.fault": fault });
        fields.insert("typed_per_filter_config".into(), config);
    }
    headers(&from.headers, &mut fields);
    compact(Value::Object(fields))
}

fn metadata_match(subset: &BTreeMap<String, String>) -> Value {
    if subset.is_empty() {
        return Value::Null;
    }
    json!({ "filter_metadata": { "envoy.lb": subset } })
}

fn regex_rewrite(pattern: &str, substitution: &str) -> Value {
    json!({ "pattern": { "regex": pattern }, "substitution": substitution })
}

/// A retry policy.
pub(super) fn retry(from: &Retry) -> Value {
    let back_off = from
        .back_off
        .map(|(base, max)| compact(json!({ "base_interval": base, "max_interval": max })));
    compact(json!({
        "retry_on": from.on,
        "num_retries": from.count,
        "per_try_timeout": from.per_try_timeout,
        "retry_back_off": back_off,
        "retriable_status_codes": from.statuses,
    }))
}

fn mirror(from: &Mirror) -> Value {
    compact(json!({
        "cluster": from.cluster,
        "runtime_fraction": { "default_value": per_million(from.per_million) },
        "disable_shadow_host_suffix_append": from.keep_host,
        "host_rewrite_literal": from.host,
    }))
}

fn per_million(count: u32) -> Value {
    json!({ "numerator": count, "denominator": "MILLION" })
}

fn hash(from: &HashKey) -> Value {
    let mut fields = Map::new();
    match &from.source {
        Some(HashSource::Header(name)) => {
            fields.insert("header".into(), json!({ "header_name": name }));
        }
        Some(HashSource::Cookie { name, ttl, path }) => {
            let cookie = compact(json!({ "name": name, "ttl": ttl, "path": path }));
            fields.insert("cookie".into(), cookie);
        }
        Some(HashSource::SourceIp(on)) => {
            fields.insert("connection_properties".into(), json!({ "source_ip": on }));
        }
        None => {}
    }
    fields.insert("terminal".into(), json!(from.terminal));
    compact(Value::Object(fields))
}

fn upgrade(from: &UpgradeConfig) -> Value {
    let mut fields = Map::new();
    fields.insert("upgrade_type".into(), json!(from.protocol));
    fields.extend(from.enabled.map(|on| ("enabled".to_owned(), json!(on))));
    if from.terminate {
        fields.insert("connect_config".into(), json!({}));
    }
    Value::Object(fields)
}

fn redirect(from: &Redirect) -> Value {
    let mut fields = Map::new();
    fields.insert("host_redirect".into(), json!(from.host));
    match &from.path {
        Some(RedirectPath::Path(path)) => fields.insert("path_redirect".into(), json!(path)),
        Some(RedirectPath::Prefix(path)) => fields.insert("prefix_rewrite".into(), json!(path)),
        Some(RedirectPath::Regex { pattern, substitution }) => {
            fields.insert("regex_rewrite".into(), regex_rewrite(pattern, substitution))
        }
        None => None,
    };
    let code = match from.code {
        RedirectCode::MovedPermanently => None,
        code => Some(code),
    };
    fields.insert("response_code".into(), json!(code));
    fields.insert("strip_query".into(), json!(from.strip_query));
    fields.insert("port_redirect".into(), json!(from.port));
    let Value::Object(mut fields) = compact(Value::Object(fields)) else { return Value::Null };
    fields.insert("https_redirect".into(), json!(from.https));
    Value::Object(fields)
}

fn fault(from: &Fault) -> Value {
    let abort = from.abort.map(|abort| {
        json!({ "http_status": abort.status, "percentage": per_million(abort.per_million) })
    });
    let delay = from.delay.map(
        |delay| json!({ "fixed_delay": delay.fixed, "percentage": per_million(delay.per_million) }),
    );
    let config = compact(json!({ "abort": abort, "delay": delay }));
    typed("extensions.filters.http.fault.v3.HTTPFault", config)
}

/// Cross-origin rules.
pub(super) fn cors(from: &CorsPolicy) -> Value {
    let rules = &from.rules;
    let exact = rules.allow_origin.iter().map(|origin| json!({ "exact": origin }));
    let regex = rules.allow_origin_regex.iter();
    let regex = regex.map(|expression| json!({ "safe_regex": { "regex": expression } }));
    let off = from.disabled.then(|| {
        json!({
            "default_value": { "numerator": 0, "denominator": "HUNDRED" },
            "runtime_key": "gloo.routeplugin.cors",
        })
    });
    let config = compact(json!({
        "allow_origin_string_match": exact.chain(regex).collect::<Vec<_>>(),
        "allow_methods": rules.allow_methods.join(","),
        "allow_headers": rules.allow_headers.join(","),
        "expose_headers": rules.expose_headers.join(","),
        "max_age": rules.max_age,
        "allow_credentials": rules.allow_credentials,
        "filter_enabled": off,
    }));
    typed("extensions.filters.http.cors.v3.CorsPolicy", config)
}

/// Header changes, as fields of a virtual host, a route or a weighted cluster.
pub(super) fn headers(from: &HeaderEdits, fields: &mut Map<String, Value>) {
    let edit = |edit: &HeaderEdit| {
        compact(json!({
            "header": compact(json!({ "key": edit.name, "value": edit.value })),
            "append_action": edit.overwrite.then_some("OVERWRITE_IF_EXISTS_OR_ADD"),
        }))
    };
    let edits = |list: &[HeaderEdit]| Value::Array(list.iter().map(edit).collect());
    fields.insert("request_headers_to_add".into(), edits(&from.request_add));
    fields.insert("request_headers_to_remove".into(), json!(from.request_remove));
    fields.insert("response_headers_to_add".into(), edits(&from.response_add));
    fields.insert("response_headers_to_remove".into(), json!(from.response_remove));
}
