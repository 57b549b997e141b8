//! What earlier commits of the branch changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use git2::{Commit, FileMode, ObjectType, Oid};

use super::ancestry::{descends, open};
use super::blobs::{SYMLINK, blob_id};
use super::limits::{LIMITS, LONGEST_PATH, MOST_LOOKED_AT};
use super::trees::Trees;
use super::{Revision, Source};
use coalmine_core::tree::{File, Tree};

/// The file that decides what a service's file means.
const SETTINGS: &str = "coalmine.yaml";
/// A commit that changes more services is a migration, which nobody reads as a step of each.
const MOST_FILES: usize = 100;
/// A commit that moves more files is not looked at.
const MOST_MOVED: usize = 5000;
/// Of more commits at once nobody looks what each of them moved.
const MOST_COMMITS: usize = 500;
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
        let trees = Trees::of(&repository)?;
        // A clone need not have all of the history; its first commit then has no parent, as that of all has.
        let mut next = trees.commit(Oid::from_str(&revision.id)?)?;
        let (mut changes, mut room) = (Vec::new(), MOST_BYTES);
        for _ in 0..most {
            let Some(commit) = next else { break };
            changes.extend(change(&trees, &commit, &self.config.path, &mut room)?);
            next = commit.parent_id(0).and_then(|parent| trees.commit(parent)).ok().flatten();
            if room == 0 {
                break;
            }
        }
        changes.reverse();
        Ok(changes)
    }

    /// Where the files of services were moved to by the commits since an earlier one, by the paths that they had. Empty where
    /// the clone does not have all of these commits, or there are a great many.
    ///
    /// # Errors
    /// When the clone cannot be read.
    pub fn moves(
        &self,
        from: &str,
        to: &Revision,
    ) -> Result<BTreeMap<String, String>, git2::Error> {
        let repository = open(&self.config.clone_directory())?;
        let (Ok(from), to) = (Oid::from_str(from), Oid::from_str(&to.id)?) else {
            return Ok(BTreeMap::new());
        };
        moves(&Trees::of(&repository)?, from, to, &self.config.path)
    }

    /// Whether the clone has a commit and knows that it descends from another one, or is it.
    pub fn descends(&self, commit: &str, ancestor: &str) -> bool {
        let known = || -> Result<bool, git2::Error> {
            let repository = open(&self.config.clone_directory())?;
            let (commit, ancestor) = (Oid::from_str(commit)?, Oid::from_str(ancestor)?);
            descends(&repository, commit, ancestor)
        };
        known().unwrap_or(false)
    }

    /// The files of a commit that may be in the clone; `None` when it is not, or cannot be read.
    pub fn earlier(&self, commit: &str) -> Option<Tree> {
        let clone = self.config.clone_directory();
        super::blobs::read(&clone, commit, &self.config.path, &Tree::default()).ok()
    }
}

/// Where the files of services went from one commit to a later one, by the paths that they had and have: a commit that
/// removes a file and brings one of the same name has moved it. Of merges nothing is said, because what they bring is in the
/// commits that they merge.
fn moves(
    trees: &Trees<'_>,
    from: Oid,
    to: Oid,
    path: &str,
) -> Result<BTreeMap<String, String>, git2::Error> {
    let mut moved: BTreeMap<String, String> = BTreeMap::new();
    let Some(commits) = since(trees, from, to)? else { return Ok(moved) };
    let folder = if path.is_empty() { "services".to_owned() } else { format!("{path}/services") };
    let prefix = folder.strip_suffix("services").unwrap_or_default();
    for commit in commits {
        let (Ok(parent), 1) = (commit.parent_id(0), commit.parent_count()) else { continue };
        let Some(before) = trees.root_of(parent)? else { continue };
        let differing = differing(trees, before, commit.tree_id(), &folder, MOST_MOVED)?;
        let differing = differing.unwrap_or_default();
        let mut gone: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut come: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Differing { path, was_there, is_there } in &differing {
            let name = path.rsplit('/').next().unwrap_or_default();
            let path = path.strip_prefix(prefix).unwrap_or(path);
            match (was_there, is_there) {
                (true, false) => gone.entry(name).or_default().push(path),
                (false, true) => come.entry(name).or_default().push(path),
                _ => {}
            }
        }
        for (name, gone) in gone {
            let (&[from], Some(&[to])) = (gone.as_slice(), come.get(name).map(Vec::as_slice))
            else {
                continue;
            };
            match moved.values_mut().find(|it| it.as_str() == from) {
                Some(before) => to.clone_into(before),
                None => drop(moved.insert(from.to_owned(), to.to_owned())),
            }
        }
    }
    Ok(moved)
}

/// The commits since an earlier one, the oldest first; `None` when they are a great many, or not all of them can be looked at.
fn since<'r>(
    trees: &Trees<'r>,
    from: Oid,
    to: Oid,
) -> Result<Option<Vec<Commit<'r>>>, git2::Error> {
    let walk =
        |begin: Oid, known: &BTreeSet<Oid>| -> Result<Option<Vec<Commit<'r>>>, git2::Error> {
            let (mut next, mut seen, mut commits) = (vec![begin], BTreeSet::new(), Vec::new());
            while let Some(id) = next.pop() {
                if known.contains(&id) || !seen.insert(id) {
                    continue;
                }
                let Some(commit) = trees.commit(id)? else { return Ok(None) };
                next.extend(commit.parent_ids());
                commits.push(commit);
                if commits.len() > MOST_COMMITS {
                    return Ok(known.is_empty().then_some(commits));
                }
            }
            Ok(Some(commits))
        };
    // Of what came before, as much as a branch can be old that is merged.
    let Ok(Some(known)) = walk(from, &BTreeSet::new()) else { return Ok(None) };
    let known: BTreeSet<Oid> = known.iter().map(Commit::id).collect();
    let mut commits = walk(to, &known)?;
    commits.iter_mut().for_each(|commits| commits.reverse());
    Ok(commits)
}

fn change(
    trees: &Trees<'_>,
    commit: &Commit<'_>,
    path: &str,
    room: &mut u64,
) -> Result<Option<Change>, git2::Error> {
    let Ok(parent) = commit.parent_id(0) else { return Ok(None) };
    let Ok(Some(before)) = trees.root_of(parent) else { return Ok(None) };
    let after = commit.tree_id();
    let folder = |name: &str| if path.is_empty() { name.into() } else { format!("{path}/{name}") };
    let Some(differing) = differing(trees, before, after, &folder("services"), MOST_FILES)? else {
        return Ok(None);
    };
    if differing.is_empty() {
        return Ok(None);
    }
    let prefix = folder("");
    let within = differing.iter().filter_map(|differing| differing.path.strip_prefix(&prefix));
    let paths: Vec<&str> = within.chain([SETTINGS]).collect();
    let mut files = [Tree::default(), Tree::default()];
    for (tree, collected) in [before, after].into_iter().zip(&mut files) {
        for path in &paths {
            let Some((id, mode)) = trees.at(tree, &folder(path))? else { continue };
            if mode == SYMLINK {
                continue;
            }
            let Ok((size, ObjectType::Blob)) = trees.objects.read_header(id) else { continue };
            if size as u64 > LIMITS.file {
                continue;
            }
            *room = room.saturating_sub(size as u64);
            if *room == 0 {
                return Ok(None);
            }
            let Ok(blob) = trees.repository.find_blob(id) else { continue };
            collected.files.insert((*path).to_owned(), File::of_blob(blob_id(id), blob.content()));
        }
    }
    let [before, after] = files;
    Ok(Some(Change { revision: Arc::new(Revision::of(commit)), before, after }))
}

/// A file that two trees do not have alike.
struct Differing {
    path: String,
    was_there: bool,
    is_there: bool,
}

/// The files below a path that two trees do not have alike; `None` when these are more than `most`, or when looking for them
/// would take long.
fn differing(
    trees: &Trees<'_>,
    before: Oid,
    after: Oid,
    path: &str,
    most: usize,
) -> Result<Option<Vec<Differing>>, git2::Error> {
    let at = |root| trees.at(root, path);
    let mut next = vec![(path.to_owned(), at(before)?, at(after)?)];
    let (mut files, mut looked_at) = (Vec::new(), 0);
    while let Some((path, before, after)) = next.pop() {
        if before == after {
            continue;
        }
        let folder = |entry: Option<(Oid, i32)>| {
            entry.filter(|(_, mode)| *mode == i32::from(FileMode::Tree)).map(|(id, _)| id)
        };
        let folders = [folder(before), folder(after)];
        let (was_there, is_there) =
            (before.is_some() && folders[0].is_none(), after.is_some() && folders[1].is_none());
        if was_there || is_there {
            files.push(Differing { path: path.clone(), was_there, is_there });
        }
        if files.len() > most || looked_at > MOST_LOOKED_AT || path.len() > LONGEST_PATH {
            return Ok(None);
        }
        let mut names: BTreeMap<String, [Option<(Oid, i32)>; 2]> = BTreeMap::new();
        for (side, id) in folders.into_iter().enumerate() {
            let Some(id) = id else { continue };
            let Ok(tree) = trees.load(id)? else { return Ok(None) };
            for entry in &tree {
                looked_at += 1;
                let Ok(name) = std::str::from_utf8(entry.name_bytes()) else { continue };
                let found = (entry.id(), entry.filemode());
                names.entry(name.to_owned()).or_default()[side] = Some(found);
            }
        }
        let names = names.into_iter();
        next.extend(names.map(|(name, [before, after])| (format!("{path}/{name}"), before, after)));
    }
    Ok(Some(files))
}
