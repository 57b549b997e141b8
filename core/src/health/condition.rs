use serde_json::Value;

/// The message (or reason) of the first condition of this type that `holds`.
pub(super) fn condition(
    object: &Value,
    kind: &str,
    holds: impl Fn(&Value) -> bool,
) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found =
        conditions.iter().find(|condition| condition["type"] == kind && holds(condition))?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).filter(|s| !s.is_empty());
    Some(text("message").or(text("reason")).unwrap_or(kind).to_owned())
}
