//! Brings two ways of writing the same thing into one form.

use serde_json::{Map, Value, json};

/// The field forms Gloo emits and the newer ones of Envoy become one; defaults are left out.
pub(crate) fn config(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut out = Map::new();
            for (key, value) in fields {
                let value = config(value);
                match key.as_str() {
                    // Numbers and names for people.
                    "google_re2" | "virtual_clusters" | "decorator" | "tracing" => {}
                    "cluster" => {
                        out.insert(key.clone(), json!(generated(&value)));
                    }
                    "exact_match" => {
                        out.insert("string_match".into(), json!({ "exact": value }));
                    }
                    "safe_regex_match" => {
                        out.insert("string_match".into(), json!({ "safe_regex": value }));
                    }
                    "numerator" if value == 0 => {}
                    _ => {
                        out.insert(key.clone(), value);
                    }
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(config).collect(),
        other => other.clone(),
    }
}

/// The clusters that Gloo makes up for the request's own host have a number at the end.
fn generated(name: &Value) -> Value {
    let dynamic = "solo_io_generated_dfp:";
    match name.as_str() {
        Some(text) if text.starts_with(dynamic) => json!(dynamic),
        _ => name.clone(),
    }
}

/// Where what came is not part of what was expected; what was expected may say more.
pub(crate) fn contradictions(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in got {
                let path = format!("{path}.{key}");
                contradictions(&path, expected.get(key).unwrap_or(&Value::Null), value, found);
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                contradictions(&format!("{path}[{index}]"), expected, got, found);
            }
        }
        _ => differences(path, expected, got, found),
    }
}

/// White space collapsed, and lists in brackets sorted: Gloo prints maps in any order.
pub(crate) fn reason(text: &str) -> String {
    let collapsed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    let mut rest = collapsed.as_str();
    while let Some((head, tail)) = rest.split_once('[') {
        let (list, tail) = tail.split_once(']').unwrap_or((tail, ""));
        let mut words: Vec<&str> = list.split(' ').collect();
        words.sort_unstable();
        out.push_str(&format!("{head}[{}]", words.join(" ")));
        rest = tail;
    }
    out.push_str(rest);
    out
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
