//! Why a forge did not do what it was asked.

use coalmine_core::reason::Hinted;

/// Why a forge did not do what it was asked. No error has any part of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The token's file cannot be used.
    #[error("{wrong}")]
    Token {
        /// The file, and what is wrong with it.
        wrong: String,
        /// What to do.
        hint: String,
    },
    /// No answer.
    #[error("the forge at {api} cannot be reached: {detail}")]
    Unreachable {
        /// Its API.
        api: String,
        /// What the connection ended with.
        detail: String,
    },
    /// It does not know the token, or the token may not do this.
    #[error("the forge at {api} refuses the token ({status}): {words}")]
    Denied {
        /// Its API.
        api: String,
        /// The status of its answer.
        status: u16,
        /// What it said.
        words: String,
    },
    /// There is no such repository, or none that the token may see.
    #[error("the forge at {api} has no repository {project}, or the token may not see it")]
    Missing {
        /// Its API.
        api: String,
        /// The repository, as the forge calls it.
        project: String,
    },
    /// The token may read the repository and not push to it.
    #[error("the token may read {project} at {api}, and not push to it")]
    ReadOnly {
        /// Its API.
        api: String,
        /// The repository, as the forge calls it.
        project: String,
    },
    /// It leads to another address, which is not followed.
    #[error("the forge at {api} leads to another address ({status}), which is not followed")]
    Redirected {
        /// Its API.
        api: String,
        /// The status of its answer.
        status: u16,
    },
    /// It says that the pull request is there already, and does not show it.
    #[error("the forge says that the pull request is open already, and shows none")]
    Exists,
    /// Any other answer that is none of success.
    #[error("the forge at {api} answers {status}: {words}")]
    Refused {
        /// Its API.
        api: String,
        /// The status of its answer.
        status: u16,
        /// What it said.
        words: String,
    },
    /// An answer that is not what its documentation says.
    #[error("the answer of the forge at {api} cannot be read: {detail}")]
    Unreadable {
        /// Its API.
        api: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ForgeError {
    /// Whether the same may fare better later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Exists => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl Hinted for ForgeError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Token { hint, .. } => hint.clone(),
            Self::Unreachable { .. } => {
                "it is tried again. Check the network on the way to it, and --autopilot-api".to_owned()
            }
            Self::Denied { .. } => {
                "renew the token of --autopilot-token-file. GitHub: contents and pull requests, read and write; \
                 GitLab: scope api and the role Developer; Gitea, Forgejo: write:repository"
                    .to_owned()
            }
            Self::Missing { .. } => {
                "check --repo, --autopilot-api, and that the owner of the token is a member".to_owned()
            }
            Self::ReadOnly { .. } => {
                "give the owner of --autopilot-token-file the right to push to the repository".to_owned()
            }
            Self::Redirected { .. } => {
                "when the repository or the API has moved, give --repo or --autopilot-api the new address".to_owned()
            }
            Self::Exists => "it is tried again".to_owned(),
            Self::Refused { .. } if self.is_passing() => "it is tried again".to_owned(),
            Self::Refused { .. } | Self::Unreadable { .. } => return None,
        })
    }
}
