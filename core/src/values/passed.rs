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
    /// Options of routes or a part of an Upstream's spec.
    Gloo,
    /// A whole object of any kind.
    Object,
}

/// Mappings whose values are text, whatever stands in them.
const TEXT_MAPPINGS: [&str; 5] =
    ["annotations", "contextExtensions", "labels", "matchLabels", "nodeSelector"];

/// Lists whose items are text.
const TEXT_LISTS: [&str; 12] = [
    "add",
    "allowHeaders",
    "allowOrigin",
    "args",
    "command",
    "drop",
    "hostnames",
    "nameservers",
    "requestHeadersToRemove",
    "responseHeadersToRemove",
    "searches",
    "values",
];

/// Fields that are text wherever they stand in a Deployment, in route options or in an Upstream's spec.
const TEXT_FIELDS: [&str; 30] = [
    "claimName",
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
    "prefixRewrite",
    "priorityClassName",
    "role",
    "runtimeClassName",
    "schedulerName",
    "secretName",
    "serviceAccount",
    "serviceAccountName",
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
        Passed::Workload | Passed::Gloo => below(node, passed, None),
        Passed::Object => object(node),
    }
}

/// A node that stands under a key.
fn below(node: &Node, passed: Passed, key: Option<&str>) -> Value {
    let is = |keys: &[&str]| key.is_some_and(|key| keys.contains(&key));
    match &node.data {
        Data::Scalar { text, .. } => scalar(node, text, passed, is(&TEXT_FIELDS)),
        Data::Sequence(items) => {
            let item = |item: &Node| match &item.data {
                Data::Scalar { text, .. } => scalar(item, text, passed, is(&TEXT_LISTS)),
                _ => below(item, passed, None),
            };
            items.iter().map(|it| item(it)).collect()
        }
        Data::Mapping(_) if is(&TEXT_MAPPINGS) => texts(node),
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

/// A whole object. What stands in its spec is known for the kinds that run pods alone.
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
    let value = |key: &str, node: &Node| match (key, kind) {
        ("metadata", _) => below(node, Passed::Workload, Some(key)),
        ("spec", _) if runs_pods => below(node, Passed::Workload, Some(key)),
        ("data", Some("ConfigMap")) | ("stringData", Some("Secret")) if group == Some("") => {
            texts(node)
        }
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
        // In a schema `labels` is a property, and `maxProperties` a number.
        let definition = "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
                          spec: {labels: {maxProperties: 5, multipleOf: 1.50}}}";
        let definition = read(definition, Passed::Object);
        assert_eq!(definition["spec"]["labels"], json!({"maxProperties": 5, "multipleOf": 1.5}));
    }
}
