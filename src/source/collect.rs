//! Walks the files of a revision, wherever they are kept.
//!
//! Each folder below `services/` is walked by itself and up to its own limits, so that one team's files, whatever they
//! are, stop no other team's. Where all of them are more than what is read of a revision, each folder has a fair part: who
//! needs less than that has all of its own, and what a folder had before keeps its room.

use std::collections::BTreeMap;

use super::error::{Refusal, SourceError};
use super::limits::{
    Collected, DEEPEST, Kind, LONGEST_PATH, Limits, MOST_FOLDERS, MOST_LOOKED_AT, Next, Room, keep,
    next_in_folder, refused,
};
use coalmine_core::tree::{File, Flaw, Tree};
use coalmine_core::values::Place;

/// Where files are read from.
pub(super) trait Storage {
    /// Names a folder or a file.
    type Handle: Clone;
    /// What reading fails with.
    type Error: From<SourceError>;

    /// What stands in a folder, or why that cannot be said.
    fn entries(&self, folder: &Self::Handle) -> Result<Listing<Self::Handle>, Self::Error>;

    /// What an entry is; `known` is the same file as it was read before. `is_read` says whether a file of its path is read.
    fn kind(
        &self,
        entry: &Self::Handle,
        path: &str,
        known: Option<&File>,
        is_read: bool,
    ) -> Result<Kind, Self::Error>;

    /// Whether the entry has the content of the file.
    fn is_same(&self, file: &File, entry: &Self::Handle) -> bool;

    /// The file of an entry, which has at most so many bytes as `kind` said.
    fn content(&self, entry: &Self::Handle, limit: u64) -> Result<File, Self::Error>;

    /// An entry whose content is not read.
    fn flawed(&self, entry: &Self::Handle, flaw: Flaw) -> File;

    /// A path as messages name it.
    fn shown(&self, path: &str) -> String;
}

/// The entries of a folder, or what is wrong with it.
pub(super) type Listing<H> = Result<Vec<Entry<H>>, Flaw>;

/// Something in a folder.
pub(super) struct Entry<H> {
    pub(super) name: String,
    /// Whether the name is UTF-8.
    pub(super) is_text: bool,
    pub(super) handle: H,
}

impl<H> Entry<H> {
    /// Whether it is nothing that a folder can have: a name that leads elsewhere.
    fn is_forged(&self) -> bool {
        self.name.contains('/') || ["", ".", ".."].contains(&self.name.as_str())
    }

    /// Whether it is git's own.
    fn is_git(&self) -> bool {
        self.name.eq_ignore_ascii_case(".git")
    }
}

/// A folder right below `services/`.
struct Folder<H> {
    name: String,
    handle: H,
}

/// The path under which an entry of a name that leads elsewhere is reported: it stands for no file, and is in this folder.
fn forged_path(prefix: &str, name: &str) -> String {
    let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '?' };
    format!("{prefix}{}", name.chars().take(64).map(plain).chain(['?']).collect::<String>())
}

/// The files below `root` that are read. What is the same in `previous` is shared with it.
pub(super) fn collect<S: Storage>(
    storage: &S,
    root: S::Handle,
    revision: String,
    previous: &Tree,
    limits: Limits,
) -> Result<Tree, S::Error> {
    let mut collected = Collected::new(revision, limits);
    let mut own = Vec::new();
    let mut stack = vec![(root, String::new())];
    while let Some((folder, prefix)) = stack.pop() {
        let entries = match storage.entries(&folder)? {
            Ok(entries) => entries,
            Err(flaw) => {
                let path = prefix.trim_end_matches('/').to_owned();
                if path.is_empty() {
                    return Err(refused(&storage.shown("."), Refusal::of_root(flaw)).into());
                }
                collected.keep(path, storage.flawed(&folder, flaw));
                continue;
            }
        };
        for entry in entries {
            let below = format!("{prefix}{}", entry.name);
            if entry.is_git() || Place::of(&below) == Place::Elsewhere {
                continue;
            }
            let handle = &entry.handle;
            if entry.is_forged() {
                collected
                    .keep(forged_path(&prefix, &entry.name), storage.flawed(handle, Flaw::Forged));
                continue;
            }
            let shown = storage.shown(&below);
            if below.len() > LONGEST_PATH || below.split('/').count() > DEEPEST {
                let refusal = Refusal::TooDeep { folders: DEEPEST, bytes: LONGEST_PATH };
                return Err(refused(&shown[..shown.floor_char_boundary(80)], refusal).into());
            }
            let known = previous.files.get(&below).filter(|file| storage.is_same(file, handle));
            let kind = storage.kind(handle, &below, known, Place::is_read(&below))?;
            if kind == Kind::Folder && prefix == "services/" && entry.is_text {
                own.push(Folder { name: entry.name, handle: entry.handle });
                continue;
            }
            match collected.next(&below, &shown, kind, entry.is_text)? {
                Next::PassOver => {}
                Next::Descend => stack.push((entry.handle, format!("{below}/"))),
                Next::Keep(flaw) => collected.keep(below, storage.flawed(handle, flaw)),
                Next::Read => {
                    let file = known.map_or_else(
                        || storage.content(handle, limits.file),
                        |it| Ok(it.clone()),
                    )?;
                    collected.keep(below, file);
                }
            }
        }
    }
    let mut walk = Walk { storage, previous, limits, left: collected.left() };
    walk.folders(own, &mut collected.tree)?;
    Ok(collected.tree)
}

/// The walk through the folders below `services/`.
struct Walk<'a, S> {
    storage: &'a S,
    previous: &'a Tree,
    limits: Limits,
    /// What all of them may have together.
    left: Room,
}

impl<S: Storage> Walk<'_, S> {
    fn folders(
        &mut self,
        mut own: Vec<Folder<S::Handle>>,
        tree: &mut Tree,
    ) -> Result<(), S::Error> {
        // Those that were there before come first, and each keeps its order.
        own.sort_by_cached_key(|folder| {
            (self.before(&folder.name).entries == 0, folder.name.clone())
        });
        // A name that stands twice.
        own.dedup_by(|one, other| {
            let is_twice = one.name == other.name;
            if is_twice {
                let path = format!("services/{}", one.name);
                tree.files.insert(path, self.storage.flawed(&one.handle, Flaw::Forged));
            }
            is_twice
        });
        for folder in own.split_off(own.len().min(MOST_FOLDERS)) {
            let flaw = Flaw::OneFolderTooMany { limit: MOST_FOLDERS };
            keep(
                tree,
                format!("services/{}", folder.name),
                self.storage.flawed(&folder.handle, flaw),
            );
        }
        let most = self.limits.of_a_folder();
        if !self.read(&own, tree, |_| most, Some(self.left))? {
            // All together are too much: who has more than a fair part is cut.
            let mut sizes = Vec::new();
            for folder in &own {
                sizes.push(self.walk(folder, most, None)?.unwrap_or(most));
            }
            let entries =
                fair(sizes.iter().map(|size| size.entries as u64), self.left.entries as u64);
            let bytes = fair(sizes.iter().map(|size| size.bytes), self.left.bytes);
            let entries = usize::try_from(entries).unwrap_or(usize::MAX);
            let grant = |folder: &Folder<S::Handle>| {
                let before = self.before(&folder.name);
                Room { entries, bytes, is_share: true }.at_least(before).at_most(most)
            };
            self.read(&own, tree, grant, None)?;
        }
        Ok(())
    }

    /// Reads the folders, each up to what it is granted, and says whether they are within the bound.
    fn read(
        &self,
        own: &[Folder<S::Handle>],
        tree: &mut Tree,
        grant: impl Fn(&Folder<S::Handle>) -> Room,
        bound: Option<Room>,
    ) -> Result<bool, S::Error> {
        let mut total = Room::default();
        let mut found = Vec::new();
        for folder in own {
            let granted = grant(folder);
            let mut files = Tree::default();
            let usage = match self.walk(folder, granted, Some(&mut files))? {
                Ok(usage) => usage,
                Err(flaw) => {
                    let path = format!("services/{}", folder.name);
                    files.files.insert(path, self.storage.flawed(&folder.handle, flaw));
                    granted
                }
            };
            total = total.and(usage);
            if bound.is_some_and(|bound| !total.is_within(bound)) {
                return Ok(false);
            }
            found.push(files);
        }
        for (path, file) in found.into_iter().flat_map(|files| files.files) {
            tree.files.entry(path).or_insert(file);
        }
        Ok(true)
    }

    /// Walks one folder, and says how much it has of what is read, or why not all of it is looked at.
    fn walk(
        &self,
        folder: &Folder<S::Handle>,
        room: Room,
        mut files: Option<&mut Tree>,
    ) -> Result<Result<Room, Flaw>, S::Error> {
        let mut usage = Room::default();
        let mut looked_at = 0;
        let mut stack = vec![(folder.handle.clone(), format!("services/{}/", folder.name))];
        while let Some((handle, prefix)) = stack.pop() {
            let entries = match self.storage.entries(&handle)? {
                Ok(entries) => entries,
                Err(flaw) => return Ok(Err(flaw)),
            };
            for entry in entries {
                looked_at += 1;
                if looked_at > MOST_LOOKED_AT {
                    return Ok(Err(Flaw::TooMuchBeside { limit: MOST_LOOKED_AT }));
                }
                let handle = &entry.handle;
                let mut mark = |path: String, flaw| {
                    if let Some(tree) = &mut files {
                        keep(tree, path, self.storage.flawed(handle, flaw));
                    }
                };
                if entry.is_git() {
                    continue;
                }
                let below = format!("{prefix}{}", entry.name);
                if below.len() > LONGEST_PATH || below.split('/').count() > DEEPEST {
                    return Ok(Err(Flaw::TooDeep { folders: DEEPEST, bytes: LONGEST_PATH }));
                }
                let forged = entry.is_forged();
                let known = self.previous.files.get(&below);
                let known = known.filter(|file| self.storage.is_same(file, handle));
                let next = if forged {
                    Next::Keep(Flaw::Forged)
                } else {
                    let kind = self.storage.kind(handle, &below, known, Place::is_read(&below))?;
                    let next = next_in_folder(&below, kind, entry.is_text, self.limits.file);
                    usage.bytes += match (next, kind) {
                        (Next::Read, Kind::File { size }) => size,
                        _ => 0,
                    };
                    next
                };
                usage.entries += usize::from(next != Next::PassOver);
                if !usage.is_within(room) {
                    return Ok(Err(room.flaw()));
                }
                match next {
                    Next::PassOver => {}
                    Next::Descend => stack.push((entry.handle, format!("{below}/"))),
                    Next::Keep(flaw) if forged => mark(forged_path(&prefix, &entry.name), flaw),
                    Next::Keep(flaw) => mark(below, flaw),
                    Next::Read => {
                        if let Some(tree) = &mut files {
                            let file = known.map_or_else(
                                || self.storage.content(handle, self.limits.file),
                                |it| Ok(it.clone()),
                            )?;
                            keep(tree, below, file);
                        }
                    }
                }
            }
        }
        Ok(Ok(usage))
    }

    /// About what a folder had in the revision before, with room for a small change.
    fn before(&self, folder: &str) -> Room {
        let prefix = format!("services/{folder}/");
        let files = self.previous.files.range(prefix.clone()..);
        let files = files.take_while(|(path, _)| path.starts_with(&prefix));
        let files = files.filter(|(_, file)| file.flaw().is_none());
        let mut before = BTreeMap::new();
        let mut bytes = 0;
        for (path, file) in files {
            bytes += file.content().len() as u64;
            // The file, and the folders that it is in.
            let below = &path[prefix.len()..];
            before.insert(below, ());
            before.extend(below.match_indices('/').map(|(at, _)| (&below[..at], ())));
        }
        match before.len() {
            0 => Room::default(),
            entries => Room { entries: entries + 8, bytes: bytes + (4 << 10), is_share: true },
        }
    }
}

/// The most that each may have so that all who need less than that have what they need, and all together have no more than
/// there is.
fn fair(sizes: impl Iterator<Item = u64>, total: u64) -> u64 {
    let mut sizes: Vec<u64> = sizes.collect();
    sizes.sort_unstable();
    let (mut left, mut others) = (total, sizes.len() as u64);
    for size in sizes {
        let share = left / others;
        if size > share {
            return share;
        }
        (left, others) = (left - size, others - 1);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::fair;

    #[test]
    fn a_fair_part_is_what_is_left_when_the_small_have_all_of_theirs() {
        let fair = |sizes: &[u64], total| fair(sizes.iter().copied(), total);
        assert_eq!(fair(&[], 10), 10);
        assert_eq!(fair(&[1, 2, 3], 10), 10, "there is enough for all");
        assert_eq!(fair(&[1, 20, 2, 20], 13), 5);
        assert_eq!(fair(&[9, 9, 9], 10), 3);
        assert_eq!(fair(&[0, 9], 0), 0);
    }
}
