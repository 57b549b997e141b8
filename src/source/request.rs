//! What a fetch is asked to do, and how it can fail.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::accepted::Accepted;
use super::credentials::Credentials;
use super::error::SourceError;
use super::memory::{is_lack_of_disk, is_lack_of_memory};
use super::policy::Policy;

/// What the child is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) repository: String,
    pub(super) branch: String,
    pub(super) path: String,
    pub(super) directory: PathBuf,
    /// How much memory the child may take, in bytes.
    pub(super) memory: u64,
    pub(super) credentials: Credentials,
    /// Read every file of the revision, to see whether the clone is whole. Between two fetches of one
    /// process this would only repeat what reading the tree finds out.
    pub(super) verify: bool,
    /// Which commits may be accepted.
    pub(super) policy: Policy,
    /// The commit that was accepted last.
    pub(super) accepted: Option<Accepted>,
}

impl Request {
    /// The child's home: no configuration of a person's git or ssh is read.
    pub(super) fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    /// Whether a new clone needs the branch's whole history: something was accepted that it has to descend
    /// from, or everything since a commit has to be signed.
    pub(super) fn needs_history(&self) -> bool {
        self.accepted.is_some() || self.policy.signatures.after.is_some()
    }

    /// The error for words that say that memory or disk did not suffice. A new clone would need no less.
    pub(super) fn lack(&self, words: &str) -> Option<SourceError> {
        if is_lack_of_memory(words) {
            let (repository, limit) = (self.repository.clone(), self.memory);
            return Some(SourceError::Memory { repository, limit, detail: words.to_owned() });
        }
        is_lack_of_disk(words).then(|| SourceError::full_disk(&self.directory, words))
    }
}

/// Why an update failed: for good, or perhaps because the clone is damaged.
pub(super) enum Failure {
    /// What the caller is told.
    Final(SourceError),
    /// What libgit2 said; a new clone may help.
    Clone(String),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Damaged { detail, .. } => Self::Clone(detail),
            error => Self::Final(error),
        }
    }
}
