//! What an apply would change: the live object against what the API server says it would store.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::inventory::REVISION;

/// Fields that the API server or a controller keeps, on which no decision rests.
const BOOKKEEPING: [&str; 5] =
    ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"];

/// True when storing `desired` (the answer of a dry run) would change the `live` object.
///
/// The revision annotation alone is no change: an object keeps the revision it was last changed by,
/// so that a commit that touches one service writes to that one only.
pub fn changes(live: Option<&Value>, desired: &Value) -> bool {
    live.is_none_or(|live| comparable(live) != comparable(desired))
}

/// The object without bookkeeping, status and revision annotation.
pub fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(REVISION);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

/// One line of a unified diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `--- a`, `+++ b` or `@@ ... @@`.
    Heading(String),
    /// In the desired state only.
    Added(String),
    /// In the live state only.
    Removed(String),
    /// In both.
    Same(String),
}

/// A unified diff with three lines of context; empty when the texts are equal.
pub fn unified(name: &str, live: &str, desired: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(live, desired);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        if lines.is_empty() {
            lines.push(Line::Heading(format!("--- live {name}")));
            lines.push(Line::Heading(format!("+++ desired {name}")));
        }
        lines.push(Line::Heading(hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let text = change.value().trim_end_matches('\n').to_owned();
            lines.push(match change.tag() {
                ChangeTag::Insert => Line::Added(text),
                ChangeTag::Delete => Line::Removed(text),
                ChangeTag::Equal => Line::Same(text),
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_revision_alone_is_no_change() {
        let live = json!({"metadata": {"name": "echo", "resourceVersion": "7",
            "annotations": {REVISION: "a"}}, "spec": {"x": 1}, "status": {"ready": true}});
        let desired = json!({"metadata": {"name": "echo", "resourceVersion": "8",
            "annotations": {REVISION: "b"}}, "spec": {"x": 1}});
        assert!(!changes(Some(&live), &desired));
    }

    #[test]
    fn a_label_or_a_field_or_a_missing_object_is_a_change() {
        let live = json!({"metadata": {"name": "echo", "labels": {"a": "1"}}, "spec": {"x": 1}});
        let label = json!({"metadata": {"name": "echo", "labels": {"a": "2"}}, "spec": {"x": 1}});
        let field = json!({"metadata": {"name": "echo", "labels": {"a": "1"}}, "spec": {"x": 2}});
        assert!(changes(Some(&live), &label));
        assert!(changes(Some(&live), &field));
        assert!(changes(None, &live));
        assert!(!changes(Some(&live), &live));
    }

    #[test]
    fn equal_texts_have_no_diff_and_others_name_the_object_first() {
        assert_eq!(unified("Service echo/echo", "a\n", "a\n"), []);
        let lines = unified("Service echo/echo", "a\nb\n", "a\nc\n");
        assert_eq!(lines[0], Line::Heading("--- live Service echo/echo".into()));
        assert!(lines.contains(&Line::Removed("b".into())));
        assert!(lines.contains(&Line::Added("c".into())));
    }
}
