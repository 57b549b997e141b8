//! Reads typed values out of located nodes, and goes on after a mistake to find them all.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::node::{Data, Node, Scalar};
use super::passed::{self, Passed};
use super::schema::{Key, Mapping};
use crate::problem::{Location, MOST_SHOWN, Problem};

/// What a reading function does: `None` says that a problem was noted.
pub(super) type Problems = Vec<Problem>;

/// A node and the key path that leads to it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The dotted path, for example `routes.canary.weight`.
    pub(super) path: String,
    /// The value's place, or its key's where no value is written.
    pub(super) at: Location,
    /// The key's place.
    pub(super) key_at: Location,
    pub(super) node: Arc<Node>,
}

impl Entry {
    /// A whole document.
    pub(super) fn root(node: Arc<Node>) -> Self {
        Self { path: String::new(), at: node.at.clone(), key_at: node.at.clone(), node }
    }

    fn below(&self, name: &str, key_at: &Location, node: &Arc<Node>) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let at = if node.is_null() { key_at } else { &node.at };
        Self {
            path: format!("{}{dot}{name}", self.path),
            at: at.clone(),
            key_at: key_at.clone(),
            node: node.clone(),
        }
    }

    /// A problem with this value.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.at, &self.path, message)
    }

    /// The problem that something else was expected here.
    pub(super) fn expected(&self, what: &str) -> Problem {
        self.problem(format!("expected {what}, found {}", self.node.describe()))
    }

    /// Text. An unquoted number or boolean counts as the text it is written as.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<String> {
        match &self.node.data {
            Data::Scalar { text, .. } if !self.node.is_null() => Some(text.clone()),
            _ => {
                problems.push(self.expected("text"));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        if let Some(Scalar::Bool(value)) = self.node.scalar() {
            return Some(value);
        }
        problems.push(self.expected("true or false"));
        None
    }

    /// A whole number within a range; `help` says what it is.
    pub(super) fn whole(
        &self,
        range: RangeInclusive<u32>,
        help: &str,
        problems: &mut Problems,
    ) -> Option<u32> {
        let found = match self.node.scalar() {
            Some(Scalar::Number(number)) => {
                number.as_u64().and_then(|number| number.try_into().ok())
            }
            _ => None,
        };
        if let Some(number) = found.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let (least, most) = (range.start(), range.end());
        let problem = match *most {
            u32::MAX => self.expected(&format!("a whole number, at least {least}")),
            most => self.expected(&format!("a whole number from {least} to {most}")),
        };
        problems.push(match &self.node.data {
            Data::Scalar { text, plain: false } if text.parse::<f64>().is_ok() => {
                problem.help(format!("leave the quotes away: `{text}`"))
            }
            _ => problem.help(help),
        });
        None
    }

    /// A mapping that is passed through as JSON, its keys sorted: what is rendered from it must
    /// not depend on the file's order.
    pub(super) fn object(
        &self,
        passed: Passed,
        problems: &mut Problems,
    ) -> Option<Map<String, Value>> {
        let mut json = passed::json(&self.node, passed);
        json.sort_all_objects();
        match json {
            Value::Object(object) => Some(object),
            _ => {
                problems.push(self.expected("a mapping"));
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn list(&self, problems: &mut Problems) -> Option<Vec<Entry>> {
        let Data::Sequence(items) = &self.node.data else {
            problems.push(self.expected("a list"));
            return None;
        };
        let item = |(index, node): (usize, &Arc<Node>)| Entry {
            path: format!("{}[{index}]", self.path),
            at: node.at.clone(),
            key_at: node.at.clone(),
            node: node.clone(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The texts of a list.
    pub(super) fn texts(&self, problems: &mut Problems) -> Option<Vec<String>> {
        let items = self.list(problems)?;
        // Every item is read, so that every wrong one is reported.
        let texts: Vec<_> = items.iter().map(|item| item.text(problems)).collect();
        texts.into_iter().collect()
    }

    /// The entries of a mapping with free keys, in the order of the file. Nothing is an empty one.
    pub(super) fn entries(&self, problems: &mut Problems) -> Option<Vec<(String, Entry)>> {
        match &self.node.data {
            Data::Mapping(entries) => Some(
                entries
                    .iter()
                    .map(|(key, node)| (key.name.clone(), self.below(&key.name, &key.at, node)))
                    .collect(),
            ),
            _ if self.node.is_null() => Some(Vec::new()),
            _ => {
                problems.push(self.expected("a mapping"));
                None
            }
        }
    }

    /// A mapping of text to text.
    pub(super) fn text_map(&self, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
        let entries = self.entries(problems)?;
        let read: Vec<_> =
            entries.into_iter().map(|(key, entry)| Some((key, entry.text(problems)?))).collect();
        read.into_iter().collect()
    }

    /// As [`Entry::fields`], with a next step for who writes something else.
    pub(super) fn fields_like<M: Mapping>(
        &self,
        help: &str,
        problems: &mut Problems,
    ) -> Option<Fields<M>> {
        if self.node.scalar().is_some() && !self.node.is_null() {
            problems.push(self.expected("a mapping").help(help));
            return None;
        }
        self.fields(problems)
    }

    /// A mapping with known keys. Nothing is an empty one.
    pub(super) fn fields<M: Mapping>(&self, problems: &mut Problems) -> Option<Fields<M>> {
        let entries = self.entries(problems)?;
        Some(Fields { entry: self.clone(), entries, mapping: PhantomData })
    }
}

/// The values of a mapping whose keys the schema declares, less those that were taken.
pub(super) struct Fields<M> {
    pub(super) entry: Entry,
    entries: Vec<(String, Entry)>,
    mapping: PhantomData<fn() -> M>,
}

impl<M: Mapping> Fields<M> {
    /// The value of a key, when there is one and it is not null.
    pub(super) fn take(&mut self, key: Key<M>) -> Option<Entry> {
        self.take_even_null(key).filter(|entry| !entry.node.is_null())
    }

    /// The value of a key, where an absent value means something else than an absent key.
    pub(super) fn take_even_null(&mut self, key: Key<M>) -> Option<Entry> {
        let found = self.entries.iter().position(|(name, _)| name == key.name())?;
        Some(self.entries.remove(found).1)
    }

    /// The problem that a required key is missing.
    pub(super) fn missing(&self, key: Key<M>, help: &str) -> Problem {
        let entry = &self.entry;
        let dot = if entry.path.is_empty() { "" } else { "." };
        Problem::new(
            &entry.key_at,
            format!("{}{dot}{}", entry.path, key.name()),
            "the key is required",
        )
        .help(help)
    }

    /// Reports every key that was not taken.
    pub(super) fn finish(self, problems: &mut Problems) {
        let mut known = M::KEYS.to_vec();
        known.sort_unstable();
        for (index, (name, entry)) in self.entries.iter().enumerate() {
            let problem = Problem::new(&entry.key_at, &entry.path, "unknown key");
            // Nobody is shown more problems, and the nearest key is dear to find.
            if index >= MOST_SHOWN {
                problems.push(problem);
                continue;
            }
            problems.push(problem.help(match nearest(name, &known) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known here: {}", known.join(", ")),
            }));
        }
    }
}

/// The known key that was probably meant: the one nearest by typing mistakes, if any is near.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    // The comparison costs the product of the lengths.
    let lowered = if name.len() <= 64 { name.to_lowercase() } else { return None };
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&lowered, &known.to_lowercase()), *known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 5)
        .map(|(_, known)| known)
}
