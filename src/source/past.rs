//! What earlier commits of the branch changed.

use std::path::Path;
use std::sync::Arc;

use git2::{Commit, DiffOptions, Oid, Repository};

use super::ancestry::open;
use super::blobs::{SYMLINK, blob_id};
use super::limits::LIMITS;
use super::{Revision, Source};
use coalmine_core::tree::{File, Tree};

/// The file that decides what a service's file means.
const SETTINGS: &str = "coalmine.yaml";
/// A commit that changes more services is a migration, which nobody reads as a step of each.
const MOST_FILES: usize = 100;
/// How much of all files is read, in bytes; older commits are left out.
const MOST_BYTES: u64 = 4 << 20;

/// An earlier commit: the files of services that it changed and the settings, as they were before it and
/// after it.
#[derive(Debug)]
pub struct Change {
    /// The commit.
    pub revision: Arc<Revision>,
    /// Before it.
    pub before: Tree,
    /// After it.
    pub after: Tree,
}

impl Source {
    /// What the newest commits up to this one changed, the oldest first: at most `most` of them, along the
    /// first parents, and 4 MiB. The first commit of a repository begins with what it has, and changes
    /// nothing.
    ///
    /// # Errors
    /// When the clone cannot be read.
    pub fn past(&self, revision: &Revision, most: usize) -> Result<Vec<Change>, git2::Error> {
        let repository = open(&self.config.clone_directory())?;
        // A clone need not have all of the history; its first commit then has no parent, as that of all has.
        let mut next = Some(repository.find_commit(Oid::from_str(&revision.id)?)?);
        let (mut changes, mut room) = (Vec::new(), MOST_BYTES);
        for _ in 0..most {
            let Some(commit) = next else { break };
            changes.extend(change(&repository, &commit, &self.config.path, &mut room)?);
            next = commit.parent(0).ok();
            if room == 0 {
                break;
            }
        }
        changes.reverse();
        Ok(changes)
    }
}

fn change(
    repository: &Repository,
    commit: &Commit<'_>,
    path: &str,
    room: &mut u64,
) -> Result<Option<Change>, git2::Error> {
    let Ok(parent) = commit.parent(0) else { return Ok(None) };
    let (before, after) = (parent.tree()?, commit.tree()?);
    let folder = |name: &str| if path.is_empty() { name.into() } else { format!("{path}/{name}") };
    let mut options = DiffOptions::new();
    options.pathspec(folder("services/")).disable_pathspec_match(true);
    let diff = repository.diff_tree_to_tree(Some(&before), Some(&after), Some(&mut options))?;
    if diff.deltas().len() == 0 || diff.deltas().len() > MOST_FILES {
        return Ok(None);
    }
    let (mut files, prefix) = ([Tree::default(), Tree::default()], folder(""));
    let changed = diff.deltas().filter_map(|delta| {
        let path = delta.new_file().path().or(delta.old_file().path())?;
        Some(path.to_str()?.strip_prefix(&prefix)?.to_owned())
    });
    let paths: Vec<String> = changed.chain([SETTINGS.to_owned()]).collect();
    let objects = repository.odb()?;
    for (tree, collected) in [&before, &after].into_iter().zip(&mut files) {
        for path in &paths {
            let Ok(entry) = tree.get_path(Path::new(&folder(path))) else { continue };
            if entry.filemode() == SYMLINK {
                continue;
            }
            let Ok((size, _)) = objects.read_header(entry.id()) else { continue };
            if size as u64 > LIMITS.file {
                continue;
            }
            *room = room.saturating_sub(size as u64);
            if *room == 0 {
                return Ok(None);
            }
            let Ok(blob) = repository.find_blob(entry.id()) else { continue };
            collected
                .files
                .insert(path.clone(), File::of_blob(blob_id(entry.id()), blob.content()));
        }
    }
    let [before, after] = files;
    Ok(Some(Change { revision: Arc::new(Revision::of(commit)), before, after }))
}
