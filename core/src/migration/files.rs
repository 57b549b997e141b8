//! The files that are written.

use std::collections::BTreeMap;

use serde_json::Value;

/// A file for each object, by namespace: `echo/httproute-echo-routes.yaml`.
pub(super) fn of_objects(objects: &[Value]) -> BTreeMap<String, Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = |object: &Value| {
        let metadata = &object["metadata"];
        let kind = text(&object["kind"]).to_ascii_lowercase();
        let path =
            format!("{}/{kind}-{}.yaml", text(&metadata["namespace"]), text(&metadata["name"]));
        (path, object.clone())
    };
    objects.iter().map(file).collect()
}
