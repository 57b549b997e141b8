//! Who is told about rollouts beside those who ask: options of `run`.

use std::path::PathBuf;

use anyhow::Context;
use reqwest::Url;

use crate::notify::{CommitStatus, Forge, Receivers, Slack, Webhook};
use crate::secret::SecretFile;

/// Who is told about rollouts.
#[derive(clap::Args)]
pub(super) struct Notify {
    /// Show whether a commit is applied as its status at the forge that has the repository
    #[arg(long, value_name = "FORGE", requires = "commit_status_token_file")]
    commit_status: Option<Forge>,
    /// File whose only line is the token that may write commit statuses
    #[arg(long, value_name = "FILE")]
    commit_status_token_file: Option<PathBuf>,
    /// The forge's API [default: where such a forge has it on the repository's host]
    #[arg(long, value_name = "URL")]
    commit_status_api: Option<String>,
    /// The Slack channel that gets one message per rollout
    #[arg(long, value_name = "CHANNEL", requires = "slack_token_file")]
    slack_channel: Option<String>,
    /// File whose only line is a Slack bot's token, with the scope chat:write
    #[arg(long, value_name = "FILE")]
    slack_token_file: Option<PathBuf>,
    /// Slack's API
    #[arg(long, value_name = "URL", default_value = "https://slack.com/api/")]
    slack_api: Url,
    /// The address that gets one message per rollout as JSON, again whenever it grows
    #[arg(long, value_name = "URL")]
    notify_url: Option<Url>,
    /// File with the secret that those messages are signed with
    #[arg(long, value_name = "FILE", requires = "notify_url")]
    notify_secret_file: Option<PathBuf>,
    /// The status page's address, for people who want to see more
    #[arg(long, value_name = "URL")]
    page_url: Option<Url>,
}

impl Notify {
    /// Who is told. Files are looked at, so that a mistake shows at once.
    pub(super) fn receivers(&self, repository: &str, instance: &str) -> anyhow::Result<Receivers> {
        let exists = |file: &PathBuf| -> anyhow::Result<PathBuf> {
            std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(file.clone())
        };
        let commit_status = match (self.commit_status, &self.commit_status_token_file) {
            (Some(forge), Some(token)) => Some(CommitStatus::new(
                forge,
                repository,
                self.commit_status_api.as_deref(),
                exists(token)?,
                instance,
                self.page_url.clone(),
            )?),
            _ => None,
        };
        let slack = match (&self.slack_channel, &self.slack_token_file) {
            (Some(channel), Some(token)) => Some(Slack {
                channel: channel.clone(),
                token_file: exists(token)?,
                api: self.slack_api.clone(),
            }),
            _ => None,
        };
        let secret = self.notify_secret_file.as_ref().map(exists).transpose()?;
        let secret = secret.map(|path| SecretFile { what: "notification secret", path });
        let webhook = self.notify_url.clone().map(|url| Webhook { url, secret });
        Ok(Receivers { commit_status, slack, webhook })
    }
}
