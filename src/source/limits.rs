//! What is read of a tree, and how much before it is refused.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

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

impl Limits {
    /// A folder below `services/` has at most this part of all: 2,500 files and folders, and 16 MiB. So one team's
    /// files leave room for those of others.
    const FOLDER: u64 = 4;

    fn of_a_folder(self) -> (usize, u64) {
        (self.entries.div_ceil(Self::FOLDER as usize), self.total.div_ceil(Self::FOLDER))
    }
}

/// Files on their way into memory, counted against the limits. What no reader of the tree looks at is
/// neither read nor counted, whatever it is.
pub(super) struct Collected {
    limits: Limits,
    entries: usize,
    total: u64,
    /// Folders with a misspelt name in which a file was found already, and how much was looked at in
    /// such folders.
    misspelt: (BTreeSet<String>, usize),
    /// How many files and folders, and how many bytes, each folder below `services/` has; nothing for one that has
    /// too many.
    folders: BTreeMap<String, Option<(usize, u64)>>,
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
        let folders = BTreeMap::new();
        Self { limits, entries: 0, total: 0, misspelt: Default::default(), folders, tree }
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
        if !self.has_room(path, kind) {
            return Ok(Next::PassOver);
        }
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

    /// Whether the folder below `services/` that the path is in has room for it. The first one that has none is kept as
    /// a flaw of the folder.
    fn has_room(&mut self, path: &str, kind: Kind) -> bool {
        let folder = path.strip_prefix("services/").and_then(|below| below.split_once('/'));
        let Some((folder, _)) = folder else { return true };
        let (entries, bytes) = self.limits.of_a_folder();
        let usage = self.folders.entry(folder.to_owned()).or_insert(Some((0, 0)));
        let Some((count, total)) = usage else { return false };
        *count += 1;
        if let Kind::File { size } = kind
            && size <= self.limits.file
        {
            *total = total.saturating_add(size);
        }
        if *count <= entries && *total <= bytes {
            return true;
        }
        *usage = None;
        let path = format!("services/{folder}");
        let file = File::flawed(Flaw::FolderTooLarge { entries, bytes }, path.as_bytes());
        self.tree.files.insert(path, file);
        false
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
