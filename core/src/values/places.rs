//! Where a service's values stand, for whoever judges the values after they were read.

use std::sync::Arc;

use serde_json::Value;

use super::model::Path;
use super::node::{Data, Node};
use crate::problem::Location;

/// Where a service's values stand: in its own file, or in `coalmine.yaml` where they are defaults.
#[derive(Debug)]
pub struct Places {
    /// The service's own values over the defaults.
    root: Arc<Node>,
}

impl Places {
    pub(super) fn new(root: Arc<Node>) -> Self {
        Self { root }
    }

    /// Where the value of these keys stands, or the last of the keys that is there; an item of a list is named by its
    /// number.
    pub fn of(&self, keys: &[&str]) -> Location {
        let (mut at, mut node) = (&self.root.at, &self.root);
        for key in keys {
            let Some((place, below)) = child(node, key) else { break };
            at = if below.is_null() { place } else { &below.at };
            node = below;
        }
        at.clone()
    }

    /// The value of these keys as JSON, with no type of its own; `None` when it is not there.
    pub fn json(&self, keys: &[&str]) -> Option<Value> {
        self.node(keys).filter(|node| !node.is_null()).map(|node| node.to_json())
    }

    /// Whether the service's own file says something at these keys or below, beyond the defaults of `coalmine.yaml`.
    pub fn is_own(&self, keys: &[&str]) -> bool {
        self.node(keys).is_some_and(|node| self.has_own(node))
    }

    /// What the service's own file says below these keys, as JSON pointers from there, each with its place: values
    /// that are no mappings, and empty mappings.
    pub fn own_leaves(&self, keys: &[&str]) -> Vec<(String, Location)> {
        let mut leaves = Vec::new();
        if let Some(node) = self.node(keys) {
            self.add_leaves(node, &node.at, String::new(), &mut leaves);
        }
        leaves
    }

    /// The keys that lead to the item of `routes.paths` with this path.
    pub fn path(&self, path: &Path) -> Vec<String> {
        let paths = ["routes", "paths"];
        let items = match self.node(&paths).map(|node| &node.data) {
            Some(Data::Sequence(items)) => items.as_slice(),
            _ => &[],
        };
        let is_it = |item: &Arc<Node>| {
            item.get(path.kind()).is_some_and(
                |node| matches!(&node.data, Data::Scalar { text, .. } if text == path.text()),
            )
        };
        let mut keys = paths.map(str::to_owned).to_vec();
        if let Some(index) = items.iter().position(is_it) {
            keys.push(index.to_string());
        }
        keys
    }

    fn node(&self, keys: &[&str]) -> Option<&Arc<Node>> {
        keys.iter().try_fold(&self.root, |node, key| child(node, key).map(|(_, below)| below))
    }

    fn has_own(&self, node: &Node) -> bool {
        let is_own = |at: &Location| at.file == self.root.at.file;
        match &node.data {
            Data::Scalar { .. } => is_own(&node.at),
            Data::Sequence(_) => is_own(&node.at),
            Data::Mapping(entries) if entries.is_empty() => is_own(&node.at),
            Data::Mapping(entries) => entries.iter().any(|(_, node)| self.has_own(node)),
        }
    }

    fn add_leaves(
        &self,
        node: &Node,
        at: &Location,
        pointer: String,
        leaves: &mut Vec<(String, Location)>,
    ) {
        match &node.data {
            Data::Mapping(entries) if !entries.is_empty() => {
                for (key, below) in entries {
                    let name = key.name.replace('~', "~0").replace('/', "~1");
                    self.add_leaves(below, &key.at, format!("{pointer}/{name}"), leaves);
                }
            }
            _ if node.at.file == self.root.at.file => leaves.push((pointer, at.clone())),
            _ => {}
        }
    }
}

/// The place of a key or an item, and its value.
fn child<'a>(node: &'a Arc<Node>, key: &str) -> Option<(&'a Location, &'a Arc<Node>)> {
    if let Data::Sequence(items) = &node.data {
        let item = items.get(key.parse::<usize>().ok()?)?;
        return Some((&item.at, item));
    }
    node.entry(key).map(|(key, node)| (&key.at, node))
}
