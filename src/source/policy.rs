//! Which commits of the branch may be accepted.
//!
//! Runs in the fetching child, on the objects that were just fetched. What it refuses stays in the
//! clone and is judged again by the next fetch, so the branch going back mends everything by itself.

use git2::{ErrorCode, Oid, Repository};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::accepted::Accepted;
use super::ancestry::{descends, new_since};
use super::error::SourceError;
use super::revision::Revision;
use super::signature::{Signers, TrustedKeys};

/// What a commit has to satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What happens when the branch's history was rewritten.
    pub rewind: Rewind,
    /// Whose signatures are asked for.
    pub signatures: Signatures,
}

/// Which commits have to be signed, and by whom.
///
/// Every commit that is new has to be: those of the branch's newest commit's whole history that the
/// one accepted last does not have. A signed merge vouches for no unsigned commit, since whoever merges
/// or rebases onto a branch seldom looks at who pushed to it meanwhile. Where nothing was accepted
/// before, the newest commit has to be signed, and with [`Signatures::after`] everything since that.
/// What is named and not found is no reason to ask for less: a branch that does not descend from
/// [`Signatures::after`] is refused, and when the clone has lost the commit accepted last, the branch's
/// whole history has to be signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signatures {
    /// Who may sign. Nobody is asked for a signature when this is empty.
    pub keys: Vec<TrustedKeys>,
    /// This commit and its history are accepted as they are. The branch has to descend from it.
    pub after: Option<CommitId>,
}

/// What happens when the branch's newest commit does not descend from the one accepted last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rewind {
    /// It is refused.
    #[default]
    Refuse,
    /// This commit and its descendants are accepted. Once they are, the permission is used up: going
    /// back behind what was accepted since is refused again.
    To(CommitId),
    /// The branch is what it is at any time.
    Follow,
}

/// The full id of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitId(String);

impl std::str::FromStr for CommitId {
    type Err = String;

    /// A short id could mean another commit one day.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 40 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err("expected the full id of a commit, 40 hexadecimal digits".to_owned())
    }
}

/// A fetched commit, and the one accepted last.
pub(super) struct Fetched<'a> {
    pub(super) repository: &'a Repository,
    pub(super) branch: &'a str,
    pub(super) tip: &'a Revision,
    pub(super) accepted: Option<&'a Accepted>,
    /// The commit before which there is no history in the clone, because that needs too much memory.
    pub(super) cut: Option<&'a str>,
    /// How much memory a fetch may take, in bytes.
    pub(super) memory: u64,
}

impl Policy {
    /// Whether the newest commit may be accepted.
    ///
    /// # Errors
    /// [`SourceError::Rewritten`], [`SourceError::Anchor`], [`SourceError::HistoryTooLarge`],
    /// [`SourceError::Untrusted`], [`SourceError::KeyFile`], and [`SourceError::Damaged`] when the clone lacks what it should have.
    pub(super) fn judge(&self, fetched: &Fetched<'_>, now: Timestamp) -> Result<(), SourceError> {
        if let Some(Accepted { revision, .. }) = fetched.accepted
            && !self.allows_move(fetched, &revision.id).map_err(|error| fetched.damaged(&error))?
        {
            let is_unknown =
                fetched.is_cut(&revision.id).map_err(|error| fetched.damaged(&error))?;
            if is_unknown && self.signatures.keys.is_empty() {
                // Whoever may push could have undone as much by a commit: refusing what nobody can look at would let one
                // commit that is too large keep out all that come after it.
                return Ok(());
            }
            if is_unknown {
                return Err(fetched.history_too_large(&revision.id));
            }
            return Err(SourceError::Rewritten {
                branch: fetched.branch.to_owned(),
                accepted: revision.id.clone(),
                tip: Box::new(fetched.tip.clone()),
            });
        }
        if self.signatures.keys.is_empty() {
            return Ok(());
        }
        if let Some(CommitId(after)) = &self.signatures.after {
            let damaged = |error| fetched.damaged(&error);
            if !fetched.comes_from(&fetched.tip.id, after).map_err(damaged)? {
                if fetched.is_cut(after).map_err(damaged)? {
                    return Err(fetched.history_too_large(after));
                }
                return Err(SourceError::Anchor {
                    branch: fetched.branch.to_owned(),
                    after: after.clone(),
                    known: fetched.known(after).map_err(damaged)?.is_some(),
                    tip: Box::new(fetched.tip.clone()),
                });
            }
        }
        // Whoever confirms the newest commit has not looked at what nobody could fetch.
        if let Some(Accepted { revision, verified: true, .. }) = fetched.accepted
            && self.signatures.after.is_none()
            && fetched.is_cut(&revision.id).map_err(|error| fetched.damaged(&error))?
        {
            return Err(fetched.history_too_large(&revision.id));
        }
        let commits = self.to_be_signed(fetched).map_err(|error| fetched.damaged(&error))?;
        if commits.is_empty() {
            return Ok(());
        }
        let signers = Signers::load(&self.signatures.keys)?;
        for commit in commits {
            fetched.trust(commit, &signers, now)?;
        }
        Ok(())
    }

    /// The commits that were not accepted before, oldest first.
    fn to_be_signed(&self, fetched: &Fetched<'_>) -> Result<Vec<Oid>, git2::Error> {
        let accepted = fetched.accepted.filter(|accepted| accepted.verified);
        let accepted = accepted.map(|accepted| accepted.revision.id.as_str());
        let after = self.signatures.after.as_ref().map(|CommitId(id)| id.as_str());
        let tip = Oid::from_str(&fetched.tip.id)?;
        if accepted.is_none() && after.is_none() {
            return Ok(vec![tip]);
        }
        let mut known = Vec::new();
        for commit in accepted.into_iter().chain(after) {
            known.extend(fetched.known(commit)?);
        }
        new_since(fetched.repository, tip, &known)
    }

    fn allows_move(&self, fetched: &Fetched<'_>, accepted: &str) -> Result<bool, git2::Error> {
        if fetched.comes_from(&fetched.tip.id, accepted)? {
            return Ok(true);
        }
        match &self.rewind {
            Rewind::Refuse => Ok(false),
            Rewind::Follow => Ok(true),
            Rewind::To(CommitId(confirmed)) => Ok(fetched
                .comes_from(&fetched.tip.id, confirmed)?
                && !fetched.comes_from(accepted, confirmed)?),
        }
    }
}

impl Fetched<'_> {
    /// Whether a commit is this ancestor or descends from it, as far as the clone has the history. What it
    /// does not have is in nobody's history: where something has to be found in it, clones are complete, unless
    /// that needs too much memory.
    fn comes_from(&self, commit: &str, ancestor: &str) -> Result<bool, git2::Error> {
        if commit == ancestor {
            return Ok(true);
        }
        let (Some(commit), Some(ancestor)) = (self.known(commit)?, self.known(ancestor)?) else {
            return Ok(false);
        };
        descends(self.repository, commit, ancestor)
    }

    /// Whether nobody can tell that the branch descends from a commit, because the history in between is not here.
    fn is_cut(&self, ancestor: &str) -> Result<bool, git2::Error> {
        let Some(cut) = self.cut else { return Ok(false) };
        Ok(self.comes_from(&self.tip.id, cut)? && !self.comes_from(ancestor, cut)?)
    }

    fn history_too_large(&self, ancestor: &str) -> SourceError {
        SourceError::HistoryTooLarge {
            branch: self.branch.to_owned(),
            ancestor: ancestor.to_owned(),
            tip: Box::new(self.tip.clone()),
            limit: self.memory,
        }
    }

    /// Whether a commit is signed by somebody who may.
    fn trust(&self, commit: Oid, signers: &Signers, now: Timestamp) -> Result<(), SourceError> {
        let damaged = |error| self.damaged(&error);
        let parsed = self.repository.find_commit(commit).map_err(damaged)?;
        let objects = self.repository.odb().map_err(damaged)?;
        let raw = objects.read(commit).map_err(damaged)?;
        let revision = Revision::of(&parsed);
        signers.judge(raw.data(), revision.committed, now).map_err(|why| SourceError::Untrusted {
            branch: self.branch.to_owned(),
            commit: Box::new(revision),
            why,
            tip: self.tip.id.clone(),
        })
    }

    fn known(&self, commit: &str) -> Result<Option<Oid>, git2::Error> {
        // What the Lease names may be anything.
        let Ok(CommitId(commit)) = commit.parse() else { return Ok(None) };
        let id = Oid::from_str(&commit)?;
        match self.repository.find_commit(id) {
            Ok(_) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn damaged(&self, error: &git2::Error) -> SourceError {
        SourceError::Damaged {
            directory: self.repository.path().to_path_buf(),
            detail: error.message().to_owned(),
        }
    }
}
