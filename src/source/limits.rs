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

/// A path below the followed folder has at most so many parts. Nobody nests services deeper; a tree that is made for harm
/// has thousands.
pub(super) const DEEPEST: usize = 32;
/// The longest path that is read, in bytes.
pub(super) const LONGEST_PATH: usize = 1024;
/// How many entries of one folder below `services/` are looked at, those that are passed over included.
pub(super) const MOST_LOOKED_AT: usize = 25_000;
/// How many folders there are at most below `services/`.
pub(super) const MOST_FOLDERS: usize = 1000;

impl Limits {
    /// A folder below `services/` has at most this part of all: 2,500 files and folders, and 16 MiB. So one team's
    /// files leave room for those of others.
    const FOLDER: u64 = 4;

    pub(super) fn of_a_folder(self) -> Room {
        Room {
            entries: self.entries.div_ceil(Self::FOLDER as usize),
            bytes: self.total.div_ceil(Self::FOLDER),
            is_share: false,
        }
    }
}

/// An amount of files and folders, and of bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) entries: usize,
    pub(super) bytes: u64,
    /// Whether it is a part of what there is for all.
    pub(super) is_share: bool,
}

impl Room {
    pub(super) fn and(self, other: Self) -> Self {
        let (entries, bytes) =
            (self.entries + other.entries, self.bytes.saturating_add(other.bytes));
        Self { entries, bytes, ..self }
    }

    pub(super) fn is_within(self, bound: Self) -> bool {
        self.entries <= bound.entries && self.bytes <= bound.bytes
    }

    pub(super) fn at_least(self, other: Self) -> Self {
        let (entries, bytes) = (self.entries.max(other.entries), self.bytes.max(other.bytes));
        Self { entries, bytes, ..self }
    }

    pub(super) fn at_most(self, other: Self) -> Self {
        let (entries, bytes) = (self.entries.min(other.entries), self.bytes.min(other.bytes));
        Self {
            entries,
            bytes,
            is_share: self.is_share && (entries, bytes) != (other.entries, other.bytes),
        }
    }

    /// What is wrong with a folder that has more.
    pub(super) fn flaw(self) -> Flaw {
        let Self { entries, bytes, is_share } = self;
        match is_share {
            true => Flaw::ShareTooLarge { entries, bytes },
            false => Flaw::FolderTooLarge { entries, bytes },
        }
    }
}

/// Files on their way into memory, counted against the limits. What no reader of the tree looks at is
/// neither read nor counted, whatever it is.
pub(super) struct Collected {
    limits: Limits,
    /// Of everything that is in no folder below `services/`.
    used: Room,
    /// Folders with a misspelt name in which a file was found already, and how much was looked at in
    /// such folders.
    misspelt: (BTreeSet<String>, usize),
    pub(super) tree: Tree,
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
    /// Nothing that git would put there.
    Forged,
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
        Self { limits, used: Room::default(), misspelt: Default::default(), tree }
    }

    /// What is left for the folders below `services/`: a quarter at least, whatever the platform team has.
    pub(super) fn left(&self) -> Room {
        let Limits { entries, total, .. } = self.limits;
        let left = Room {
            entries: entries.saturating_sub(self.used.entries),
            bytes: total.saturating_sub(self.used.bytes),
            is_share: true,
        };
        left.at_least(self.limits.of_a_folder())
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
        let Limits { file, entries, total } = self.limits;
        let next = match kind {
            // Only a file can be misnamed.
            Kind::Folder if place == Place::Settings && is_top && path != SETTINGS => {
                Next::PassOver
            }
            _ => next_in_folder(path, kind, name_is_text, file),
        };
        if next == Next::PassOver {
            return Ok(next);
        }
        self.used.entries += 1;
        if self.used.entries > entries {
            return Err(refused(shown, Refusal::TooMany { limit: entries }));
        }
        if let (Next::Read, Kind::File { size }) = (next, kind) {
            self.used.bytes = self.used.bytes.saturating_add(size);
            if self.used.bytes > total {
                return Err(refused(shown, Refusal::TotalTooLarge { limit: total }));
            }
        }
        Ok(next)
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
    pub(super) fn keep(&mut self, path: String, file: File) {
        keep(&mut self.tree, path, file);
    }
}

/// Keeps a file under its path. A path that is there twice, which git does not make, is neither of the two.
pub(super) fn keep(tree: &mut Tree, path: String, file: File) {
    match tree.files.entry(path) {
        Entry::Vacant(free) => drop(free.insert(file)),
        // Of names that are not UTF-8 several can look the same.
        Entry::Occupied(_) if file.flaw() == Some(Flaw::Name) => {}
        Entry::Occupied(mut taken) => {
            let forged = File::flawed(Flaw::Forged, taken.key().as_bytes());
            taken.insert(forged);
        }
    }
}

/// What becomes of something in a folder that is read, with at most so many bytes a file.
pub(super) fn next_in_folder(path: &str, kind: Kind, name_is_text: bool, limit: u64) -> Next {
    let is_top = !path.contains('/');
    let is_read = Place::is_read(path);
    match kind {
        Kind::File { .. } | Kind::Special | Kind::Link { to_file: true } if !is_read && !is_top => {
            Next::PassOver
        }
        // Such as the lock that an editor puts beside a file.
        Kind::Link { .. } if !is_read && is_hidden_yaml(path) => Next::PassOver,
        _ if !name_is_text => Next::Keep(Flaw::Name),
        Kind::Folder => Next::Descend,
        Kind::File { size } if size > limit => Next::Keep(Flaw::TooLarge { size, limit }),
        Kind::File { .. } => Next::Read,
        Kind::Link { .. } => Next::Keep(Flaw::Symlink),
        Kind::Submodule => Next::Keep(Flaw::Submodule),
        Kind::Special => Next::Keep(Flaw::Special),
        Kind::Forged => Next::Keep(Flaw::Forged),
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
