//! What a branch says about a change of ours.

use git2::{Commit, Oid, Repository};
use serde::{Deserialize, Serialize};

use super::edit::{Edit, Identity, STEP};
use crate::source::ancestry::{descends, new_since};
use crate::source::revision::Revision;

/// How a change came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Published {
    /// The branch has our commit.
    Landed {
        /// Our commit.
        commit: Revision,
        /// The branch's newest commit, which is ours or came after it.
        tip: Revision,
        /// Whether it was there before this try: the answer to an earlier push was lost, or a pull request was
        /// merged.
        earlier: bool,
    },
    /// Somebody else changed the service's file since, or took it away, so our commit is not made.
    Superseded {
        /// The branch's newest commit.
        tip: Revision,
        /// Whether the file is what ours would have made of it.
        is_same: bool,
    },
    /// A branch of our own has our commit.
    Proposed {
        /// Our commit.
        commit: Revision,
        /// Whether it was there before this try.
        earlier: bool,
    },
}

/// What is to be done about a branch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Our commit is to be made on its newest commit.
    Make,
    /// It has our commit.
    Has(Oid),
    /// The file is another one.
    Other {
        /// It is what ours would have made of it.
        is_same: bool,
    },
}

/// Looks at a branch whose newest commit is `tip`. `path` is the file's, from the root of the repository.
pub(super) fn look(
    repository: &Repository,
    tip: &Commit<'_>,
    path: &str,
    edit: &Edit,
    identity: &Identity,
) -> Result<Verdict, git2::Error> {
    // Even where the file is as it was before: somebody may have taken ours back.
    if let Some(commit) = landed(repository, tip, edit, identity)? {
        return Ok(Verdict::Has(commit));
    }
    let blob = file(tip, path)?;
    if blob == Some(edit.old_blob()?) {
        return Ok(Verdict::Make);
    }
    Ok(Verdict::Other { is_same: blob == Some(edit.new_blob()?) })
}

/// The commit of ours for this change among those since its base, if there is one.
fn landed(
    repository: &Repository,
    tip: &Commit<'_>,
    edit: &Edit,
    identity: &Identity,
) -> Result<Option<Oid>, git2::Error> {
    let base = Oid::from_str(&edit.base)?;
    // A base that the branch does not have is no bound, and without one the whole history would be read.
    if repository.find_commit(base).is_err() || !descends(repository, tip.id(), base)? {
        return Ok(None);
    }
    let message = edit.message();
    for id in new_since(repository, tip.id(), &[base])? {
        let commit = repository.find_commit(id)?;
        if commit.message_raw_bytes() == message.as_bytes() && is_by(&commit, identity) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The blob of a plain file in a commit.
pub(super) fn file(commit: &Commit<'_>, path: &str) -> Result<Option<Oid>, git2::Error> {
    let tree = commit.tree()?;
    match tree.get_path(std::path::Path::new(path)) {
        Ok(entry) => Ok(is_plain(entry.filemode()).then(|| entry.id())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is a file, and no link or folder.
pub(super) fn is_plain(mode: i32) -> bool {
    [0o100_644, 0o100_755, 0o100_664].contains(&mode)
}

/// Whether we committed it.
fn is_by(commit: &Commit<'_>, identity: &Identity) -> bool {
    let committer = commit.committer();
    committer.name_bytes() == identity.name.as_bytes()
        && committer.email_bytes() == identity.email.as_bytes()
}

/// The first commit of a branch of our own that is not ours; `base` is where it started.
pub(super) fn others(
    repository: &Repository,
    head: Oid,
    base: Oid,
    identity: &Identity,
) -> Result<Option<Oid>, git2::Error> {
    for id in new_since(repository, head, &[base])? {
        let commit = repository.find_commit(id)?;
        let message = String::from_utf8_lossy(commit.message_raw_bytes());
        let has_step = message.lines().any(|line| line.starts_with(&format!("{STEP}: ")));
        if !is_by(&commit, identity) || !has_step {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
