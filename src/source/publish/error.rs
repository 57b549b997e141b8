//! Why a commit of ours is not on the branch, or is not known to be.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::source::error::SourceError;
use coalmine_core::reason::{Advice, Hinted};
use coalmine_core::tree::short;

/// What a child is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Fetching the branch.
    Fetch,
    /// Making the commit.
    Build,
    /// Pushing it.
    Push,
    /// Reading back whether it arrived.
    ReadBack,
}

impl fmt::Display for Step {
    /// As it follows `while`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "the branch was fetched",
            Self::Build => "the commit was made",
            Self::Push => "the commit was pushed",
            Self::ReadBack => "the branch was read back after the push",
        })
    }
}

/// Why a commit is not on the branch, or is not known to be. Each has a hint that says what to do next.
///
/// It travels from the child to the daemon as JSON, so every variant is plain data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum PublishError {
    /// The repository cannot be reached or read, or its branch is refused.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The key that signs our commits cannot be used.
    #[error("signing key {}: {detail}", path.display())]
    SigningKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        detail: Advice,
    },
    /// The server knows who we are, and that we may not push.
    #[error("git repository {repository} lets these credentials not push: {words}")]
    Denied {
        /// Its address.
        repository: String,
        /// What the server said.
        words: String,
    },
    /// The server lets nobody push to the branch, or not us.
    #[error("git repository {repository} protects branch `{branch}`: {words}")]
    Protected {
        /// Its address.
        repository: String,
        /// The branch.
        branch: String,
        /// What the server said.
        words: String,
    },
    /// The server refused the commit, most often by a hook.
    #[error("git repository {repository} declined the commit on branch `{branch}`: {words}")]
    Declined {
        /// Its address.
        repository: String,
        /// The branch.
        branch: String,
        /// What the server said.
        words: String,
    },
    /// A repository on this machine decides about pushes by a hook, which cannot be run.
    #[error("git repository {repository} has the hook {}, which cannot be run over file://", hook.display())]
    Hook {
        /// Its address.
        repository: String,
        /// The hook.
        hook: PathBuf,
    },
    /// A repository on this machine has the branch checked out.
    #[error(
        "git repository {repository} has branch `{branch}` checked out, so it is not pushed to"
    )]
    CheckedOut {
        /// Its address.
        repository: String,
        /// The branch.
        branch: String,
    },
    /// Others pushed each time before us.
    #[error(
        "others pushed to branch `{branch}` of {repository} at the same time, {tries} times in a row"
    )]
    Contended {
        /// Its address.
        repository: String,
        /// The branch.
        branch: String,
        /// How often it was tried.
        tries: usize,
    },
    /// A branch for a pull request has a commit of somebody else.
    #[error(
        "branch `{branch}` has commit {} ({subject:?} by {author}), which is not the daemon's, so it is not \
         replaced",
        short(commit)
    )]
    OthersCommits {
        /// The branch.
        branch: String,
        /// The commit's full id.
        commit: String,
        /// Who wrote it.
        author: String,
        /// Its first line.
        subject: String,
    },
    /// The commit was sent, and whether it arrived is not known.
    #[error("whether commit {} arrived in {repository} is not known: {detail}", short(commit))]
    Unconfirmed {
        /// The repository's address.
        repository: String,
        /// The commit's full id.
        commit: String,
        /// Why the branch could not be read back.
        detail: Advice,
    },
    /// The child was killed.
    #[error(
        "git repository {repository} did not answer within {limit:?} while {step}, so it was given up"
    )]
    Deadline {
        /// The repository's address.
        repository: String,
        /// What it was doing.
        step: Step,
        /// How long it had.
        limit: Duration,
    },
    /// The child did not do its part.
    #[error("the commit to git repository {repository} broke off: {detail}")]
    Child {
        /// The repository's address.
        repository: String,
        /// How it ended.
        detail: String,
    },
    /// Anything else that libgit2 reports.
    #[error("the commit to git repository {repository} failed: {detail}")]
    Git {
        /// The repository's address.
        repository: String,
        /// What libgit2 said.
        detail: String,
    },
}

impl PublishError {
    /// Whether the branch may have our commit all the same. Publishing the same change again finds out.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Unconfirmed { .. } | Self::Child { .. } => true,
            Self::Deadline { step, .. } => matches!(step, Step::Push | Step::ReadBack),
            Self::Source(SourceError::Memory { .. }) => true,
            _ => false,
        }
    }

    /// Whether the same may fare better later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unconfirmed { .. }
            | Self::Contended { .. }
            | Self::Deadline { .. }
            | Self::Child { .. } => true,
            Self::Source(error) => matches!(
                error,
                SourceError::Unreachable { .. }
                    | SourceError::Deadline { .. }
                    | SourceError::Endless { .. }
                    | SourceError::Damaged { .. }
                    | SourceError::Child { .. }
                    | SourceError::LastUnknown
            ),
            _ => false,
        }
    }
}

impl Hinted for PublishError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Source(error) => return error.hint(),
            Self::SigningKey { detail, .. } => return detail.hint(),
            Self::Denied { .. } => {
                "give the owner of --autopilot-token-file or --autopilot-ssh-key-file the right to push; a deploy \
                 key has it only when it was added with write access. `coalmine doctor` looks at it"
                    .to_owned()
            }
            Self::Protected { branch, .. } => format!(
                "let the owner of the credential push to `{branch}` in the branch's protection, or use \
                 --autopilot-pull-requests, with which people merge promotions; aborts are pushed all the same"
            ),
            Self::Declined { .. } => {
                "correct what the server asks for; its administrator knows the hook. The rollout stays where it is"
                    .to_owned()
            }
            Self::Hook { .. } => {
                "serve the repository over ssh or https, where the server runs the hook".to_owned()
            }
            Self::CheckedOut { .. } => {
                "let --repo name a bare repository (`git clone --bare`)".to_owned()
            }
            Self::Contended { .. } => "the next look tries again".to_owned(),
            Self::OthersCommits { branch, .. } => format!(
                "merge or close its pull request, then `git push origin --delete {branch}`; the next promotion \
                 makes the branch anew"
            ),
            Self::Unconfirmed { .. } => {
                "it is found out and, if need be, pushed again by the next try".to_owned()
            }
            Self::Deadline { .. } => {
                "it is tried again. Check the git server and the network on the way to it".to_owned()
            }
            Self::Child { .. } | Self::Git { .. } => return None,
        })
    }
}
