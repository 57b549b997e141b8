//! Rules between the keys of a mapping, in the words of JSON Schema. A key whose value is `null` counts as absent.

use serde_json::{Value, json};

/// Exactly one of these keys is there.
pub(super) fn exactly_one(keys: &[&str]) -> Value {
    keys.iter().map(|key| present(&[key])).collect()
}

/// These keys are there, all of them.
pub(super) fn present(keys: &[&str]) -> Value {
    let filled = keys.iter().map(|key| ((*key).to_owned(), json!({"not": {"type": "null"}})));
    json!({"required": keys, "properties": filled.collect::<Value>()})
}
