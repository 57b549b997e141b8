//! How much of a tree is read before it is refused.

use std::collections::btree_map::Entry;

use super::error::{Refusal, SourceError};
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::{File, Tree};

/// The most that is read into memory from one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub(super) file: u64,
    /// Files and folders together: folders count, because a small repository can hold a tree that
    /// names itself over and over.
    pub(super) entries: usize,
    /// Bytes of all files.
    pub(super) total: u64,
}

/// 1 MiB a file, 10,000 files and folders, 64 MiB in total.
pub(super) const LIMITS: Limits = Limits { file: 1 << 20, entries: 10_000, total: 64 << 20 };

/// Files on their way into memory, counted against the limits.
pub(super) struct Collected {
    limits: Limits,
    entries: usize,
    total: u64,
    tree: Tree,
}

impl Collected {
    pub(super) fn new(revision: String, limits: Limits) -> Self {
        let tree = Tree { revision, ..Tree::default() };
        Self { limits, entries: 0, total: 0, tree }
    }

    /// Counts a file or folder.
    pub(super) fn entry(&mut self, path: &str) -> Result<(), SourceError> {
        self.entries += 1;
        let limit = self.limits.entries;
        if self.entries > limit {
            return Err(refused(path, Refusal::TooMany { limit }));
        }
        Ok(())
    }

    /// Counts a file's size, before its content is read.
    pub(super) fn size(&mut self, path: &str, size: u64) -> Result<(), SourceError> {
        let Limits { file, total, .. } = self.limits;
        if size > file {
            return Err(refused(path, Refusal::TooLarge { size, limit: file }));
        }
        self.total += size;
        if self.total > total {
            return Err(refused(path, Refusal::TotalTooLarge { limit: total }));
        }
        Ok(())
    }

    /// Keeps a file, under its path below the configured folder.
    pub(super) fn keep(&mut self, path: String, file: File) -> Result<(), SourceError> {
        match self.tree.files.entry(path) {
            Entry::Vacant(free) => drop(free.insert(file)),
            Entry::Occupied(taken) => return Err(refused(taken.key(), Refusal::Forged)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Tree {
        self.tree
    }
}

/// A refusal that names its path.
pub(super) fn refused(path: &str, refusal: Refusal) -> SourceError {
    SourceError::Refused { path: sanitize(path).into_owned(), refusal }
}
