//! Which fields an object has, and what may be in them.

use regex::Regex;
use serde_json::Value;

use super::Violation;

/// What may be in a field.
pub(super) enum Schema {
    /// Anything; nothing is said about it.
    Any,
    /// True or false.
    Flag,
    /// A whole number.
    Number { least: i64, most: i64, one_of: &'static [i64] },
    /// A text.
    Text { least: usize, most: usize, format: Option<Regex> },
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A list; with a key no two items have it alike.
    List { item: Box<Schema>, least: usize, most: usize, key: Option<&'static str> },
    /// Fields by name, and those that have to be there.
    Fields { fields: Vec<(&'static str, Schema)>, required: &'static [&'static str] },
}

impl Schema {
    /// Adds what is wrong with a value.
    pub(super) fn check(&self, value: &Value, path: &str, out: &mut Vec<Violation>) {
        let mut wrong = |path: String, words: String| out.push(Violation { path, words });
        match (self, value) {
            (Self::Any, _) | (_, Value::Null) | (Self::Flag, Value::Bool(_)) => {}
            (Self::Number { least, most, one_of }, Value::Number(number)) => {
                match number.as_i64() {
                    None => wrong(path.into(), format!("expected a whole number, found {number}")),
                    Some(it) if !one_of.is_empty() && !one_of.contains(&it) => {
                        wrong(path.into(), format!("expected one of {one_of:?}, found {it}"));
                    }
                    Some(it) if it < *least => {
                        wrong(path.into(), format!("expected at least {least}, found {it}"));
                    }
                    Some(it) if it > *most => {
                        wrong(path.into(), format!("expected at most {most}, found {it}"));
                    }
                    Some(_) => {}
                }
            }
            (Self::Text { least, most, format }, Value::String(text)) => {
                let length = text.chars().count();
                if length < *least {
                    wrong(path.into(), format!("expected at least {least} characters"));
                } else if length > *most {
                    wrong(path.into(), format!("expected at most {most} characters"));
                } else if let Some(format) = format.as_ref().filter(|it| !it.is_match(text)) {
                    wrong(path.into(), format!("expected a text like {format}, found {text:?}"));
                }
            }
            (Self::Word(words), Value::String(text)) => {
                if !words.contains(&text.as_str()) {
                    wrong(path.into(), format!("expected one of {words:?}, found {text:?}"));
                }
            }
            (Self::List { item, least, most, key }, Value::Array(items)) => {
                if items.len() > *most {
                    let words = format!("expected at most {most} items, found {}", items.len());
                    wrong(path.into(), words);
                }
                if items.len() < *least {
                    wrong(path.into(), format!("expected at least {least} items"));
                }
                for (index, value) in items.iter().enumerate() {
                    let same = |key: &str| items[..index].iter().any(|it| it[key] == value[key]);
                    if key.is_some_and(same) {
                        let words = "expected no two items of the same name".to_owned();
                        out.push(Violation { path: format!("{path}[{index}]"), words });
                    }
                    item.check(value, &format!("{path}[{index}]"), out);
                }
            }
            (Self::Fields { fields, required }, Value::Object(object)) => {
                for name in *required {
                    if object.get(*name).is_none_or(Value::is_null) {
                        let words = "expected a value".to_owned();
                        out.push(Violation { path: format!("{path}.{name}"), words });
                    }
                }
                for (name, schema) in fields {
                    if let Some(value) = object.get(*name) {
                        schema.check(value, &format!("{path}.{name}"), out);
                    }
                }
            }
            (_, found) => wrong(path.into(), format!("expected another type, found {found}")),
        }
    }

    /// Adds the paths of fields that are not known.
    pub(super) fn unknown(&self, value: &Value, path: &str, out: &mut Vec<String>) {
        match (self, value) {
            (Self::List { item, .. }, Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    item.unknown(value, &format!("{path}[{index}]"), out);
                }
            }
            (Self::Fields { fields, .. }, Value::Object(object)) => {
                for (name, value) in object {
                    match fields.iter().find(|(known, _)| known == name) {
                        Some((_, schema)) => schema.unknown(value, &format!("{path}.{name}"), out),
                        None => out.push(format!("{path}.{name}")),
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes out the fields that are not known.
    pub(super) fn prune(&self, value: &mut Value) {
        match (self, value) {
            (Self::List { item, .. }, Value::Array(items)) => {
                items.iter_mut().for_each(|value| item.prune(value));
            }
            (Self::Fields { fields, .. }, Value::Object(object)) => {
                object.retain(|name, _| fields.iter().any(|(known, _)| known == name));
                for (name, schema) in fields {
                    if let Some(value) = object.get_mut(*name) {
                        schema.prune(value);
                    }
                }
            }
            _ => {}
        }
    }
}
