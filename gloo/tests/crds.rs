//! The checked-in CustomResourceDefinitions are those of the types.

use std::path::Path;

use serde_json::Value;

/// Block YAML of plain JSON values; strings are quoted as JSON does where they need it.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                out.push_str(&format!("{}{key}:", " ".repeat(indent)));
                nested(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut block = String::new();
                yaml(item, indent + 2, &mut block);
                out.push_str(&format!("{}- {}", " ".repeat(indent), block.trim_start()));
            }
        }
        scalar => out.push_str(&format!("{}{scalar}\n", " ".repeat(indent))),
    }
}

fn nested(value: &Value, indent: usize, out: &mut String) {
    let empty = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    };
    if empty {
        out.push_str(&format!(" {value}\n"));
    } else {
        out.push('\n');
        yaml(value, indent, out);
    }
}

fn text(crd: &Value) -> String {
    let mut text = String::from(
        "# Made from the types of the gloo crate: UPDATE=1 cargo test -p gloo --test crds\n",
    );
    yaml(crd, 0, &mut text);
    text
}

#[test]
fn the_checked_in_definitions_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut stale = Vec::new();
    for (crd, checked_in) in gloo::crds().iter().zip(gloo::CRDS) {
        let name = crd["metadata"]["name"].as_str().expect("a name");
        let path = folder.join(format!("{name}.yaml"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, text(crd)).expect("write the definition");
        } else if text(crd) != *checked_in {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "stale, run `UPDATE=1 cargo test -p gloo --test crds`: {stale:?}");
}

#[test]
fn the_definitions_are_written_as_yaml() {
    for crd in gloo::crds() {
        let read: Value = serde_yaml::from_str(&text(&crd)).expect("YAML");
        assert_eq!(read, crd);
    }
}

/// What the API server asks of a structural schema: a type everywhere, no references, no choices.
fn structural(path: &str, schema: &Value) {
    let fields = schema.as_object().unwrap_or_else(|| panic!("{path} is no schema: {schema}"));
    assert!(fields.contains_key("type"), "{path} has no type");
    for forbidden in ["$ref", "oneOf", "anyOf", "allOf", "not", "$defs", "definitions", "const"] {
        assert!(!fields.contains_key(forbidden), "{path} has {forbidden}");
    }
    for (name, property) in
        fields.get("properties").and_then(Value::as_object).into_iter().flatten()
    {
        structural(&format!("{path}.{name}"), property);
    }
    for part in ["items", "additionalProperties"] {
        if let Some(part_schema) = fields.get(part) {
            structural(&format!("{path}.{part}"), part_schema);
        }
    }
    let list = schema["type"] == "array";
    assert_eq!(list, fields.contains_key("items"), "{path}: items and type array belong together");
}

#[test]
fn the_definitions_are_structural() {
    for crd in gloo::crds() {
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind");
        structural(kind, &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
    }
}

#[test]
fn options_are_open_and_all_else_is_pruned() {
    let crds = gloo::crds();
    let table =
        crds.iter().find(|c| c["spec"]["names"]["kind"] == "RouteTable").expect("RouteTable");
    let spec = &table["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let route = &spec["properties"]["routes"]["items"];
    let open = "x-kubernetes-preserve-unknown-fields";
    assert_eq!(route["properties"]["options"][open], true);
    assert_eq!(route.get(open), None);
    assert_eq!(spec.get(open), None);
    let weight = &route["properties"]["routeAction"]["properties"]["multi"]["properties"]["destinations"]
        ["items"]["properties"]["weight"];
    assert_eq!(weight["type"], "integer");
    assert_eq!(weight["nullable"], true);
    assert_eq!((&weight["minimum"], &weight["maximum"]), (&0.into(), &u32::MAX.into()));
}
