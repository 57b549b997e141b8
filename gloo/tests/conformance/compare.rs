//! Compares a translation with what was recorded.

use std::collections::BTreeSet;

use gloo::config::{Cluster, Endpoint, VirtualHost};
use gloo::{Finding, ObjectRef, Severity, State, Translation, envoy};
use serde_json::{Value, json};

use crate::{listeners, normal};

/// What was recorded in one step.
pub(crate) struct Expected<'a>(pub(crate) &'a Value);

/// Where listeners, virtual hosts and clusters differ.
pub(crate) fn translation(translation: &Translation, expected: &Expected<'_>) -> Vec<String> {
    let mut found = Vec::new();
    refusals(translation, expected, &mut found);
    let hosts = listeners::main_hosts(translation);
    virtual_hosts("virtual_hosts", &expected.0["virtual_hosts"], &hosts, &mut found);
    listeners::compare(translation, expected, &mut found);
    clusters(translation, expected, &mut found);
    found
}

/// What Envoy refuses, by kind. The oldest recordings name no kinds of what their Envoy lacks.
fn refusals(translation: &Translation, expected: &Expected<'_>, found: &mut Vec<String>) {
    let kinds = expected.0["envoy_out_of_date"]["kinds"].as_array().into_iter().flatten();
    let wanted: BTreeSet<&str> = kinds.filter_map(Value::as_str).collect();
    let got: BTreeSet<&str> = translation.refused.iter().map(|refused| refused.kind).collect();
    if wanted != got {
        let refused = &translation.refused;
        found.push(format!("envoy_out_of_date: expected {wanted:?}, got {refused:?}"));
    }
    if translation.behind != expected.0.get("envoy_behind").is_some() {
        found.push(format!("envoy_behind: got {}", translation.behind));
    }
}

/// Compares virtual hosts. Of one that has something that is not modelled the recording may say more.
pub(crate) fn virtual_hosts(
    at: &str,
    wanted: &Value,
    hosts: &[&VirtualHost],
    found: &mut Vec<String>,
) {
    let wanted = normal::config(wanted);
    let wanted = wanted.as_array().map(Vec::as_slice).unwrap_or_default();
    let got: Vec<Value> =
        hosts.iter().map(|host| normal::config(&envoy::virtual_host(host))).collect();
    for index in 0..wanted.len().max(got.len()) {
        let at = format!("{at}[{index}]");
        let item = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
        let noted = hosts.get(index).is_some_and(|host| host.opaque);
        let compare = if noted { normal::contradictions } else { normal::differences };
        compare(&at, &item(wanted), &item(&got), found);
    }
}

/// Kinds that Gloo judges by themselves, and this crate does not look at.
const UNSEEN: &[&str] =
    &["AuthConfig", "RateLimitConfig", "MatchableHttpGateway", "MatchableTcpGateway"];

/// State and reason on the objects; the verdict on the proxy is often stale in the recording.
pub(crate) fn statuses(translation: &Translation, expected: &Expected<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let found = &mut out;
    for (name, wanted) in expected.0["statuses"].as_object().into_iter().flatten() {
        let (kind, rest) = name.split_once(' ').expect("kind and name");
        let (namespace, object) = rest.split_once('/').expect("namespace/name");
        if UNSEEN.contains(&kind) {
            continue;
        }
        let got = translation.statuses.get(&ObjectRef::new(kind, namespace, object));
        let state = got.map(|status| json!(status.state)).unwrap_or_default();
        normal::differences(&format!("{name} state"), &wanted["state"], &state, found);
        let reason = got.map(|status| status.reason.as_str()).unwrap_or_default();
        let reason = json!(normal::reason(reason));
        let wanted = json!(normal::reason(wanted["reason"].as_str().unwrap_or_default()));
        normal::differences(&format!("{name} reason"), &wanted, &reason, found);
    }
    for (object, listed) in &translation.reported {
        let Some(status) = translation.statuses.get(object) else { continue };
        let state =
            listed.iter().map(|finding| finding.severity).max().map(|severity| match severity {
                Severity::Warning => State::Warning,
                Severity::RouteError
                | Severity::Rejected
                | Severity::Refused
                | Severity::ClustersRefused
                | Severity::Crash => State::Rejected,
            });
        let unsaid = listed.iter().filter(|finding| !status.reason.contains(&finding.words));
        let unsaid: Vec<&Finding> = unsaid.collect();
        if state != Some(status.state) || !unsaid.is_empty() {
            found.push(format!("{object} is {status:?} and lists {listed:?}, unsaid {unsaid:?}"));
        }
    }
    for name in translation.statuses.keys().map(ToString::to_string) {
        if expected.0["statuses"].get(&name).is_none() {
            found.push(format!("{name}: has a status, but nothing was recorded"));
        }
    }
    out
}

fn clusters(translation: &Translation, expected: &Expected<'_>, found: &mut Vec<String>) {
    let mut wanted = expected.0["clusters"].clone();
    let mut got: serde_json::Map<String, Value> = translation
        .clusters
        .iter()
        .map(|cluster| (cluster.name.clone(), recorded_form(cluster)))
        .collect();
    let own = translation.clusters.iter();
    let opaque: BTreeSet<&str> =
        own.clone().filter(|it| it.opaque).map(|it| it.name.as_str()).collect();
    let fallback = translation.replacement.is_some();
    let names: Vec<String> =
        wanted.as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect();
    for name in names {
        let of_opaque = name.strip_suffix("_original").is_some_and(|it| opaque.contains(it));
        let made_up = name.starts_with("solo_io_generated_dfp:") || of_opaque;
        let unequal = wanted[&name]["state"] == "warming" || opaque.contains(name.as_str());
        let is_fallback = fallback && name == gloo::config::CLUSTER_FALLBACK;
        // Of what is warming up the recording shows the version that is not in use.
        if made_up || unequal || is_fallback {
            wanted.as_object_mut().map(|all| all.remove(&name));
            got.remove(&name);
        }
    }
    for cluster in wanted.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if let Some(fields) = cluster.as_object_mut() {
            fields.remove("state");
            fields.remove("typed_extension_protocol_options");
            tls_forms(fields);
            for endpoint in
                fields.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten()
            {
                endpoint.as_object_mut().map(|fields| fields.remove("health"));
            }
        }
    }
    sort_endpoints(&mut wanted);
    normal::differences("clusters", &normal::config(&wanted), &normal::config(&json!(got)), found);
}

/// Certificates are not compared: the recording names them, and no two have the same text.
fn tls_forms(fields: &mut serde_json::Map<String, Value>) {
    for name in ["transport_socket", "transport_socket_matches"] {
        if let Some(value) = fields.get_mut(name) {
            strip_certificates(value);
        }
    }
    if let Some(matches) = fields.get_mut("transport_socket_matches").and_then(Value::as_array_mut)
    {
        matches.sort_by_key(|it| it["name"].to_string());
    }
}

fn strip_certificates(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    "inline_string" => *value = json!("..."),
                    _ => strip_certificates(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_certificates),
        _ => {}
    }
}

/// A cluster the way the recording shows it.
fn recorded_form(cluster: &Cluster) -> Value {
    let mut form = envoy::cluster(cluster);
    let fields = form.as_object_mut().expect("an object");
    fields.remove("name");
    fields.remove("load_assignment");
    tls_forms(fields);
    let assignment = envoy::load_assignment(cluster);
    let metadata = |index: usize| {
        let endpoint = &assignment["endpoints"][0]["lb_endpoints"][index];
        endpoint["metadata"]["filter_metadata"].clone()
    };
    let endpoint = |(index, endpoint): (usize, &Endpoint)| {
        let pod = endpoint.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
        let mut form = json!({
            "pod": pod.unwrap_or_else(|| resolved(&endpoint.address)),
            "port": endpoint.port,
            "weight": endpoint.weight,
        });
        if !metadata(index).is_null() {
            form["metadata"] = metadata(index);
        }
        form
    };
    let endpoints: Vec<Value> = cluster.endpoints.iter().enumerate().map(endpoint).collect();
    form["endpoints"] = json!(endpoints);
    let mut form = json!({ "x": form });
    sort_endpoints(&mut form);
    form["x"].take()
}

/// What a name stands for; the recording shows what Envoy resolved it to.
fn resolved(address: &str) -> String {
    if address == "localhost" { "127.0.0.1".into() } else { address.into() }
}

fn sort_endpoints(clusters: &mut Value) {
    for cluster in clusters.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if let Some(endpoints) = cluster.get_mut("endpoints").and_then(Value::as_array_mut) {
            endpoints.sort_by_key(|endpoint| format!("{} {}", endpoint["pod"], endpoint["port"]));
        }
    }
}
