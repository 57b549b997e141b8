//! Objects that values which are passed through name.

use serde_json::Value;

/// An object that is named by namespace and name, and the keys that lead to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) keys: Vec<String>,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// All objects that are named in the value, as Gloo's references are: by a `namespace`, whatever they are called, or by
/// a name alone below a key that is called like a reference or an Upstream.
pub(super) fn of(value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    add(value, &mut Vec::new(), &mut found);
    found
}

// A file nests no deeper than 64 levels.
fn add(value: &Value, keys: &mut Vec<String>, found: &mut Vec<Reference>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            let called = keys.last().map(|key| key.to_ascii_lowercase()).unwrap_or_default();
            let is_reference = called.ends_with("ref") || called.ends_with("upstream");
            if map.contains_key("namespace") || (is_reference && map.contains_key("name")) {
                let text = |key: &str| match map.get(key) {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                found.push(Reference {
                    keys: keys.clone(),
                    namespace: text("namespace"),
                    name: text("name"),
                });
            }
            map.iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in below {
        keys.push(key);
        add(value, keys, found);
        keys.pop();
    }
}
