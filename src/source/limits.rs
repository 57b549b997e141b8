//! What is read of a tree, and how much before it is refused.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::error::{Refusal, SourceError};
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::{File, Flaw, Tree};
use coalmine_core::values::Place;

/// The file with the settings.
const SETTINGS: &str = "coalmine.yaml";

/// The most that is read into memory from one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub(super) file: u64,
    /// Files and folders together, of those that are read: folders count, because a small repository can hold a tree that
    /// names itself over and over.
    pub(super) entries: usize,
    /// Bytes of all files that are read.
    pub(super) total: u64,
}

/// 1 MiB a file, 10,000 files and folders, 64 MiB in total.
pub(super) const LIMITS: Limits = Limits { file: 1 << 20, entries: 10_000, total: 64 << 20 };

/// Files on their way into memory, counted against the limits. What no reader of the tree looks at is
/// neither read nor counted, whatever it is.
pub(super) struct Collected {
    limits: Limits,
    entries: usize,
    total: u64,
    /// Folders with a misspelt name in which a file was found already, and how much was looked at in
    /// such folders.
    misspelt: (BTreeSet<String>, usize),
    tree: Tree,
}

/// Something that stands in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File {
        /// In bytes.
        size: u64,
    },
    Link {
        /// Whether it ends at a file, and so at no folder with files of its own.
        to_file: bool,
    },
    Submodule,
    Special,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    PassOver,
    /// Look into the folder.
    Descend,
    /// Keep the content.
    Read,
    /// Keep that there is none.
    Keep(Flaw),
}

impl Collected {
    pub(super) fn new(revision: String, limits: Limits) -> Self {
        let tree = Tree { revision, ..Tree::default() };
        Self { limits, entries: 0, total: 0, misspelt: Default::default(), tree }
    }

    /// What becomes of something at this path, below the configured folder. `shown` is its path in
    /// messages, and `name_is_text` says whether its name is UTF-8.
    ///
    /// # Errors
    /// [`SourceError::Refused`] beyond the limits.
    pub(super) fn next(
        &mut self,
        path: &str,
        shown: &str,
        kind: Kind,
        name_is_text: bool,
    ) -> Result<Next, SourceError> {
        let place = Place::of(path);
        let is_top = !path.contains('/');
        if place == Place::Elsewhere {
            return Ok(Next::PassOver);
        }
        if place == Place::Misspelt {
            return Ok(self.next_in_misspelt(path, kind));
        }
        let is_read = Place::is_read(path);
        let flaw = match kind {
            // Only a file can be misnamed.
            Kind::Folder if place == Place::Settings && is_top && path != SETTINGS => {
                return Ok(Next::PassOver);
            }
            Kind::File { .. } | Kind::Special | Kind::Link { to_file: true }
                if !is_read && !is_top =>
            {
                return Ok(Next::PassOver);
            }
            // Such as the lock that an editor puts beside a file.
            Kind::Link { .. } if !is_read && is_hidden_yaml(path) => return Ok(Next::PassOver),
            _ if !name_is_text => Some(Flaw::Name),
            Kind::Folder | Kind::File { .. } => None,
            Kind::Link { .. } => Some(Flaw::Symlink),
            Kind::Submodule => Some(Flaw::Submodule),
            Kind::Special => Some(Flaw::Special),
        };
        self.entries += 1;
        let Limits { file: limit, entries, total } = self.limits;
        if self.entries > entries {
            return Err(refused(shown, Refusal::TooMany { limit: entries }));
        }
        Ok(match (flaw, kind) {
            (Some(flaw), _) => Next::Keep(flaw),
            (None, Kind::File { size }) if size > limit => {
                Next::Keep(Flaw::TooLarge { size, limit })
            }
            (None, Kind::File { size }) => {
                self.total = self.total.saturating_add(size);
                if self.total > total {
                    return Err(refused(shown, Refusal::TotalTooLarge { limit: total }));
                }
                Next::Read
            }
            (None, _) => Next::Descend,
        })
    }

    /// Of a folder whose name is misspelt only matters whether it has one file that would be read.
    fn next_in_misspelt(&mut self, path: &str, kind: Kind) -> Next {
        let top = path.split('/').next().unwrap_or_default();
        let (found, looked_at) = &mut self.misspelt;
        *looked_at += 1;
        match kind {
            _ if found.contains(top) || *looked_at > self.limits.entries => Next::PassOver,
            Kind::Link { .. } if path == top => Next::Keep(Flaw::Symlink),
            Kind::Submodule if path == top => Next::Keep(Flaw::Submodule),
            Kind::Folder => Next::Descend,
            Kind::File { .. } if Place::is_read(path) => {
                found.insert(top.to_owned());
                Next::Keep(Flaw::Misplaced)
            }
            _ => Next::PassOver,
        }
    }

    /// Keeps a file, under its path below the configured folder.
    ///
    /// # Errors
    /// [`SourceError::Refused`] when it is kept already.
    pub(super) fn keep(&mut self, path: String, file: File) -> Result<(), SourceError> {
        match self.tree.files.entry(path) {
            Entry::Vacant(free) => drop(free.insert(file)),
            // Of names that are not UTF-8 several can look the same.
            Entry::Occupied(_) if file.flaw() == Some(Flaw::Name) => {}
            Entry::Occupied(taken) => return Err(refused(taken.key(), Refusal::Forged)),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Tree {
        self.tree
    }
}

/// Whether it is a file that would be read if its name did not begin with a dot.
fn is_hidden_yaml(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().trim_start_matches('.');
    Place::is_read(&format!("services/{name}"))
}

/// A refusal that names its path.
pub(super) fn refused(path: &str, refusal: Refusal) -> SourceError {
    SourceError::Refused { path: sanitize(path).into_owned(), refusal }
}
