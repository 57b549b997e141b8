//! What an apply would change: the live object against what the API server says it would store.

use std::fmt;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::hidden::hide;
use crate::labels::{APPLIED, REVISION, STEP};

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

/// The object without bookkeeping, status and the annotations that change with every apply.
pub fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !BOOKKEEPING.contains(&field.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(REVISION);
            annotations.remove(APPLIED);
            annotations.remove(STEP);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

/// A field in which two states of an object differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, as a JSON pointer (RFC 6901).
    pub field: String,
    /// The value that was found; `None` when there was none.
    pub found: Option<Value>,
    /// The value that is wanted; `None` when there should be none.
    pub wanted: Option<Value>,
}

/// The fields in which `found` differs from `wanted`, outermost first: a map or a list of the same
/// length is looked into, anything else is one difference. Of [hidden](crate::hidden) values is told that
/// they differ, and not what they are.
pub fn differences(found: &Value, wanted: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    let [found, wanted] = hide(Some(&comparable(found)), Some(&comparable(wanted)));
    compare("", found.as_ref(), wanted.as_ref(), &mut all);
    all
}

fn compare(at: &str, found: Option<&Value>, wanted: Option<&Value>, all: &mut Vec<Difference>) {
    match (found, wanted) {
        (found, wanted) if found == wanted => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            for name in names {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                compare(&format!("{at}/{escaped}"), one.get(name), other.get(name), all);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}/{index}"), Some(one), Some(other), all);
            }
        }
        (found, wanted) => all.push(Difference {
            field: at.to_owned(),
            found: found.cloned(),
            wanted: wanted.cloned(),
        }),
    }
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

impl fmt::Display for Line {
    /// As `diff -u` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heading(text) => f.write_str(text),
            Self::Added(text) => write!(f, "+{text}"),
            Self::Removed(text) => write!(f, "-{text}"),
            Self::Same(text) => write!(f, " {text}"),
        }
    }
}

/// A unified diff with three lines of context; empty when the texts are equal. Each text comes with the
/// word for its state.
pub fn unified(name: &str, old: (&str, &str), new: (&str, &str)) -> Vec<Line> {
    let diff = TextDiff::from_lines(old.1, new.1);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        if lines.is_empty() {
            lines.push(Line::Heading(format!("--- {} {name}", old.0)));
            lines.push(Line::Heading(format!("+++ {} {name}", new.0)));
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

/// Two states of an object as YAML, as far as they are comparable; empty for one that is none. Of
/// [hidden](crate::hidden) values is told whether they differ.
pub fn texts(before: Option<&Value>, after: Option<&Value>) -> [String; 2] {
    let comparable = |object: Option<&Value>| object.map(comparable);
    hide(comparable(before).as_ref(), comparable(after).as_ref()).map(|object| {
        let Some(object) = object else { return String::new() };
        serde_yaml::to_string(&object).unwrap_or_else(|_| format!("{object:#}"))
    })
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
    fn differences_name_the_innermost_fields() {
        let found = json!({"spec": {"a/b": 1, "list": [{"w": 10}, {"w": 90}], "old": true}});
        let wanted = json!({"spec": {"a/b": 1, "list": [{"w": 10}, {"w": 50}], "new": [1]}});
        let fields: Vec<_> = differences(&found, &wanted)
            .into_iter()
            .map(|difference| (difference.field, difference.found, difference.wanted))
            .collect();
        assert_eq!(
            fields,
            [
                ("/spec/list/1/w".into(), Some(json!(90)), Some(json!(50))),
                ("/spec/old".into(), Some(json!(true)), None),
                ("/spec/new".into(), None, Some(json!([1]))),
            ]
        );
        assert_eq!(differences(&found, &found), []);
    }

    #[test]
    fn a_value_of_a_secret_differs_and_is_not_told() {
        let secret = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "s"}, "data": {"password": value}})
        };
        let (one, other) = (secret("aHVudGVy"), secret("b3RoZXI="));
        let told = differences(&one, &other);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].field, "/data/password");
        let [one, other] = texts(Some(&one), Some(&other));
        assert_ne!(one, other);
        for text in [format!("{told:?}"), one, other] {
            assert!(!text.contains("aHVudGVy") && !text.contains("b3RoZXI="), "{text}");
        }
    }

    #[test]
    fn equal_texts_have_no_diff_and_others_name_the_object_first() {
        assert_eq!(unified("Service echo/echo", ("live", "a\n"), ("desired", "a\n")), []);
        let lines = unified("Service echo/echo", ("live", "a\nb\n"), ("desired", "a\nc\n"));
        assert_eq!(lines[0], Line::Heading("--- live Service echo/echo".into()));
        assert!(lines.contains(&Line::Removed("b".into())));
        assert!(lines.contains(&Line::Added("c".into())));
    }
}
