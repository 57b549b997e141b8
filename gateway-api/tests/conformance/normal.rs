//! Brings two ways of writing the same thing into one form.

use serde_json::{Map, Value, json};

/// Names of routes carry no meaning, and filters for tokens and origins are told by being there.
pub(crate) fn config(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                match key.as_str() {
                    "google_re2" => {}
                    "typed_per_filter_config" => {
                        let own = value.as_object().into_iter().flatten();
                        let own: Map<String, Value> =
                            own.map(|(name, value)| filter(name, value)).collect();
                        out.insert(key.clone(), Value::Object(own));
                    }
                    _ => drop(out.insert(key.clone(), config(value))),
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(config).collect(),
        other => other.clone(),
    }
}

fn filter(name: &str, value: &Value) -> (String, Value) {
    for known in ["jwt", "cors"] {
        if name.contains(known) {
            return (known.to_owned(), json!(true));
        }
    }
    (name.to_owned(), config(value))
}

/// Where two values differ, as paths with what was expected and what came.
pub(crate) fn differences(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                let path = format!("{path}.{key}");
                differences(&path, value, got.get(key).unwrap_or(&Value::Null), found);
            }
            for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                differences(&format!("{path}.{key}"), &Value::Null, value, found);
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            for index in 0..expected.len().max(got.len()) {
                let item = |list: &[Value]| list.get(index).cloned().unwrap_or_default();
                let path = format!("{path}[{index}]");
                differences(&path, &item(expected), &item(got), found);
            }
        }
        (expected, got) if expected != got => {
            found.push(format!("{path}: expected {expected}, got {got}"));
        }
        _ => {}
    }
}
