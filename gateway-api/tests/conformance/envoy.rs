//! Compares what Envoys are told.

use std::collections::{BTreeMap, BTreeSet};

use gateway_api::config::{Cluster, Endpoint, Locality};
use gateway_api::{ObjectRef, Profile, Translation, envoy};
use serde_json::{Map, Value, json};

use crate::normal;

/// Where refusals, listeners, virtual hosts and clusters differ.
pub(crate) fn differences(
    translation: &Translation,
    profile: Profile,
    expected: &Value,
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, wanted) in expected["gateways"].as_object().into_iter().flatten() {
        let gateway = ObjectRef::new("Gateway", "infra", name);
        refused(translation, &gateway, wanted, &mut found);
        listeners(translation, &gateway, &wanted["listeners"], &mut found);
        routes(translation, profile, &gateway, &wanted["route_configurations"], &mut found);
        clusters(translation, &gateway, &wanted["clusters"], &mut found);
    }
    found
}

fn refused(
    translation: &Translation,
    gateway: &ObjectRef,
    wanted: &Value,
    found: &mut Vec<String>,
) {
    let wanted = wanted["refused"].as_object().into_iter().flatten();
    let wanted: BTreeSet<&str> = wanted.map(|(kind, _)| kind.as_str()).collect();
    let own = translation.refused.iter().filter(|it| *it.gateway == *gateway);
    let got: BTreeSet<&str> = own.map(|refused| refused.kind).collect();
    if wanted != got {
        found
            .push(format!("{gateway} refused: expected {wanted:?}, got {:?}", translation.refused));
    }
}

fn listeners(
    translation: &Translation,
    gateway: &ObjectRef,
    wanted: &Value,
    found: &mut Vec<String>,
) {
    let chain = |it: &gateway_api::config::Chain| json!({ "server_names": it.server_names, "tls": it.tls, "route_configuration": it.routes });
    let own = translation.listeners.iter().filter(|it| *it.gateway == *gateway);
    let got: Map<String, Value> = own
        .map(|it| {
            let chains: Vec<Value> = it.chains.iter().map(chain).collect();
            (it.name.clone(), json!({ "port": it.port, "chains": chains }))
        })
        .collect();
    let recorded_chain = |it: &Value| {
        let names = it["match"].get("server_names").cloned().unwrap_or_else(|| json!([]));
        let (tls, routes) = (!it["tls"].is_null(), &it["route_configuration"]);
        json!({ "server_names": names, "tls": tls, "route_configuration": routes })
    };
    let wanted: Map<String, Value> = wanted
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, it)| {
            let chains = it["filter_chains"].as_array().into_iter().flatten();
            let chains: Vec<Value> = chains.map(recorded_chain).collect();
            (name.clone(), json!({ "port": it["port"], "chains": chains }))
        })
        .collect();
    normal::differences(&format!("{gateway} listeners"), &json!(wanted), &json!(got), found);
}

fn routes(
    translation: &Translation,
    profile: Profile,
    gateway: &ObjectRef,
    wanted: &Value,
    found: &mut Vec<String>,
) {
    let own = translation.routes.iter().filter(|it| *it.gateway == *gateway);
    let mut got: BTreeMap<String, Value> = own
        .map(|it| {
            let hosts = it.virtual_hosts.iter();
            let hosts: Vec<Value> =
                hosts.map(|host| without_names(&envoy::virtual_host(host, profile))).collect();
            (it.name.clone(), json!(hosts))
        })
        .collect();
    for (name, hosts) in wanted.as_object().into_iter().flatten() {
        let hosts = hosts.as_array().into_iter().flatten().map(without_names);
        let wanted: Value = hosts.collect();
        let got = got.remove(name).unwrap_or_default();
        normal::differences(&format!("{gateway} {name}"), &wanted, &got, found);
    }
    for (name, _) in got {
        found.push(format!("{gateway} {name}: no such route configuration was recorded"));
    }
}

fn without_names(host: &Value) -> Value {
    let mut host = normal::config(host);
    for route in host["routes"].as_array_mut().into_iter().flatten() {
        route.as_object_mut().map(|fields| fields.remove("name"));
    }
    host
}

/// A cluster that is named twice with two ports of a pod has an entry for each; the order does not count.
fn clusters(
    translation: &Translation,
    gateway: &ObjectRef,
    wanted: &Value,
    found: &mut Vec<String>,
) {
    for (name, wanted) in wanted.as_object().into_iter().flatten() {
        let got = translation.cluster(gateway, name).map(recorded_form).unwrap_or_default();
        normal::differences(
            &format!("{gateway} cluster {name}"),
            &sorted(wanted),
            &sorted(&got),
            found,
        );
    }
}

fn recorded_form(cluster: &Cluster) -> Value {
    let endpoint = |it: &Endpoint| {
        let pod = it.pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.name));
        let mut form = json!({ "pod": pod, "port": it.port });
        if it.draining {
            form["health"] = json!("UNHEALTHY");
        }
        form
    };
    let locality = |it: &Locality| {
        let endpoints: Vec<Value> = it.endpoints.iter().map(endpoint).collect();
        let mut form = json!({ "endpoints": endpoints });
        if let Some(weight) = it.weight.filter(|weight| *weight != 1) {
            form["weight"] = json!(weight);
        }
        form
    };
    json!({ "localities": cluster.localities.iter().map(locality).collect::<Vec<_>>() })
}

fn sorted(cluster: &Value) -> Value {
    let mut cluster = cluster.clone();
    if let Some(localities) = cluster["localities"].as_array_mut() {
        for locality in localities.iter_mut() {
            if let Some(endpoints) = locality["endpoints"].as_array_mut() {
                // Envoy shows what it is told to drain as unhealthy; either word says that it gets nothing.
                for endpoint in endpoints.iter_mut().filter(|it| it["health"] == "DRAINING") {
                    endpoint["health"] = json!("UNHEALTHY");
                }
                endpoints.sort_by_key(|it| (it["pod"].to_string(), it["port"].as_u64()));
            }
        }
    }
    cluster
}
