//! Pull requests of the daemon's at GitHub, GitLab, Gitea and Forgejo: one for each rollout that waits for a person's
//! yes, found again by its branch and renewed in place.
//!
//! Its branch is made by [`crate::source::Source::propose`]. A pull request that a person closed without merging is that
//! person's no to this step of this rollout, and is not opened again.

mod api;
mod error;
mod proposal;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Client;

pub use error::ForgeError;
pub use proposal::{Proposal, branch};

use crate::forge::{Address, Forge, address_of_api, same_server};
use crate::hint::Advise;
use api::{Api, State};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Which forge has the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PullRequestForge {
    /// GitHub, and GitHub Enterprise.
    Github,
    /// GitLab, where they are called merge requests.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
}

/// How a pull request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is open, with the words of the proposal.
    Open {
        /// Its number in the repository.
        number: u64,
        /// Where people see it.
        web: String,
        /// Whether it was opened just now.
        is_new: bool,
    },
    /// A person closed the one for this step, so none is open.
    Declined {
        /// Its number in the repository.
        number: u64,
        /// Where people see it.
        web: String,
    },
}

/// The pull requests of one repository.
#[derive(Clone, Debug)]
pub struct PullRequests {
    api: Api,
    http: Client,
}

impl PullRequests {
    /// The forge that has the repository; its API is where such a forge has it on the repository's host,
    /// unless `api` says otherwise. The token is read anew for every request.
    ///
    /// # Errors
    /// When the repository's address does not tell the host and the project, or `api` is no address.
    pub fn new(
        forge: PullRequestForge,
        repository: &str,
        api: Option<&str>,
        token_file: PathBuf,
    ) -> anyhow::Result<Self> {
        let forge = match forge {
            PullRequestForge::Github => Forge::Github,
            PullRequestForge::Gitlab => Forge::Gitlab,
            PullRequestForge::Gitea => Forge::Gitea,
        };
        let api = api.map(address_of_api).transpose()?;
        let address = Address::of(forge, repository, api.as_ref()).advise(|| {
            let wrong = format!("{repository} does not tell a forge and a project");
            (wrong, "give --repo an https or ssh address, or leave out --autopilot-pull-requests")
        })?;
        let http = Client::builder()
            .timeout(DEADLINE)
            .user_agent("coalmine")
            .redirect(same_server())
            .build()?;
        Ok(Self { api: Api { forge, address, token_file }, http })
    }

    /// Opens the pull request of a proposal whose branch is pushed, or gives the one that is open its words.
    ///
    /// # Errors
    /// See [`ForgeError`]. The same proposal may be brought again after any of them.
    pub async fn bring(&self, proposal: &Proposal) -> Result<Standing, ForgeError> {
        let standing = self.look(proposal).await?;
        if let Some(standing) = standing {
            return Ok(standing);
        }
        match self.api.open(&self.http, proposal).await {
            Ok(opened) => {
                Ok(Standing::Open { number: opened.number, web: opened.web, is_new: true })
            }
            // The answer to an earlier request was lost, or another daemon was first.
            Err(ForgeError::Exists) => self.look(proposal).await?.ok_or(ForgeError::Exists),
            Err(error) => Err(error),
        }
    }

    /// The pull request that is open, with the words of the proposal; or the one that a person closed.
    async fn look(&self, proposal: &Proposal) -> Result<Option<Standing>, ForgeError> {
        let found = self.api.find(&self.http, &proposal.branch, &proposal.base).await?;
        if let Some(open) = found.iter().find(|it| it.state == State::Open) {
            if open.title != proposal.title || !proposal.is_body(&open.body) {
                self.api.rewrite(&self.http, open.number, proposal).await?;
            }
            let (number, web) = (open.number, open.web.clone());
            return Ok(Some(Standing::Open { number, web, is_new: false }));
        }
        let declined =
            found.iter().find(|it| it.state == State::Closed && proposal.is_about(&it.body));
        Ok(declined.map(|it| Standing::Declined { number: it.number, web: it.web.clone() }))
    }

    /// Closes the pull request of a branch if one is open, as after an abort: its merge would raise the canary's share.
    /// Returns its number.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn withdraw(&self, branch: &str, base: &str) -> Result<Option<u64>, ForgeError> {
        let found = self.api.find(&self.http, branch, base).await?;
        let Some(open) = found.iter().find(|it| it.state == State::Open) else { return Ok(None) };
        self.api.close(&self.http, open).await?;
        Ok(Some(open.number))
    }

    /// Whether the token may push branches and open pull requests, as far as the forge says. Nothing is written.
    ///
    /// # Errors
    /// See [`ForgeError`].
    pub async fn check(&self) -> Result<String, ForgeError> {
        self.api.check(&self.http).await
    }
}
