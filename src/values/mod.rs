//! The values: what the files of a repository ask for, checked and typed.
//!
//! Reading goes on after a mistake, so that every problem of a file is reported at once. A
//! problem in a service's file is that service's alone.

mod binding;
mod conflicts;
mod deployment;
mod matching;
mod names;
mod node;
mod patch;
mod platform;
mod reader;
mod routes;
mod service;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod yaml;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

pub use binding::Binding;
pub use deployment::{DEFAULT_PORT, Deployment, Probe, Probes, UpstreamRef, Workload};
pub use matching::{HeaderMatch, Path, PathMatch, ValueMatch};
pub use names::{PLATFORM, ServiceName, Version, Weight};
pub use platform::Platform;
pub use routes::{Canary, Fallback, Routes, Split};
pub use service::{PORT_NAME, Service, TargetPort};
pub use settings::{Policy, Settings, Timing};

use crate::problem::{Location, Problem};
use crate::source::Tree;
use node::Node;
use settings::SettingsFile;

/// The file with the repository's settings.
const SETTINGS_FILE: &str = "coalmine.yaml";

/// A service, or everything that is wrong with it.
pub type Outcome = Result<Service, Vec<Problem>>;

/// What a repository asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// The settings of `coalmine.yaml`, or their defaults.
    pub settings: Settings,
    /// The objects of `platform/`.
    pub platform: Platform,
    /// The services of `services/`, by name. A file whose name no service can have stands here by
    /// its path, with that problem.
    pub services: BTreeMap<ServiceName, Outcome>,
    /// Problems of the repository as a whole: while there is one, nothing of the revision is to
    /// be applied, because what the services would become is not known. Then a service's own list
    /// of problems can be empty, where all of them are in `coalmine.yaml`.
    pub problems: Vec<Problem>,
}

impl Repository {
    /// Reads the files of one revision. It never fails: what is wrong is in the result.
    pub fn parse(tree: &Tree) -> Self {
        let mut problems = Vec::new();
        let settings = match tree.files.get(SETTINGS_FILE) {
            Some(content) => settings::read(&SETTINGS_FILE.into(), content, &mut problems),
            None => Some(SettingsFile::default()),
        };
        // Services are not read over unknown defaults: what is missing in them may stand there.
        let readable = settings.is_some();
        let SettingsFile { settings, defaults } = settings.unwrap_or_default();

        let (mut platform, mut seen) = (Platform::default(), BTreeMap::new());
        let mut files: BTreeMap<&str, Vec<(&String, &Vec<u8>)>> = BTreeMap::new();
        for (path, content) in &tree.files {
            match (folder(path), stem(path)) {
                ("platform", Some(_)) => platform.read(&path.as_str().into(), content, &mut seen),
                ("services", Some(stem)) => files.entry(stem).or_default().push((path, content)),
                _ => {}
            }
        }
        if files.is_empty()
            && platform == Platform::default()
            && !tree.files.contains_key(SETTINGS_FILE)
        {
            problems.push(nothing_here());
        }
        let (mut services, mut roots) = (BTreeMap::new(), BTreeMap::new());
        for (stem, files) in files.iter().filter(|_| readable) {
            // A name that no service can have must not be taken for somebody else's.
            let name =
                ServiceName::new(stem).unwrap_or_else(|_| ServiceName::unchecked(files[0].0));
            let outcome = match files.as_slice() {
                [(path, content)] => read_file(path, content).and_then(|(root, problems)| {
                    roots.insert(name.clone(), root.clone());
                    read_service(stem, &root, defaults.as_ref(), problems)
                }),
                files => {
                    Err(files.iter().map(|(path, _)| shared_name(stem, path, files)).collect())
                }
            };
            // What is wrong with the defaults themselves is reported once, for the repository.
            let is_new = |problem: &Problem| !problems.iter().any(|known| known.at == problem.at);
            let outcome = outcome.map_err(|found| few(found.into_iter().filter(is_new).collect()));
            services.insert(name, outcome);
        }
        conflicts::refuse(&mut services, &roots);
        let problems = few(problems);
        platform.problems = few(platform.problems);
        Self { settings, platform, services, problems }
    }
}

fn folder(path: &str) -> &str {
    path.split_once('/').map_or("", |(folder, _)| folder)
}

/// The name of a YAML file without its ending; `None` for other and for hidden files.
fn stem(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().filter(|name| !name.starts_with('.'))?;
    name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"))
}

/// The one document of a service's file, and what is wrong with it so far.
fn read_file(path: &str, content: &[u8]) -> Result<(Rc<Node>, Vec<Problem>), Vec<Problem>> {
    let file: Arc<str> = path.into();
    let (documents, problems) = yaml::documents(&file, content).map_err(|problem| vec![problem])?;
    match documents.as_slice() {
        [root] if !root.is_null() => Ok((root.clone(), problems)),
        [] | [_] => Err(vec![service::empty_file(&Location::start_of(&file))]),
        [_, second, ..] => {
            let problem = Problem::new(&second.at, "", "a second document (`---`) in the file");
            Err(vec![problem.help("one file per service: move it to a file of its own")])
        }
    }
}

fn read_service(
    stem: &str,
    root: &Rc<Node>,
    defaults: Option<&Rc<Node>>,
    mut problems: Vec<Problem>,
) -> Outcome {
    let name = ServiceName::new(stem).map_err(|message| {
        let problem = Problem::new(&Location::start_of(&root.at.file), "", message);
        vec![problem.help("rename the file: its name is the service's")]
    })?;
    match service::read(&name, root, defaults) {
        Ok(service) if problems.is_empty() => Ok(service),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
            Err(problems)
        }
    }
}

/// A name leads to one service, and in the cluster `coalmine.dev/service` is all that tells
/// services apart.
fn shared_name(stem: &str, path: &str, files: &[(&String, &Vec<u8>)]) -> Problem {
    let others: Vec<&str> =
        files.iter().map(|(other, _)| other.as_str()).filter(|other| *other != path).collect();
    let message = format!("the service {stem} is described in {} too", others.join(", "));
    Problem::new(&Location::start_of(&path.into()), "", message)
        .help("rename or remove one of the files: a file's name is its service's")
}

/// No more problems than somebody reads at once.
fn few(mut problems: Vec<Problem>) -> Vec<Problem> {
    const MOST: usize = 50;
    let more = problems.len().saturating_sub(MOST);
    if more > 0 {
        problems.truncate(MOST);
        let message = format!("and {more} more problems");
        let last = Problem::new(&problems[MOST - 1].at, "", message);
        problems.push(last.help("mend those before first"));
    }
    problems
}

fn nothing_here() -> Problem {
    let at = Location::start_of(&SETTINGS_FILE.into());
    Problem::new(&at, "", "neither coalmine.yaml nor platform/ nor services/ is here")
        .help("is the path right? services are files like services/echo.yaml")
}
