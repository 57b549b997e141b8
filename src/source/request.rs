//! What a fetch is asked to do, and how it can fail.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::accepted::Accepted;
use super::credentials::Credentials;
use super::error::SourceError;
use super::policy::Policy;

/// What the child is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) repository: String,
    pub(super) branch: String,
    pub(super) path: String,
    pub(super) directory: PathBuf,
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
