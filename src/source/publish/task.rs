//! What goes to the child, and what comes back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::edit::{Edit, Identity};
use super::error::PublishError;
use super::outcome::Published;
use crate::source::request::Request;

/// What the child is asked to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    /// The branch and how it is reached. Its directory is the child's own, and its credentials are those that push.
    pub(super) request: Request,
    /// The clone whose objects are borrowed.
    pub(super) clone: PathBuf,
    pub(super) job: Job,
    pub(super) identity: Identity,
    pub(super) signing_key: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Job {
    /// Onto the followed branch.
    Commit(Edit),
    /// Onto a branch of our own, which starts at the followed one.
    Propose(Edit, String),
    /// Only look whether a push would be let in.
    Check,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Report {
    Published(Published),
    Checked(String),
    Failed(PublishError),
}
