//! Reads the tree of one commit from the clone's objects, without a checkout.

use std::cell::Cell;
use std::path::Path;

use git2::{FileMode, ObjectType, Oid, Repository};

use super::collect::{Entry, Listing, Storage};
use super::error::{Refusal, SourceError};
use super::limits::{Kind, LIMITS, Limits, refused};
use super::trees::Trees;
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::short;
use coalmine_core::tree::{File, Flaw, Tree};

/// The mode of a symbolic link in git's trees.
pub(super) const SYMLINK: i32 = 0o120_000;
/// How many links one after the other are looked through.
const MOST_LINKS: usize = 8;
/// How many links of one commit are looked through, each one of a chain counted.
const MOST_RESOLVED: usize = 2000;
/// The longest target of a link that is followed, in bytes: the longest path of Linux.
const LONGEST_TARGET: usize = 4096;

/// The files of a commit below `path` that a [`Reader`](coalmine_core::values::Reader) reads, of any
/// repository on disk; an empty path is its root.
///
/// # Errors
/// [`SourceError::Damaged`] when an object cannot be read, and [`SourceError::Refused`] for too much and
/// for what git does not make.
pub fn read_commit(repository: &Path, revision: &str, path: &str) -> Result<Tree, SourceError> {
    read(repository, revision, path, &Tree::default())
}

/// The files of a commit below `path` (normalised; empty for the root). A file that `previous` has
/// with the same content is shared with it and not read.
pub(super) fn read(
    clone: &Path,
    revision: &str,
    path: &str,
    previous: &Tree,
) -> Result<Tree, SourceError> {
    let damaged = |error: git2::Error| SourceError::Damaged {
        directory: clone.to_path_buf(),
        detail: error.message().to_owned(),
    };
    let repository = Repository::open_bare(clone).map_err(damaged)?;
    collect(&repository, revision, path, previous, LIMITS).map_err(|error| match error {
        ReadError::Git(error) => damaged(error),
        ReadError::Source(error) => error,
    })
}

/// Either our own refusal, or libgit2 failing on objects that should be there.
enum ReadError {
    Git(git2::Error),
    Source(SourceError),
}

impl From<git2::Error> for ReadError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<SourceError> for ReadError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

fn collect(
    repository: &Repository,
    revision: &str,
    path: &str,
    previous: &Tree,
    limits: Limits,
) -> Result<Tree, ReadError> {
    let trees = Trees::of(repository)?;
    let commit = Oid::from_str(revision)?;
    let root = trees.root_of(commit)?;
    let root = root.ok_or_else(|| refused(short(revision), Refusal::TooLarge))?;
    let folder = folder(&trees, root, revision, path)?;
    let folder = Handle { id: folder, mode: FileMode::Tree.into() };
    let storage = Commit { trees, root, path, links: Cell::new(MOST_RESOLVED) };
    super::collect::collect(&storage, folder, revision.to_owned(), previous, limits)
}

/// An entry of a tree.
#[derive(Clone, Copy)]
struct Handle {
    id: Oid,
    mode: i32,
}

/// The files of a commit.
struct Commit<'a> {
    trees: Trees<'a>,
    /// Its root, where links may lead.
    root: Oid,
    /// The followed folder.
    path: &'a str,
    /// How many more links are looked through.
    links: Cell<usize>,
}

impl Storage for Commit<'_> {
    type Handle = Handle;
    type Error = ReadError;

    fn entries(&self, folder: &Handle) -> Result<Listing<Handle>, ReadError> {
        let tree = match self.trees.load(folder.id)? {
            Ok(tree) => tree,
            Err(flaw) => return Ok(Err(flaw)),
        };
        let entry = |entry: git2::TreeEntry<'_>| Entry {
            name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
            is_text: std::str::from_utf8(entry.name_bytes()).is_ok(),
            handle: Handle { id: entry.id(), mode: entry.filemode() },
        };
        Ok(Ok(tree.iter().map(entry).collect()))
    }

    fn kind(
        &self,
        entry: &Handle,
        path: &str,
        known: Option<&File>,
        is_read: bool,
    ) -> Result<Kind, ReadError> {
        if entry.mode == SYMLINK {
            return Ok(Kind::Link { to_file: !is_read && self.ends_at_file(&self.shown(path))? });
        }
        if entry.mode == i32::from(FileMode::Commit) {
            return Ok(Kind::Submodule);
        }
        if entry.mode == i32::from(FileMode::Tree) {
            return Ok(Kind::Folder);
        }
        if let Some(known) = known {
            return Ok(Kind::File { size: known.content().len() as u64 });
        }
        // Of what is passed over nothing matters.
        if !is_read {
            return Ok(Kind::File { size: 0 });
        }
        Ok(match self.trees.objects.read_header(entry.id)? {
            (size, ObjectType::Blob) => Kind::File { size: size as u64 },
            _ => Kind::Forged,
        })
    }

    fn is_same(&self, file: &File, entry: &Handle) -> bool {
        file.is_blob(entry.id.as_bytes())
    }

    fn content(&self, entry: &Handle, _limit: u64) -> Result<File, ReadError> {
        let blob = self.trees.repository.find_blob(entry.id)?;
        Ok(File::of_blob(blob_id(entry.id), blob.content()))
    }

    fn flawed(&self, entry: &Handle, flaw: Flaw) -> File {
        File::flawed(flaw, entry.id.as_bytes())
    }

    fn shown(&self, path: &str) -> String {
        if self.path.is_empty() { path.to_owned() } else { format!("{}/{path}", self.path) }
    }
}

impl Commit<'_> {
    /// Whether a link, by its path from the root of the repository, ends at a file of the same commit. Of a great many
    /// links this is not said.
    fn ends_at_file(&self, link: &str) -> Result<bool, git2::Error> {
        let mut path = link.to_owned();
        for _ in 0..MOST_LINKS {
            let Some(left) = self.links.get().checked_sub(1) else { return Ok(false) };
            self.links.set(left);
            let Some((id, mode)) = self.trees.at(self.root, &path)? else { return Ok(false) };
            if [FileMode::Tree, FileMode::Commit].map(i32::from).contains(&mode) {
                return Ok(false);
            }
            if mode != SYMLINK {
                return Ok(true);
            }
            let Some(target) = self.trees.text(id, LONGEST_TARGET) else { return Ok(false) };
            let Some(next) = resolved(&path, &target) else { return Ok(false) };
            path = next;
        }
        Ok(false)
    }
}

/// The path that a link's target means, if it is inside the repository.
fn resolved(link: &str, target: &str) -> Option<String> {
    if target.is_empty() || target.starts_with('/') {
        return None;
    }
    let mut names: Vec<&str> = link.split('/').collect();
    names.pop();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The tree object of the configured folder.
fn folder(trees: &Trees<'_>, root: Oid, revision: &str, path: &str) -> Result<Oid, ReadError> {
    if path.is_empty() {
        return Ok(root);
    }
    let is_tree = |mode: i32| mode == i32::from(FileMode::Tree);
    if let Some((id, mode)) = trees.at(root, path)?
        && is_tree(mode)
    {
        return Ok(id);
    }
    // Name what is there at the deepest level that exists.
    let mut parent = Vec::new();
    let mut deepest = root;
    for name in path.split('/') {
        let Some((id, mode)) = trees.at(deepest, name)? else { break };
        if !is_tree(mode) {
            break;
        }
        deepest = id;
        parent.push(name);
    }
    let tree = trees.load(deepest)?.map_err(|flaw| refused(path, Refusal::of_root(flaw)))?;
    let existing = tree
        .iter()
        .filter(|entry| entry.kind() == Some(ObjectType::Tree))
        .map(|entry| {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            parent.iter().copied().chain([&*sanitize(&name)]).collect::<Vec<_>>().join("/")
        })
        .collect();
    Err(SourceError::PathMissing {
        revision: short(revision).to_owned(),
        path: path.to_owned(),
        existing,
    }
    .into())
}

/// The 20 bytes of a SHA-1 object id.
pub(super) fn blob_id(id: git2::Oid) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(id.as_bytes());
    bytes
}

#[cfg(test)]
mod tests;
