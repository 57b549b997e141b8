//! The file of one service.

use std::sync::Arc;

use super::defaults::{Defaults, extent as extent_of, with_defaults};
use super::layout::Entry;
use super::model::Service;
use super::names::ServiceName;
use super::node::{Extent, Node};
use super::places::Places;
use super::{service, yaml};
use crate::problem::{Location, Problem};

/// Reads a service's file over the defaults, and says how much it holds with them and where its values stand.
pub(super) fn read(
    stem: &str,
    file: &Arc<str>,
    content: &[u8],
    defaults: Option<&Defaults>,
    extent: &mut Extent,
) -> Result<(Service, Places), Vec<Problem>> {
    let (root, mut problems) = document(file, content)?;
    *extent = extent_of(&root, defaults);
    let name = ServiceName::new(stem).map_err(|message| {
        let problem = Problem::new(&Location::start_of(file), "", message);
        vec![problem.help("rename the file: its name is the service's")]
    })?;
    match service::read(&name, &root, defaults) {
        Ok(service) if problems.is_empty() => {
            let merged = with_defaults(&root, defaults.map(|defaults| &defaults.node));
            Ok((service, Places::new(merged)))
        }
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            problems.sort_by_key(|problem| (problem.at.line, problem.at.column));
            Err(problems)
        }
    }
}

/// The one document of a service's file, and what is wrong with it so far.
pub(super) fn document(
    file: &Arc<str>,
    content: &[u8],
) -> Result<(Arc<Node>, Vec<Problem>), Vec<Problem>> {
    let (documents, problems) = yaml::documents(file, content).map_err(|problem| vec![problem])?;
    match documents.as_slice() {
        [root] if !root.is_null() => Ok((root.clone(), problems)),
        [] | [_] => Err(vec![service::empty_file(&Location::start_of(file))]),
        [_, second, ..] => {
            let problem = Problem::new(&second.at, "", "a second document (`---`) in the file");
            Err(vec![problem.help("one file per service: move it to a file of its own")])
        }
    }
}

/// A name leads to one service, and in the cluster `coalmine.dev/service` is all that tells
/// services apart.
pub(super) fn shared_name(stem: &str, entries: &[Entry<'_>]) -> Vec<Problem> {
    entries.iter().map(|entry| shares_name(stem, entry, entries)).collect()
}

/// The problem that other files lead to the same name.
fn shares_name(stem: &str, entry: &Entry<'_>, entries: &[Entry<'_>]) -> Problem {
    const MOST: usize = 10;
    let others = entries.iter().map(|other| other.path).filter(|other| *other != entry.path);
    let mut listed = others.take(MOST).collect::<Vec<_>>().join(", ");
    if entries.len() > MOST + 1 {
        listed += &format!(" and {} more", entries.len() - MOST - 1);
    }
    let message = format!("the service {stem} is described in {listed} too");
    Problem::new(&Location::start_of(&entry.name()), "", message)
        .help(
            "rename or remove one of the files: a file's name is its service's, and nobody had it before, so it is \
             neither's until then",
        )
}

/// The problem of a file with the name of a service that another file had first.
pub(super) fn takes_name(stem: &str, entry: &Entry<'_>, holder: &str) -> Problem {
    let message = format!("{holder} is the service {stem} already");
    Problem::new(&Location::start_of(&entry.name()), "", message)
        .help("rename this file: a file's name is its service's, and a name is used once")
}
