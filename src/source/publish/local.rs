//! Pushes to a repository on this machine.
//!
//! libgit2 moves the branch of such a repository whatever it is by then, so two daemons could both push. Here the
//! objects are written, and the branch is moved only from the commit that was expected (a lock of git's own).

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository};

use crate::source::contact::Pushed;

/// Hooks by which an owner of a repository decides what is pushed. git runs them, libgit2 cannot.
const DECIDING_HOOKS: [&str; 4] =
    ["pre-receive", "update", "proc-receive", "reference-transaction"];

/// The hook that would have to decide about a push, if there is one.
pub(super) fn deciding_hook(repository: &Repository) -> Option<PathBuf> {
    let named = repository.config().and_then(|config| config.get_path("core.hooksPath")).ok();
    let folder = named.map_or_else(
        || repository.path().join("hooks"),
        |path| {
            if path.is_absolute() { path } else { repository.path().join(path) }
        },
    );
    DECIDING_HOOKS.iter().map(|name| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Whether a branch is checked out in a work tree, which would then differ from it: git refuses such a push
/// (`receive.denyCurrentBranch`).
pub(super) fn is_checked_out(repository: &Repository, name: &str) -> bool {
    let head = repository.find_reference("HEAD");
    let target =
        head.ok().and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
    !repository.is_bare() && target.as_deref() == Some(name)
}

/// Moves a branch from `before` to a commit.
pub(super) fn push(
    own: &Repository,
    remote: &Repository,
    name: &str,
    commit: Oid,
    before: Option<Oid>,
) -> Result<Pushed, git2::Error> {
    copy(&own.odb()?, &remote.odb()?, own, commit)?;
    let words = "coalmine autopilot";
    let moved = match before {
        Some(before) => remote.reference_matching(name, commit, true, before, words).map(drop),
        None => remote.reference(name, commit, false, words).map(drop),
    };
    match moved {
        Ok(()) => Ok(Pushed::Done),
        // Somebody else moved it, makes it, or is about to.
        Err(error)
            if [ErrorCode::Modified, ErrorCode::Exists, ErrorCode::Locked, ErrorCode::NotFound]
                .contains(&error.code()) =>
        {
            Ok(Pushed::Moved)
        }
        Err(error) => Err(error),
    }
}

/// Writes the objects of a commit that the other repository lacks; those before them it has.
fn copy(from: &Odb<'_>, to: &Odb<'_>, own: &Repository, commit: Oid) -> Result<(), git2::Error> {
    let (mut next, mut missing) = (vec![commit], Vec::new());
    while let Some(id) = next.pop() {
        if to.exists(id) {
            continue;
        }
        let object = from.read(id)?;
        match object.kind() {
            ObjectType::Commit => {
                let commit = own.find_commit(id)?;
                next.push(commit.tree_id());
                next.extend(commit.parent_ids());
            }
            ObjectType::Tree => {
                let tree = own.find_tree(id)?;
                let objects = tree.iter().filter(|it| it.kind() != Some(ObjectType::Commit));
                next.extend(objects.map(|entry| entry.id()));
            }
            _ => {}
        }
        missing.push(object);
    }
    // What names others comes after them: whoever is stopped halfway leaves nothing that lacks a part.
    for object in missing.iter().rev() {
        to.write(object.kind(), object.data())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use git2::Signature;

    use super::*;

    #[test]
    fn a_branch_moves_from_the_expected_commit_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let repository =
            |name: &str| Repository::init_bare(folder.path().join(name)).expect("made");
        let (own, remote) = (repository("own"), repository("remote"));
        let tree = own.treebuilder(None).expect("a tree").write().expect("written");
        let tree = own.find_tree(tree).expect("there");
        let us = Signature::now("coalmine", "us@example.com").expect("us");
        let commit = |parent: Option<Oid>, words: &str| {
            let parent = parent.map(|id| own.find_commit(id).expect("there"));
            let parents: Vec<_> = parent.iter().collect();
            own.commit(None, &us, &us, words, &tree, &parents).expect("a commit")
        };
        let name = "refs/heads/main";
        let push = |id, before| push(&own, &remote, name, id, before).expect("an answer");
        let first = commit(None, "first");
        assert!(matches!(push(first, None), Pushed::Done));
        let (ours, theirs) = (commit(Some(first), "ours"), commit(Some(first), "theirs"));
        assert!(matches!(push(theirs, Some(first)), Pushed::Done));
        for before in [Some(first), None] {
            assert!(matches!(push(ours, before), Pushed::Moved), "{before:?}");
            assert_eq!(remote.refname_to_id(name).expect("there"), theirs);
        }
        // Two that lead at the same moment.
        let lock = remote.path().join(format!("{name}.lock"));
        std::fs::write(&lock, "").expect("written");
        assert!(matches!(push(ours, Some(theirs)), Pushed::Moved));
        std::fs::remove_file(lock).expect("removed");
        assert!(
            matches!(push(ours, Some(theirs)), Pushed::Done),
            "whether it is ahead is not looked at here"
        );
    }
}
