//! Writes a translation down as Envoy's v3 configuration, for file-based xDS.
//!
//! Four kinds of files: listeners (LDS), routes (RDS), clusters (CDS), and endpoints (EDS), one file
//! per cluster because Envoy takes exactly one assignment from an EDS file. Each is a
//! DiscoveryResponse without a version. Replace a file by renaming another over it: Envoy watches for
//! that.

mod clusters;
mod listener;
mod route;
mod routes;

use serde_json::{Map, Value, json};

pub use clusters::{cluster, clusters, endpoints, load_assignment};
pub use listener::listeners;
pub use route::route;
pub use routes::{route_configuration, routes, virtual_host};

const TYPE: &str = "type.googleapis.com/envoy";

/// A DiscoveryResponse with these resources.
fn response(resources: Vec<Value>) -> Value {
    json!({ "resources": resources })
}

/// A resource of a given type.
fn typed(name: &str, resource: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("@type".into(), json!(format!("{TYPE}.{name}")));
    if let Value::Object(rest) = resource {
        fields.extend(rest);
    }
    Value::Object(fields)
}

/// An object without its empty fields: `null`, `false`, `""`, `[]`, `{}`.
fn compact(value: Value) -> Value {
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
