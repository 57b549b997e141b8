use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::{GatewaySpec, RouteTableSpec, SettingsSpec, UpstreamSpec, VirtualServiceSpec};

/// The CustomResourceDefinitions of the kinds in scope, from the types of this crate.
///
/// Structural and pruning like Gloo's own; `options` are open, and so is `status`, which is no
/// subresource: spec and status travel in one request.
pub fn crds() -> Vec<Value> {
    vec![
        crd::<UpstreamSpec>("gloo.solo.io", "Upstream", "upstreams", &["us", "gus"]),
        crd::<SettingsSpec>("gloo.solo.io", "Settings", "settings", &["st", "gst"]),
        crd::<VirtualServiceSpec>(
            "gateway.solo.io",
            "VirtualService",
            "virtualservices",
            &["vs", "gvs"],
        ),
        crd::<RouteTableSpec>("gateway.solo.io", "RouteTable", "routetables", &["rt", "grt"]),
        crd::<GatewaySpec>("gateway.solo.io", "Gateway", "gateways", &["gw", "ggw"]),
    ]
}

fn crd<S: JsonSchema>(group: &str, kind: &str, plural: &str, short: &[&str]) -> Value {
    let mut settings = SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    let schema: Schema = settings.into_generator().into_root_schema_for::<S>();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.{group}") },
        "spec": {
            "group": group,
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_lowercase(),
                "shortNames": short,
                "categories": ["gloo-gateway"],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": { "spec": structural(schema.to_value()), "status": status() },
                } },
            }],
        },
    })
}

/// Gloo's status: anything below `statuses`.
fn status() -> Value {
    json!({
        "type": "object",
        "default": {},
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": { "statuses": {
            "type": "object",
            "default": {},
            "x-kubernetes-preserve-unknown-fields": true,
        } },
    })
}

/// Reduces a generated schema to what the API server takes as structural. Numbers may be `null`, as
/// in Gloo's own definitions; nothing else may. Defaults are left to Gloo.
fn structural(schema: Value) -> Value {
    let Value::Object(mut fields) = schema else { return schema };
    let range = match fields.get("format").and_then(Value::as_str) {
        Some("uint32") => Some((json!(0), json!(u32::MAX))),
        Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
        _ => None,
    };
    for noise in ["$schema", "title", "default", "required", "format", "nullable"] {
        fields.remove(noise);
    }
    let mut out = Map::new();
    for (key, value) in fields {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let properties = properties.into_iter();
                Value::Object(properties.map(|(name, schema)| (name, structural(schema))).collect())
            }
            ("items" | "additionalProperties", schema) => structural(schema),
            (_, value) => value,
        };
        out.insert(key, value);
    }
    if matches!(out.get("type").and_then(Value::as_str), Some("integer" | "number")) {
        out.insert("nullable".into(), Value::Bool(true));
    }
    if let Some((minimum, maximum)) = range {
        out.insert("minimum".into(), minimum);
        out.insert("maximum".into(), maximum);
    }
    Value::Object(out)
}
