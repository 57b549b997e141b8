//! Compares a translation with what was recorded.

use gloo::config::{Cluster, Endpoint};
use gloo::{Finding, ObjectRef, Severity, State, Translation, envoy};
use serde_json::{Value, json};

use crate::normal;

/// What was recorded in one step.
pub(crate) struct Expected<'a>(pub(crate) &'a Value);

/// Where listener, statuses, virtual hosts and clusters differ.
pub(crate) fn translation(translation: &Translation, expected: &Expected<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let listener = if translation.listener.is_some() { "present" } else { "absent" };
    normal::differences("listener", &expected.0["listener"], &json!(listener), &mut found);
    if translation.refused.is_some() != expected.0.get("envoy_out_of_date").is_some() {
        found.push(format!(
            "envoy_out_of_date: expected {}, got {:?}",
            expected.0["envoy_out_of_date"], translation.refused
        ));
    }
    statuses(translation, expected, &mut found);
    let hosts: Vec<Value> =
        translation.virtual_hosts.iter().map(|host| envoy::virtual_host(host)).collect();
    let (wanted, got) =
        (normal::config(&expected.0["virtual_hosts"]), normal::config(&json!(hosts)));
    normal::differences("virtual_hosts", &wanted, &got, &mut found);
    clusters(translation, expected, &mut found);
    found
}

/// State and reason on the objects; the verdict on the proxy is often stale in the recording.
fn statuses(translation: &Translation, expected: &Expected<'_>, found: &mut Vec<String>) {
    for (name, wanted) in expected.0["statuses"].as_object().into_iter().flatten() {
        let (kind, rest) = name.split_once(' ').expect("kind and name");
        let (namespace, object) = rest.split_once('/').expect("namespace/name");
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
                Severity::RouteError | Severity::Rejected | Severity::Refused => State::Rejected,
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
}

fn clusters(translation: &Translation, expected: &Expected<'_>, found: &mut Vec<String>) {
    let mut wanted = expected.0["clusters"].clone();
    for cluster in wanted.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        if let Some(fields) = cluster.as_object_mut() {
            fields.remove("state");
            for endpoint in
                fields.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten()
            {
                endpoint.as_object_mut().map(|fields| fields.remove("health"));
            }
        }
    }
    let mut got: serde_json::Map<String, Value> = translation
        .clusters
        .iter()
        .map(|cluster| (cluster.name.clone(), recorded_form(cluster)))
        .collect();
    if translation.replacement.is_some() {
        let name = gloo::config::CLUSTER_FALLBACK;
        got.insert(name.into(), wanted[name].clone());
    }
    sort_endpoints(&mut wanted);
    normal::differences("clusters", &normal::config(&wanted), &normal::config(&json!(got)), found);
}

/// A cluster the way the recording shows it.
fn recorded_form(cluster: &Cluster) -> Value {
    let mut form = envoy::cluster(cluster);
    let fields = form.as_object_mut().expect("an object");
    fields.remove("name");
    fields.remove("load_assignment");
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
