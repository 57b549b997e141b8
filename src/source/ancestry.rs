//! Who descends from whom, also in a clone that has not all of the history: there libgit2's own walks fail
//! where the history that is here ends.

use std::collections::BTreeSet;
use std::path::Path;

use git2::{Oid, Repository, Sort};

/// Opens a clone, with the knowledge of where its history ends: libgit2 reads that for some ways of opening it
/// only.
pub(super) fn open(clone: &Path) -> Result<Repository, git2::Error> {
    let repository = Repository::open_bare(clone)?;
    if repository.is_shallow() { Repository::open(clone) } else { Ok(repository) }
}

/// Whether a commit is this ancestor or descends from it, as far as the history is here.
pub(super) fn descends(
    repository: &Repository,
    commit: Oid,
    ancestor: Oid,
) -> Result<bool, git2::Error> {
    if commit == ancestor {
        return Ok(true);
    }
    if !repository.is_shallow() {
        return repository.graph_descendant_of(commit, ancestor);
    }
    for id in History::of(repository, [commit]) {
        if id? == ancestor {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The history of a commit without what is in the history of others, ancestors first.
pub(super) fn new_since(
    repository: &Repository,
    commit: Oid,
    known: &[Oid],
) -> Result<Vec<Oid>, git2::Error> {
    if repository.is_shallow() {
        let old = History::of(repository, known.iter().copied());
        let seen = old.collect::<Result<BTreeSet<_>, _>>()?;
        let mut new =
            History { repository, next: vec![commit], seen }.collect::<Result<Vec<_>, _>>()?;
        new.reverse();
        return Ok(new);
    }
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(commit)?;
    for known in known {
        walk.hide(*known)?;
    }
    walk.collect()
}

/// Commits and their ancestors, as far as they are here, each once.
struct History<'a> {
    repository: &'a Repository,
    next: Vec<Oid>,
    seen: BTreeSet<Oid>,
}

impl<'a> History<'a> {
    fn of(repository: &'a Repository, commits: impl IntoIterator<Item = Oid>) -> Self {
        Self { repository, next: commits.into_iter().collect(), seen: BTreeSet::new() }
    }
}

impl Iterator for History<'_> {
    type Item = Result<Oid, git2::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let id = loop {
            let id = self.next.pop()?;
            if self.seen.insert(id) {
                break id;
            }
        };
        // A commit knows where the history ends that is here, and names no parent then.
        let commit = match self.repository.find_commit(id) {
            Ok(commit) => commit,
            Err(error) => return Some(Err(error)),
        };
        self.next.extend(commit.parent_ids());
        Some(Ok(id))
    }
}
