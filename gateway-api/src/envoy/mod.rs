//! Writes down as Envoy's v3 configuration what Envoys are told, with the fields that implementations fill in.

mod route;

use serde_json::{Map, Value, json};

use self::route::route;
use crate::config::VirtualHost;
use crate::environment::Profile;

/// A virtual host, with its routes.
pub fn virtual_host(host: &VirtualHost, profile: Profile) -> Value {
    let routes: Vec<Value> = host.routes.iter().map(|it| route(it, profile)).collect();
    compact(json!({
        "name": host.name,
        "domains": host.domains,
        "require_tls": host.require_tls.then_some("ALL"),
        "routes": routes,
    }))
}

/// An object without its empty fields: `null`, `false`, `""`, `[]`, `{}`.
fn compact(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    };
    let kept = fields.into_iter().filter(|(_, value)| !empty(value));
    Value::Object(kept.collect::<Map<String, Value>>())
}
