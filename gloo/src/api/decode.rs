use serde::de::DeserializeOwned;
use serde_json::Value;

/// Decodes an object, or a part of one, as Gloo does: `null` is the same as absent.
///
/// # Errors
/// When Gloo could not decode it either (gloo-conformance case 13-undecodable).
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(without_nulls(value))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, v)| !v.is_null());
            Value::Object(kept.map(|(k, v)| (k.clone(), without_nulls(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
