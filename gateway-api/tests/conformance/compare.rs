//! Compares statuses.

use std::collections::{BTreeMap, BTreeSet};

use gateway_api::{Condition, ListenerStatus, ObjectRef, Status, Translation};
use serde_json::Value;

/// A status in the lines that are compared.
type Lines = BTreeMap<String, String>;

/// Where statuses differ: type, status and reason of every condition, and whether it is of the present generation.
pub(crate) fn statuses(
    translation: &Translation,
    objects: &BTreeMap<String, Value>,
    expected: &Value,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut recorded = BTreeSet::new();
    for (name, wanted) in expected["statuses"].as_object().into_iter().flatten() {
        let (kind, rest) = name.split_once(' ').expect("kind and name");
        let (namespace, object) = rest.split_once('/').expect("namespace/name");
        let reference = ObjectRef::new(kind, namespace, object);
        let status = translation.statuses.get(&reference);
        recorded.insert(reference);
        let generation = objects.get(name).and_then(|it| it["metadata"]["generation"].as_i64());
        let got = status.map(|status| lines(status, generation.unwrap_or_default()));
        let (got, wanted) = (got.unwrap_or_default(), recorded_lines(wanted));
        let keys: BTreeSet<&String> = got.keys().chain(wanted.keys()).collect();
        for key in keys {
            let (wanted, got) = (wanted.get(key), got.get(key));
            if wanted != got {
                found.push(format!("{name} {key}: expected {wanted:?}, got {got:?}"));
            }
        }
    }
    for object in translation.statuses.keys().filter(|object| !recorded.contains(*object)) {
        found.push(format!("{object}: has a status, but nothing was recorded"));
    }
    found
}

fn condition_line(kind: &str, status: &str, reason: &str, current: bool) -> String {
    format!("{kind}={status}/{reason}{}", if current { "" } else { " (old)" })
}

fn lines(status: &Status, generation: i64) -> Lines {
    let conditions = |all: &[Condition]| {
        let one = |it: &Condition| {
            let current = it.observed_generation == generation;
            condition_line(&it.kind, it.status, &it.reason, current)
        };
        let mut all: Vec<String> = all.iter().map(one).collect();
        all.sort();
        all.join(" ")
    };
    let mut lines = Lines::new();
    for parent in &status.parents {
        lines.insert(parent.parent.clone(), conditions(&parent.conditions));
    }
    if !status.conditions.is_empty() {
        lines.insert("conditions".into(), conditions(&status.conditions));
    }
    for listener in &status.listeners {
        let ListenerStatus { name, attached_routes, supported_kinds, .. } = listener;
        let own = conditions(&listener.conditions);
        let line = format!("{attached_routes} of {} {own}", supported_kinds.join(","));
        lines.insert(format!("listener {name}"), line);
    }
    lines
}

fn recorded_lines(status: &Value) -> Lines {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = |all: &Value| {
        let one = |it: &Value| {
            let current = it["current"].as_bool().unwrap_or(true);
            condition_line(&text(&it["type"]), &text(&it["status"]), &text(&it["reason"]), current)
        };
        let mut all: Vec<String> = all.as_array().into_iter().flatten().map(one).collect();
        all.sort();
        all.join(" ")
    };
    let mut lines = Lines::new();
    for list in ["parents", "ancestors"] {
        for parent in status[list].as_array().into_iter().flatten() {
            lines.insert(text(&parent["ref"]), conditions(&parent["conditions"]));
        }
    }
    if status["conditions"].as_array().is_some_and(|all| !all.is_empty()) {
        lines.insert("conditions".into(), conditions(&status["conditions"]));
    }
    for listener in status["listeners"].as_array().into_iter().flatten() {
        let kinds = listener["supportedKinds"].as_array().into_iter().flatten();
        let mut kinds: Vec<String> = kinds.map(text).collect();
        kinds.sort();
        let (count, own) = (&listener["attachedRoutes"], conditions(&listener["conditions"]));
        let line = format!("{count} of {} {own}", kinds.join(","));
        lines.insert(format!("listener {}", text(&listener["name"])), line);
    }
    lines
}
