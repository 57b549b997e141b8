//! Who imports from whom, and the circles in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::Modules;

/// Importer to imported, with the names that are imported.
#[derive(Default)]
pub(crate) struct Graph(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Graph {
    /// Between the files. What a file takes from the module that it is a part of does not count: the files of a
    /// folder implement what its `mod.rs` declares.
    pub(crate) fn of_files(modules: &Modules) -> Self {
        Self::of(modules, |name| name.join("::"))
    }

    /// Between the top modules, each with all that is below it. The root, which joins them, is left out.
    pub(crate) fn of_top_level(modules: &Modules) -> Self {
        Self::of(modules, |name| name.first().cloned().unwrap_or_default())
    }

    fn of(modules: &Modules, node: impl Fn(&[String]) -> String) -> Self {
        let mut graph = Self::default();
        for (importer, imported, name) in modules.imports() {
            if importer.starts_with(&imported) {
                continue;
            }
            let (importer, imported) = (node(&importer), node(&imported));
            if importer != imported && !importer.is_empty() && !imported.is_empty() {
                let names = graph.0.entry(importer).or_default().entry(imported).or_default();
                names.insert(name);
            }
        }
        graph
    }

    /// What one node imports from another.
    pub(crate) fn imports(&self, importer: &str, imported: &str) -> BTreeSet<String> {
        self.0.get(importer).and_then(|all| all.get(imported)).cloned().unwrap_or_default()
    }

    /// The largest sets of nodes of which each imports from each other, directly or not; with the imports among
    /// them.
    pub(crate) fn circles(&self, of: &str) -> Vec<String> {
        let mut left: BTreeSet<&str> = self.0.keys().map(String::as_str).collect();
        let mut circles = Vec::new();
        while let Some(node) = left.pop_first() {
            let reached = self.reached(node);
            let circle: BTreeSet<&str> = reached
                .iter()
                .copied()
                .filter(|other| self.reached(other).contains(node))
                .collect();
            if circle.len() > 1 {
                circles.push(self.shown(of, &circle));
                left.retain(|other| !circle.contains(other));
            }
        }
        circles
    }

    fn reached<'a>(&'a self, from: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next = vec![from];
        while let Some(node) = next.pop() {
            for imported in self.0.get(node).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(imported.as_str()) {
                    next.push(imported);
                }
            }
        }
        reached
    }

    fn shown(&self, of: &str, circle: &BTreeSet<&str>) -> String {
        let names: Vec<&str> = circle.iter().copied().collect();
        let mut lines = vec![format!("{of}: {}", names.join(", "))];
        for importer in circle {
            for imported in circle.iter().filter(|other| *other != importer) {
                let taken: Vec<String> = self.imports(importer, imported).into_iter().collect();
                if !taken.is_empty() {
                    lines.push(format!("  {importer} -> {imported}: {}", taken.join(", ")));
                }
            }
        }
        lines.join("\n")
    }
}
