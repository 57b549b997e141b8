//! What lets routes lead to Services of other namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// A ReferenceGrant for each namespace whose Services routes of another lead to.
pub(super) fn grants(routes: &[Value]) -> Vec<Value> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in routes {
        let from = route["metadata"]["namespace"].as_str().unwrap_or_default();
        let rules = route.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
        for rule in rules {
            let backends = rule["backendRefs"].as_array().into_iter().flatten();
            let filters = rule["filters"].as_array().into_iter().flatten();
            let mirrors = filters.filter_map(|it| it.pointer("/requestMirror/backendRef"));
            let services = backends.chain(mirrors).filter(|it| it["kind"] == "Service");
            for to in services.filter_map(|it| it["namespace"].as_str()) {
                wanted.entry(to.to_owned()).or_default().insert(from.to_owned());
            }
        }
    }
    let grant = |(to, from): (String, BTreeSet<String>)| {
        let from: Vec<Value> = from
            .iter()
            .map(|namespace| {
                json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": namespace})
            })
            .collect();
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": {"namespace": to, "name": "from-gloo"},
            "spec": {"from": from, "to": [{"group": "", "kind": "Service"}]},
        })
    };
    wanted.into_iter().map(grant).collect()
}
