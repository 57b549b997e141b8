use serde_json::{Map, Value, json};

pub(super) const TYPE: &str = "type.googleapis.com/envoy";

/// A DiscoveryResponse with these resources.
pub(super) fn response(resources: Vec<Value>) -> Value {
    json!({ "resources": resources })
}

/// A resource of a given type.
pub(super) fn typed(name: &str, resource: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("@type".into(), json!(format!("{TYPE}.{name}")));
    if let Value::Object(rest) = resource {
        fields.extend(rest);
    }
    Value::Object(fields)
}

/// An object without its empty fields: `null`, `false`, `""`, `[]`, `{}`.
pub fn compact(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    Value::Object(fields.into_iter().filter(|(_, value)| !empty(value)).collect())
}
