//! What is passed through to Kubernetes and Gloo, as JSON.
//!
//! A plain scalar that looks like a number is one to YAML, and a commit such as `72225e2` becomes 7222500.0 that
//! way. Where Kubernetes or Gloo takes text, it stays the text that is written.

use serde_json::Value;

use super::node::{Data, Node, Scalar};

/// What is passed through, by which it is known where text is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// A part of a Deployment or of its pods.
    Workload,
    /// Options of routes, a part of an Upstream's spec, or the spec of an object of Gloo's.
    Gloo,
    /// A part of an object of Kubernetes' own that runs no pods.
    Kubernetes,
    /// A whole object of any kind.
    Object,
}

/// Mappings whose values are text, whatever stands in them.
const TEXT_MAPPINGS: [&str; 5] =
    ["annotations", "contextExtensions", "labels", "matchLabels", "nodeSelector"];

/// Mappings whose values are text where no value is a mapping or a list itself: the labels that a Service or an
/// Upstream selects, a subset of an Upstream, what a StorageClass is told.
const FLAT_MAPPINGS: [&str; 4] = ["parameters", "selector", "values", "volumeAttributes"];

/// Lists whose items are text.
const TEXT_LISTS: [&str; 14] = [
    "add",
    "allowHeaders",
    "allowOrigin",
    "args",
    "command",
    "domains",
    "drop",
    "hostnames",
    "nameservers",
    "requestHeadersToRemove",
    "resourceNames",
    "responseHeadersToRemove",
    "searches",
    "values",
];

/// Fields that are text wherever they stand in a Deployment, in route options or in an Upstream's spec.
const TEXT_FIELDS: [&str; 37] = [
    "addr",
    "body",
    "claimName",
    "exact",
    "expression",
    "fieldPath",
    "host",
    "hostRewrite",
    "hostname",
    "image",
    "key",
    "mountPath",
    "name",
    "namespace",
    "nodeName",
    "operator",
    "path",
    "prefix",
    "prefixRewrite",
    "priorityClassName",
    "role",
    "runtimeClassName",
    "schedulerName",
    "secretName",
    "serviceAccount",
    "serviceAccountName",
    "serviceName",
    "serviceNamespace",
    "subPath",
    "subdomain",
    "substitution",
    "text",
    "topologyKey",
    "user",
    "value",
    "volumeName",
    "workingDir",
];

/// A node as JSON.
pub(super) fn json(node: &Node, passed: Passed) -> Value {
    match passed {
        Passed::Workload | Passed::Gloo | Passed::Kubernetes => below(node, passed, None),
        Passed::Object => object(node),
    }
}

/// A node that stands under a key.
fn below(node: &Node, passed: Passed, key: Option<&str>) -> Value {
    let is = |keys: &[&str]| key.is_some_and(|key| keys.contains(&key));
    // Of a PriorityClass it is a number.
    let is_value = passed == Passed::Kubernetes && key == Some("value");
    match &node.data {
        Data::Scalar { text, .. } => scalar(node, text, passed, is(&TEXT_FIELDS) && !is_value),
        Data::Sequence(items) => {
            let item = |item: &Node| match &item.data {
                Data::Scalar { text, .. } => scalar(item, text, passed, is(&TEXT_LISTS)),
                _ => below(item, passed, None),
            };
            items.iter().map(|it| item(it)).collect()
        }
        Data::Mapping(_) if is(&TEXT_MAPPINGS) => texts(node),
        Data::Mapping(entries)
            if is(&FLAT_MAPPINGS) && entries.iter().all(|(_, it)| it.scalar().is_some()) =>
        {
            texts(node)
        }
        Data::Mapping(entries) => entries
            .iter()
            .map(|(key, node)| (key.name.clone(), below(node, passed, Some(&key.name))))
            .collect(),
    }
}

/// A scalar. Where nothing is known of the place a number stays one, but for two that nobody can mean: no
/// field of a Deployment takes a fraction, so one that JSON would write in another way (`1.10`) is text, and so
/// is a number in powers of ten without a point (`72225e2`) in both.
fn scalar(node: &Node, text: &str, passed: Passed, is_text: bool) -> Value {
    match node.scalar() {
        Some(Scalar::Number(number)) if !is_text => {
            let is_rewritten = number.is_f64() && number.to_string() != text;
            let is_power = !text.contains('.');
            match is_rewritten && (is_power || passed == Passed::Workload) {
                true => text.into(),
                false => number.into(),
            }
        }
        Some(Scalar::Number(_) | Scalar::Bool(_)) if is_text => text.into(),
        _ => node.to_json(),
    }
}

/// A mapping whose values are text; `null` stays what it is.
fn texts(node: &Node) -> Value {
    let Data::Mapping(entries) = &node.data else { return node.to_json() };
    let text = |node: &Node| match &node.data {
        Data::Scalar { text, .. } => scalar(node, text, Passed::Workload, true),
        _ => node.to_json(),
    };
    entries.iter().map(|(key, node)| (key.name.clone(), text(node))).collect()
}

/// A whole object. What stands in it is known for the kinds of Kubernetes and of Gloo; in a definition of a kind any
/// key may be a property.
fn object(node: &Node) -> Value {
    let Data::Mapping(entries) = &node.data else { return node.to_json() };
    let kind = node.get("kind").and_then(|kind| match kind.scalar() {
        Some(Scalar::Text(kind)) => Some(kind),
        _ => None,
    });
    let group = node.get("apiVersion").and_then(|version| match version.scalar() {
        Some(Scalar::Text(version)) => Some(version.split_once('/').map_or("", |(group, _)| group)),
        _ => None,
    });
    let runs_pods = matches!(
        (group, kind),
        (Some("apps"), _) | (Some("batch"), Some("Job" | "CronJob")) | (Some(""), Some("Pod"))
    );
    let is_gloo = group.is_some_and(|it| it == "solo.io" || it.ends_with(".solo.io"));
    let is_kubernetes = group.is_some_and(|it| {
        !it.contains('.') || it.ends_with(".k8s.io") && it != "apiextensions.k8s.io"
    });
    let value = |key: &str, node: &Node| match (key, kind) {
        ("metadata", _) => below(node, Passed::Workload, Some(key)),
        ("spec", _) if runs_pods => below(node, Passed::Workload, Some(key)),
        ("spec", _) if is_gloo => below(node, Passed::Gloo, Some(key)),
        ("data" | "binaryData", Some("ConfigMap")) | ("data" | "stringData", Some("Secret"))
            if group == Some("") =>
        {
            texts(node)
        }
        _ if is_kubernetes => below(node, Passed::Kubernetes, Some(key)),
        _ => node.to_json(),
    };
    entries.iter().map(|(key, node)| (key.name.clone(), value(&key.name, node))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::yaml;

    fn read(text: &str, passed: Passed) -> Value {
        let (documents, problems) = yaml::documents(&"a.yaml".into(), text.as_bytes()).unwrap();
        assert_eq!(problems, []);
        json(&documents[0], passed)
    }

    #[test]
    fn what_is_text_to_kubernetes_stays_text_in_a_workload() {
        let found = read(
            "metadata: {labels: {commit: 72225e2, gone: null, on: on, yes: true}}\n\
             spec:\n  replicas: 3\n  minReadySeconds: 0x1f\n  template:\n    spec:\n      \
             nodeSelector: {gpu: true, zone: 1.10}\n      \
             tolerations: [{key: 1e3, value: true, tolerationSeconds: 30}]\n      \
             containers: [{name: a, image: 12, args: [8080, 1.10, -v], command: [010], \
             env: [{name: B, value: 0x1f}], ports: [{containerPort: 80}], \
             resources: {limits: {cpu: 1, memory: 1e3}}, tty: true}]\n",
            Passed::Workload,
        );
        assert_eq!(
            found,
            json!({
                "metadata": {"labels": {"commit": "72225e2", "gone": null, "on": "on", "yes": "true"}},
                "spec": {"replicas": 3, "minReadySeconds": 31, "template": {"spec": {
                    "nodeSelector": {"gpu": "true", "zone": "1.10"},
                    "tolerations": [{"key": "1e3", "value": "true", "tolerationSeconds": 30}],
                    "containers": [{"name": "a", "image": "12", "args": ["8080", "1.10", "-v"],
                        "command": ["010"], "env": [{"name": "B", "value": "0x1f"}],
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": 1, "memory": "1e3"}}, "tty": true}],
                }}},
            })
        );
    }

    #[test]
    fn a_fraction_in_a_workload_is_what_is_written() {
        let found = read(
            "{a: 1.10, b: 72225e2, c: 0.5, d: 1.0, e: 7, f: 12345678901234567890123}",
            Passed::Workload,
        );
        let expected = json!({"a": "1.10", "b": "72225e2", "c": 0.5, "d": 1.0, "e": 7,
            "f": "12345678901234567890123"});
        assert_eq!(found, expected);
    }

    #[test]
    fn options_of_gloo_keep_their_numbers_and_their_texts() {
        let found = read(
            "{faults: {abort: {percentage: 12.50, httpStatus: 503}}, retries: {numRetries: 3}, hostRewrite: 1.10, \
             headerManipulation: {requestHeadersToAdd: [{header: {key: x-commit, value: 72225e2}, append: false}]}, \
             other: 72225e2}",
            Passed::Gloo,
        );
        let header = json!({"header": {"key": "x-commit", "value": "72225e2"}, "append": false});
        let expected = json!({"faults": {"abort": {"percentage": 12.5, "httpStatus": 503}},
            "retries": {"numRetries": 3}, "hostRewrite": "1.10", "other": "72225e2",
            "headerManipulation": {"requestHeadersToAdd": [header]}});
        assert_eq!(found, expected);
    }

    #[test]
    fn an_object_has_text_where_every_kind_has_and_in_what_runs_pods() {
        let map = read(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: 12, generation: 3, labels: {a: 1.10}}, data: {v: 1e3, t: true}}",
            Passed::Object,
        );
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"v": "1e3", "t": "true"},
            "metadata": {"name": "12", "generation": 3, "labels": {"a": "1.10"}}});
        assert_eq!(map, expected);
        let set = read(
            "{apiVersion: apps/v1, kind: DaemonSet, spec: {template: {metadata: {labels: {a: 72225e2}}}}}",
            Passed::Object,
        );
        assert_eq!(set["spec"]["template"]["metadata"]["labels"]["a"], "72225e2");
        let object = |api_version: &str, kind: &str, rest: &str| {
            read(&format!("{{apiVersion: {api_version}, kind: {kind}, {rest}}}"), Passed::Object)
        };
        let service = object(
            "v1",
            "Service",
            "spec: {selector: {version: 72225e2, a: true}, ports: [{port: 80, name: 1}]}",
        );
        let ports = json!([{"port": 80, "name": "1"}]);
        assert_eq!(
            service["spec"],
            json!({"selector": {"version": "72225e2", "a": "true"}, "ports": ports})
        );
        let policy = object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "spec: {podSelector: {matchLabels: {version: 1.10}}, ingress: [{ports: [{port: 80}]}]}",
        );
        assert_eq!(
            policy["spec"],
            json!({"podSelector": {"matchLabels": {"version": "1.10"}}, "ingress": [{"ports": [{"port": 80}]}]})
        );
        let secret = object("v1", "Secret", "data: {k: 1234}, stringData: {v: 1e3}");
        assert_eq!(
            (&secret["data"]["k"], &secret["stringData"]["v"]),
            (&json!("1234"), &json!("1e3"))
        );
        let class =
            object("scheduling.k8s.io/v1", "PriorityClass", "value: 1000, globalDefault: false");
        assert_eq!((&class["value"], &class["globalDefault"]), (&json!(1000), &json!(false)));
        let quota = object("v1", "ResourceQuota", "spec: {hard: {pods: 10, requests.cpu: 1}}");
        assert_eq!(quota["spec"], json!({"hard": {"pods": 10, "requests.cpu": 1}}));
        let storage =
            object("storage.k8s.io/v1", "StorageClass", "parameters: {iops: 50, encrypted: true}");
        assert_eq!(storage["parameters"], json!({"iops": "50", "encrypted": "true"}));
        let host = object(
            "gateway.solo.io/v1",
            "VirtualService",
            "spec: {virtualHost: {domains: [1.10], routes: [{matchers: [{prefix: /, headers: [{name: x, value: 1.10, regex: true}]}], \
             routeAction: {single: {subset: {values: {version: 72225e2}}}}, options: {timeout: 5s}}]}}",
        );
        assert_eq!(
            host["spec"]["virtualHost"],
            json!({"domains": ["1.10"], "routes": [{
                "matchers": [{"prefix": "/", "headers": [{"name": "x", "value": "1.10", "regex": true}]}],
                "routeAction": {"single": {"subset": {"values": {"version": "72225e2"}}}},
                "options": {"timeout": "5s"}}]})
        );
        let upstream = object(
            "gloo.solo.io/v1",
            "Upstream",
            "spec: {kube: {serviceName: 1e3, servicePort: 80, selector: {a: 1.0}}}",
        );
        assert_eq!(
            upstream["spec"]["kube"],
            json!({"serviceName": "1e3", "servicePort": 80, "selector": {"a": "1.0"}})
        );
        // Of others' kinds nobody knows.
        let other = object("example.org/v1", "Widget", "spec: {selector: {a: 1}, value: 2}");
        assert_eq!(other["spec"], json!({"selector": {"a": 1}, "value": 2}));
        // In a schema `labels` is a property, and `maxProperties` a number.
        let definition = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
                          spec: {labels: {maxProperties: 5, multipleOf: 1.50}}}";
        let definition = read(definition, Passed::Object);
        assert_eq!(definition["spec"]["labels"], json!({"maxProperties": 5, "multipleOf": 1.5}));
    }
}
