//! How the daemon's own commits are made and reach the repository: what `run` and `doctor` are told about it.

use std::path::PathBuf;
use std::time::Duration;

use crate::autopilot::PromQl;
use crate::hint::advised;
use crate::pull_request::{PullRequestForge, PullRequests};
use crate::source::{
    Credentials, Identity, PublishConfig, PublishError, Publisher, Purpose, SourceConfig,
};

/// How long one step of a push may go without a sign of life.
const DEADLINE: Duration = Duration::from_secs(30);

/// How the daemon's own commits reach the repository.
#[derive(clap::Args)]
pub(super) struct Autopilot {
    /// https: file whose only line is the token that may push; with --autopilot-pull-requests it asks the forge too
    /// [default: what fetches]
    #[arg(long, value_name = "FILE")]
    autopilot_token_file: Option<PathBuf>,
    /// User name of that token, and for ssh when the address has none
    #[arg(long, value_name = "NAME")]
    autopilot_username: Option<String>,
    /// ssh: private key without a passphrase that may push [default: what fetches]
    #[arg(long, value_name = "FILE")]
    autopilot_ssh_key_file: Option<PathBuf>,
    /// Author and committer of the daemon's commits
    #[arg(long, value_name = "NAME <ADDRESS>", default_value_t)]
    autopilot_author: Identity,
    /// Sign the daemon's commits: private ssh key without a passphrase; --verify needs it
    #[arg(long, value_name = "FILE")]
    autopilot_signing_key: Option<PathBuf>,
    /// Bring promotions as pull requests that people merge; aborts are pushed all the same
    #[arg(long, value_name = "FORGE", requires = "autopilot_token_file")]
    autopilot_pull_requests: Option<PullRequestForge>,
    /// The forge's API [default: where such a forge has it on the repository's host]
    #[arg(long, value_name = "URL", requires = "autopilot_pull_requests")]
    autopilot_api: Option<String>,
    /// Server with Prometheus' API that answers the queries of analyses, such as http://prometheus.monitoring:9090
    #[arg(long, value_name = "URL")]
    autopilot_promql: Option<reqwest::Url>,
    /// File whose only line is the bearer token for that server
    #[arg(long, value_name = "FILE", requires = "autopilot_promql")]
    autopilot_promql_token_file: Option<PathBuf>,
}

impl Autopilot {
    /// Whether anybody said how the daemon pushes.
    pub(super) fn is_configured(&self) -> bool {
        self.autopilot_token_file.is_some()
            || self.autopilot_ssh_key_file.is_some()
            || self.autopilot_signing_key.is_some()
            || self.autopilot_pull_requests.is_some()
    }

    /// What pushes to the branch of this source.
    pub(super) fn publisher(&self, source: &SourceConfig) -> Result<Publisher, PublishError> {
        let reads = &source.credentials;
        let credentials = Credentials {
            username: self.autopilot_username.clone().or_else(|| reads.username.clone()),
            token_file: self.autopilot_token_file.clone().or_else(|| reads.token_file.clone()),
            ssh_key_file: self
                .autopilot_ssh_key_file
                .clone()
                .or_else(|| reads.ssh_key_file.clone()),
            known_hosts_file: reads.known_hosts_file.clone(),
            purpose: Purpose::Write,
        };
        let config = PublishConfig {
            credentials,
            identity: self.autopilot_author.clone(),
            signing_key: self.autopilot_signing_key.clone(),
            deadline: DEADLINE,
        };
        Publisher::new(source, config)
    }

    /// What answers the queries of analyses.
    pub(super) fn promql(&self) -> anyhow::Result<Option<PromQl>> {
        let server = self.autopilot_promql.as_ref();
        let token = self.autopilot_promql_token_file.clone();
        server.map(|server| PromQl::new(server, token)).transpose()
    }

    /// The pull requests, where promotions are to be some.
    pub(super) fn pull_requests(&self, repository: &str) -> anyhow::Result<Option<PullRequests>> {
        let Some(forge) = self.autopilot_pull_requests else { return Ok(None) };
        let Some(token_file) = &self.autopilot_token_file else {
            return Err(advised(
                "--autopilot-pull-requests needs a token for the forge",
                "name its file with --autopilot-token-file",
            ));
        };
        let api = self.autopilot_api.as_deref();
        PullRequests::new(forge, repository, api, token_file.clone()).map(Some)
    }
}
