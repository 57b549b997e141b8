//! The values as a whole: files in, services or messages out.

mod autopilot;
mod calendar;
mod defaults;
mod gateway;
mod incremental;
mod jwt;
mod layout;
mod mistakes;
pub(crate) mod properties;
mod repository;
mod route_mistakes;
mod schema;
mod unreadable;
mod version_mistakes;

use std::sync::Arc;

use super::{Outcome, Repository, Service};
use crate::problem::Problem;
use crate::tree::Tree;

/// The repository with these files.
fn repository(files: &[(&str, &str)]) -> Repository {
    let files = files.iter().map(|(path, content)| ((*path).into(), (*content).into())).collect();
    Repository::parse(&Tree { revision: "local".into(), files })
}

/// What becomes of a values file on its own.
fn outcome(values: impl Into<Vec<u8>>) -> Outcome {
    let files = [("services/echo.yaml".to_owned(), values.into().into())].into();
    let mut repository = Repository::parse(&Tree { revision: "local".into(), files });
    assert_eq!(repository.problems, []);
    repository.services.pop_first().expect("the file is a service").1
}

/// The service `echo` of a good values file.
#[track_caller]
pub(crate) fn service(values: &str) -> Service {
    let service = outcome(values).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Arc::unwrap_or_clone(service)
}

/// Asserts that a values file is refused with these messages.
#[track_caller]
fn says(values: impl Into<Vec<u8>>, expected: &[&str]) {
    let problems = outcome(values).expect_err("a values file with a mistake");
    assert_eq!(listed(&problems), expected);
}

fn listed(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// A file that is good but for its canary.
fn canary(canary: &str) -> String {
    format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\n\
         routes:\n  apiGroup: example\n  primary: {{version: v1}}\n  canary: {canary}\n"
    )
}

/// A file that is good but for the settings of its version.
fn version(settings: &str) -> String {
    format!(
        "deployment:\n  v1: {settings}\nroutes: {{apiGroup: example, primary: {{version: v1}}}}\n"
    )
}

/// A file that is good but for what is added to its routes.
fn routes(more: &str) -> String {
    format!("deployment: {{v1: {{}}}}\nroutes:\n  primary: {{version: v1}}\n  {more}\n")
}
