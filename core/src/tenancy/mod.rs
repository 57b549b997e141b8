//! Tenancy: what the services of a folder may do, by the policies that `coalmine.yaml` has for folders.
//!
//! A team that may change one folder below `services/` has, by its files, the rights of the daemon. A policy narrows
//! them to what is the team's own. Files are read here and nowhere else, so `validate`, `plan` and the daemon judge
//! alike: no service comes out of a [`Reader`] that its folder's policy forbids.

mod entry;
mod judge;
mod paths;
mod pattern;
mod pods;
mod references;
#[cfg(test)]
mod tests;

use crate::tree::Tree;
use crate::values::{Reader, Repository};

impl Repository {
    /// Reads the files of one revision. It never fails: what is wrong is in the result. Who reads
    /// several revisions uses a [`Reader`].
    pub fn parse(tree: &Tree) -> Self {
        Reader::default().read(tree)
    }

    /// Reads the files of one revision that comes after others, of which the last is what is accepted already: a
    /// name, a path or a domain stays with the service that had it there.
    pub fn parse_after<'a>(earlier: impl IntoIterator<Item = &'a Tree>, tree: &Tree) -> Self {
        let mut reader = Reader::default();
        for earlier in earlier {
            reader.read(earlier);
        }
        reader.read(tree)
    }
}

impl Reader {
    /// What a revision asks for. It never fails: what is wrong is in the result. A service that its folder's policy
    /// forbids is an error.
    ///
    /// A service that is equal to what it was in the last revision is the very same [`Arc`](std::sync::Arc), and so
    /// is the platform.
    pub fn read(&mut self, tree: &Tree) -> Repository {
        self.read_judged(tree, judge::judge)
    }
}
