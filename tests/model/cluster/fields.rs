//! Who manages which field: server-side apply as far as coalmine meets it. Every list is one field,
//! as in the schemas of Gloo.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Where a field is, by the names that lead to it.
pub(crate) type Path = Vec<String>;

/// What one manager has written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) operation: &'static str,
    pub(crate) fields: BTreeSet<Path>,
    /// Seconds.
    pub(crate) time: i64,
}

/// All fields of an object but those that name it and those that the API server keeps itself.
pub(crate) fn of(object: &Value) -> BTreeSet<Path> {
    const KEPT: [&str; 9] = [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "ownerReferences",
        "managedFields",
    ];
    let mut found = BTreeSet::new();
    collect(object, &mut Vec::new(), &mut found);
    found.retain(|path| {
        let inside = |depth: usize| path.get(depth).map(String::as_str).unwrap_or_default();
        !(matches!(inside(0), "apiVersion" | "kind")
            || inside(0) == "metadata" && KEPT.contains(&inside(1)))
    });
    found
}

fn collect(value: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, below) in fields {
                path.push(name.clone());
                collect(below, path, found);
                path.pop();
            }
        }
        _ => drop(found.insert(path.clone())),
    }
}

pub(crate) fn get<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

pub(crate) fn set(object: &mut Value, path: &[String], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut place = object;
    for name in above {
        if !place[name].is_object() {
            place[name] = json!({});
        }
        place = &mut place[name];
    }
    place[last] = value;
}

/// Takes a field out, and the maps around it that are empty then.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    let Some((first, below)) = path.split_first() else { return };
    let Some(fields) = object.as_object_mut() else { return };
    if below.is_empty() {
        fields.remove(first);
    } else if let Some(child) = fields.get_mut(first) {
        remove(child, below);
        if child.as_object().is_some_and(Map::is_empty) {
            fields.remove(first);
        }
    }
}

/// The entry in `metadata.managedFields`.
pub(crate) fn entry(manager: &Manager) -> Value {
    let mut fields = json!({});
    for path in &manager.fields {
        let path: Path = path.iter().map(|name| format!("f:{name}")).collect();
        set(&mut fields, &path, json!({}));
    }
    let time = jiff::Timestamp::from_second(manager.time).expect("within the calendar");
    json!({"manager": manager.name, "operation": manager.operation, "time": time.to_string(),
        "fieldsType": "FieldsV1", "fieldsV1": fields})
}
