//! A YAML tree that knows where everything stands.
//!
//! The tree keeps scalars as they are written: what `1.10` means is decided by who asks, because
//! as a version it is text and as a weight a (wrong) number.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::problem::Location;

/// One YAML node and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Location,
    pub(crate) data: Data,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// The text as written; `plain` when it stands without quotes, so that it may be a number.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Arc<Node>>),
    Mapping(Vec<(Key, Arc<Node>)>),
}

/// How much something holds, aliases replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Values and keys.
    pub(super) nodes: usize,
    /// Bytes of their text.
    pub(super) text: usize,
}

impl Extent {
    /// Whether this much is too much.
    pub(super) fn exceeds(self, most: Self) -> bool {
        self.nodes > most.nodes || self.text > most.text
    }

    /// This much, so many times.
    pub(super) fn times(self, times: usize) -> Self {
        let (nodes, text) = (self.nodes.saturating_mul(times), self.text.saturating_mul(times));
        Self { nodes, text }
    }
}

impl std::ops::AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.text = self.text.saturating_add(other.text);
    }
}

/// A key of a mapping and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: Location,
    pub(crate) name: String,
}

/// What a scalar means by YAML 1.2's core schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

impl Node {
    /// What the scalar means; `None` for a sequence or a mapping.
    pub(super) fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.data {
            Data::Scalar { text, plain: true } => Some(resolve(text)),
            Data::Scalar { text, plain: false } => Some(Scalar::Text(text)),
            Data::Sequence(_) | Data::Mapping(_) => None,
        }
    }

    /// The text of a scalar as it is written; `None` for a sequence, a mapping or nothing.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written here, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.scalar() == Some(Scalar::Null)
    }

    /// How much it holds.
    pub(super) fn extent(&self) -> Extent {
        let mut extent = Extent { nodes: 1, text: 0 };
        match &self.data {
            Data::Scalar { text, .. } => extent.text = text.len(),
            Data::Sequence(items) => items.iter().for_each(|item| extent += item.extent()),
            Data::Mapping(entries) => {
                for (key, node) in entries {
                    extent += Extent { nodes: 1, text: key.name.len() };
                    extent += node.extent();
                }
            }
        }
        extent
    }

    /// Whether it is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.data, Data::Mapping(_))
    }

    /// The value of a key of this mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.entry(name).map(|(_, node)| node)
    }

    /// A key of this mapping with its value.
    pub(super) fn entry(&self, name: &str) -> Option<(&Key, &Arc<Node>)> {
        let Data::Mapping(entries) = &self.data else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
    }

    /// What `own` says over what `defaults` say: mappings key by key, anything else as a whole.
    /// Nothing (`null`) leaves the default.
    pub(super) fn merge(defaults: &Arc<Node>, own: &Arc<Node>) -> Arc<Node> {
        if own.is_null() {
            return defaults.clone();
        }
        let (Data::Mapping(below), Data::Mapping(above)) = (&defaults.data, &own.data) else {
            return own.clone();
        };
        let mut merged = above.clone();
        for (key, node) in below {
            match merged.iter_mut().find(|(own, _)| own.name == key.name) {
                Some((_, own)) => *own = Node::merge(node, own),
                None => merged.push((key.clone(), node.clone())),
            }
        }
        Arc::new(Node { at: own.at.clone(), data: Data::Mapping(merged) })
    }

    /// The mapping with some of its keys; anything else as it is.
    pub(super) fn only(self: &Arc<Node>, keep: impl Fn(&str) -> bool) -> Arc<Node> {
        let Data::Mapping(entries) = &self.data else { return self.clone() };
        let kept = entries.iter().filter(|(key, _)| keep(&key.name)).cloned().collect();
        Arc::new(Node { at: self.at.clone(), data: Data::Mapping(kept) })
    }

    /// The same as JSON, for what is passed through to Kubernetes and Gloo.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Scalar { .. } => match self.scalar() {
                None | Some(Scalar::Null) => Value::Null,
                Some(Scalar::Bool(value)) => value.into(),
                Some(Scalar::Number(number)) => number.into(),
                Some(Scalar::Text(text)) => text.into(),
            },
            Data::Sequence(items) => items.iter().map(|item| item.to_json()).collect(),
            Data::Mapping(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.clone(), node.to_json()))
                .collect::<Map<_, _>>()
                .into(),
        }
    }

    /// How a message names what was found.
    pub(super) fn describe(&self) -> String {
        match &self.data {
            Data::Sequence(_) => "a list".into(),
            Data::Mapping(_) => "a mapping".into(),
            Data::Scalar { text, plain } if text.chars().count() > 40 => {
                let cut: String = text.chars().take(40).collect();
                describe_scalar(&format!("{cut}…"), *plain)
            }
            Data::Scalar { text, plain } => describe_scalar(text, *plain),
        }
    }
}

fn describe_scalar(text: &str, plain: bool) -> String {
    match (plain, resolve(text)) {
        (true, Scalar::Null) => "nothing".into(),
        (true, Scalar::Bool(_) | Scalar::Number(_)) => text.into(),
        _ => format!("the text {text:?}"),
    }
}

fn resolve(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ => number(text).map_or(Scalar::Text(text), Scalar::Number),
    }
}

/// A number, when every reader takes it for the same number. `010` is ten to YAML 1.2 and eight
/// to kubectl, `.inf` has no JSON: such things stay text, and who expects a number says so.
fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let zero_led = unsigned.len() > 1 && unsigned.starts_with('0');
    if zero_led && unsigned.as_bytes()[1].is_ascii_digit() {
        return None;
    }
    let numeric = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || !unsigned.bytes().all(numeric)
    {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_a_message_names_it() {
        let named = |text: String| {
            let at = Location::start_of(&"services/echo.yaml".into());
            Node { at, data: Data::Scalar { text, plain: false } }.describe()
        };
        let (fits, cut) = (named("ä".repeat(40)), named("ä".repeat(41)));
        assert!(fits.contains(&"ä".repeat(40)) && !fits.contains('…'), "{fits}");
        assert!(cut.contains(&format!("{}…", "ä".repeat(40))), "{cut}");
        assert!(!cut.contains(&"ä".repeat(41)), "{cut}");
    }

    #[test]
    fn a_number_is_what_yaml_takes_for_one() {
        let read = |text: &str| number(text).map(|it| it.to_string());
        for (text, expected) in [
            ("0", "0"),
            ("-5", "-5"),
            ("+5", "5"),
            ("0x1f", "31"),
            ("0o17", "15"),
            (".5", "0.5"),
            ("1e3", "1000.0"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "01", "-01", "+-5", "--5", "1_000", "0xg", "0o8", "e5", "1a", "inf", ".", "-"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
