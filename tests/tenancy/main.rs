//! What a team that may change one folder can do to others: nothing.

mod first;
mod heirs;
mod limits;
mod malice;
mod property;

use std::collections::BTreeMap;

use coalmine_core::tree::Tree;
use coalmine_core::values::{Repository, ServiceName};

/// A tree with these files.
fn tree(files: &[(&str, &str)]) -> Tree {
    let files = files.iter().map(|(path, content)| ((*path).into(), (*content).into())).collect();
    Tree { revision: "r".into(), files }
}

/// The problems of each service that has some, one a line.
fn errors(repository: &Repository) -> BTreeMap<String, String> {
    assert_eq!(repository.problems, [], "the revision as a whole is accepted");
    let errors = |(name, outcome): (&ServiceName, &Result<_, Vec<_>>)| {
        let problems = outcome.as_ref().err()?;
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Some((name.to_string(), lines.join("\n")))
    };
    repository.services.iter().filter_map(errors).collect()
}

/// A service that has nothing but a version and a group.
const PLAIN: &str = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";

/// The same with this path.
fn with_path(path: &str) -> String {
    format!(
        "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}, paths: [{path}]}}\n"
    )
}
