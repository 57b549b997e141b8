//! From an object as the API server has it to what routing looks at.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Snapshot;
use crate::api::decode;

impl Snapshot {
    /// What routing reads of an object beside its labels and its `spec`: two objects that have these alike mean the
    /// same. Null for most.
    pub fn beside_spec(object: &Value) -> Value {
        match object["kind"] == "Gateway" {
            true => json!([isolated(object), rejections(object)]),
            false => Value::Null,
        }
    }
}

pub(super) fn spec<S: DeserializeOwned + Default>(object: &Value) -> Result<S, String> {
    match object.get("spec") {
        None | Some(Value::Null) => Ok(S::default()),
        Some(spec) => decode(spec).map_err(|e| e.to_string()),
    }
}

/// What a Gateway says in its annotations about its route configurations.
pub(super) fn isolated(gateway: &Value) -> Option<bool> {
    match gateway["metadata"]["annotations"][Snapshot::ISOLATED].as_str()? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The part of `metadata` that routing looks at.
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
}

/// Metadata as far as it can be read; labels that are no strings are left out.
pub(super) fn metadata(object: &Value) -> Metadata {
    let field = |name: &str| {
        let text = object.get("metadata").and_then(|m| m.get(name)).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let labels = object.get("metadata").and_then(|m| m.get("labels")).and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    Metadata {
        name: field("name"),
        namespace: field("namespace"),
        labels: labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
    }
}

/// Part of a Kubernetes object; empty where it is absent or unreadable.
pub(super) fn part<T: DeserializeOwned + Default>(object: &Value, name: &str) -> T {
    object.get(name).and_then(|part| decode(part).ok()).unwrap_or_default()
}

/// By the namespace of a Gloo why it rejects the object, on one line.
pub(super) fn rejections(object: &Value) -> BTreeMap<String, String> {
    let statuses = object.pointer("/status/statuses").and_then(Value::as_object);
    let rejected = statuses.into_iter().flatten().filter(|(_, it)| {
        // Older versions of Gloo write the number.
        it["state"] == "Rejected" || it["state"] == 2
    });
    let reason = |status: &Value| {
        let reason = status["reason"].as_str().unwrap_or_default();
        reason.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    rejected.map(|(gloo, status)| (gloo.clone(), reason(status))).collect()
}
