//! A forge's status of a commit: whether it is applied.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::json;

use crate::hint::Advise;
use crate::report::{State, Summary};
use crate::source::token;

/// The longest description that every forge takes, in characters.
const LONGEST: usize = 140;

/// What is said of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitNews {
    pub(super) revision: String,
    pub(super) state: CommitState,
    pub(super) description: String,
}

/// How a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitState {
    Pending,
    Success,
    Failure,
}

impl CommitNews {
    /// What the status store says of the newest commit; nothing while there is none.
    pub(super) fn of(summary: &Summary) -> Option<Self> {
        let revision = summary.source.last_attempted_revision.clone()?;
        let refused = summary.source.error.as_ref();
        let refused =
            refused.filter(|_| summary.source.accepted_revision.as_ref() != Some(&revision));
        if let Some(error) = refused {
            return Some(Self::new(revision, CommitState::Failure, error));
        }
        let all: Vec<_> = summary.platform.iter().chain(&summary.services).collect();
        let is_bad = |state: State| matches!(state, State::Stalled | State::Invalid);
        let bad: Vec<_> = all.iter().filter(|service| is_bad(service.state)).collect();
        let ready = all.iter().filter(|service| service.state == State::Ready).count();
        let count = format!("{ready} of {} services are as it says", all.len());
        Some(match bad.first() {
            Some(worst) => {
                let words = format!("{}: {}; {count}", worst.service, worst.reason);
                Self::new(revision, CommitState::Failure, &words)
            }
            None if ready < all.len() => Self::new(revision, CommitState::Pending, &count),
            None => Self::new(revision, CommitState::Success, &count),
        })
    }

    fn new(revision: String, state: CommitState, description: &str) -> Self {
        let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut description: String = line.chars().take(LONGEST).collect();
        if description.len() < line.len() {
            description.pop();
            description.push('…');
        }
        Self { revision, state, description }
    }
}

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Forge {
    /// GitHub, and GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
}

/// Where the status of commits is told.
#[derive(Clone, Debug)]
pub struct CommitStatus {
    forge: Forge,
    api: Url,
    /// `owner/name`, for GitLab with its groups.
    project: String,
    token_file: PathBuf,
    /// How this daemon is called there: one commit may have several.
    name: String,
    /// Where people see more.
    page: Option<Url>,
}

impl CommitStatus {
    /// The forge that has the repository; its API is where such a forge has it on the repository's host,
    /// unless `api` says otherwise.
    ///
    /// # Errors
    /// When the repository's address does not tell the host and the project.
    pub fn new(
        forge: Forge,
        repository: &str,
        api: Option<&str>,
        token_file: PathBuf,
        instance: &str,
        page: Option<Url>,
    ) -> anyhow::Result<Self> {
        let (host, project) = host_and_project(repository).advise(|| {
            let wrong = format!("{repository} does not tell a forge and a project");
            (wrong, "give --repo an https or ssh address")
        })?;
        let usual = match (forge, host.as_str()) {
            (Forge::Github, "github.com") => "https://api.github.com/".to_owned(),
            (Forge::Github, host) => format!("https://{host}/api/v3/"),
            (Forge::Gitlab, host) => format!("https://{host}/api/v4/"),
            (Forge::Gitea, host) => format!("https://{host}/api/v1/"),
        };
        let api = api.map_or(usual, |api| format!("{}/", api.trim_end_matches('/')));
        let api = Url::from_str(&api).with_context(|| format!("{api} is no address"))?;
        let name = match instance {
            coalmine_core::render::DEFAULT_INSTANCE => "coalmine".to_owned(),
            instance => format!("coalmine/{instance}"),
        };
        Ok(Self { forge, api, project, token_file, name, page })
    }

    /// Tells it.
    pub(super) async fn report(&self, http: &Client, news: &CommitNews) -> anyhow::Result<()> {
        let response = self.request(http, news)?.send().await?;
        let status = response.status();
        if !status.is_success() {
            let words = response.text().await.unwrap_or_default();
            let words: String = words.chars().take(200).collect();
            bail!("{} answers {status}: {words}; may the token write commit statuses?", self.api);
        }
        Ok(())
    }

    fn request(&self, http: &Client, news: &CommitNews) -> anyhow::Result<RequestBuilder> {
        let token = token(&self.token_file)?;
        let (project, revision) = (&self.project, &news.revision);
        let state = match (self.forge, news.state) {
            (Forge::Gitlab, CommitState::Pending) => "running",
            (Forge::Gitlab, CommitState::Failure) => "failed",
            (_, CommitState::Pending) => "pending",
            (_, CommitState::Success) => "success",
            (_, CommitState::Failure) => "failure",
        };
        let mut body = json!({"state": state, "description": news.description});
        body[if self.forge == Forge::Gitlab { "name" } else { "context" }] =
            self.name.as_str().into();
        if let Some(page) = &self.page {
            body["target_url"] = page.as_str().into();
        }
        let path = match self.forge {
            Forge::Github | Forge::Gitea => format!("repos/{project}/statuses/{revision}"),
            Forge::Gitlab => {
                format!("projects/{}/statuses/{revision}", project.replace('/', "%2F"))
            }
        };
        let request = http.request(Method::POST, self.api.join(&path)?).json(&body);
        Ok(match self.forge {
            Forge::Github => {
                request.bearer_auth(token).header("X-GitHub-Api-Version", "2022-11-28")
            }
            Forge::Gitlab => request.header("PRIVATE-TOKEN", token),
            Forge::Gitea => request.header("Authorization", format!("token {token}")),
        })
    }
}

/// The host and the path of an https or ssh address.
fn host_and_project(repository: &str) -> Option<(String, String)> {
    let (host, path) = match repository.split_once("://") {
        Some(("https" | "http" | "ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        None => repository.split_once(':')?,
    };
    let host = host.rsplit('@').next()?.split(':').next()?;
    let project = path.trim_matches('/').trim_end_matches(".git");
    let is_one = project.contains('/') && !host.is_empty();
    is_one.then(|| (host.to_owned(), project.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ServiceReport;

    fn summary(states: &[(&str, State, &str)]) -> Summary {
        let services = states.iter().map(|(name, state, reason)| ServiceReport {
            service: (*name).into(),
            state: *state,
            reason: (*reason).into(),
            ..ServiceReport::default()
        });
        let revision = Some("c0ffee".to_owned());
        let mut summary = Summary::default();
        summary.source.last_attempted_revision = revision.clone();
        summary.source.accepted_revision = revision;
        summary.services = services.collect();
        summary
    }

    fn reported(summary: &Summary) -> (CommitState, String) {
        let news = CommitNews::of(summary).expect("news");
        (news.state, news.description)
    }

    #[test]
    fn a_commit_is_as_good_as_its_worst_service() {
        use CommitState::{Failure, Pending, Success};
        let all = summary(&[("echo", State::Ready, ""), ("golf", State::Ready, "")]);
        assert_eq!(reported(&all), (Success, "2 of 2 services are as it says".into()));
        let some = summary(&[("echo", State::Ready, ""), ("golf", State::Progressing, "waits")]);
        assert_eq!(reported(&some), (Pending, "1 of 2 services are as it says".into()));
        let bad = summary(&[("echo", State::Ready, ""), ("golf", State::Stalled, "no\npods")]);
        assert_eq!(
            reported(&bad),
            (Failure, "golf: no pods; 1 of 2 services are as it says".into())
        );
        assert_eq!(CommitNews::of(&Summary::default()), None);
    }

    #[test]
    fn a_commit_that_was_refused_as_a_whole_failed() {
        let mut refused = summary(&[("echo", State::Ready, "")]);
        refused.source.last_attempted_revision = Some("badbad".into());
        refused.source.error = Some("x".repeat(500));
        let (state, words) = reported(&refused);
        assert_eq!((state, words.chars().count()), (CommitState::Failure, LONGEST));
        // A fetch that fails says nothing about the commit that is applied.
        refused.source.last_attempted_revision = Some("c0ffee".into());
        assert_eq!(reported(&refused).0, CommitState::Success);
    }

    #[test]
    fn each_forge_is_asked_in_its_own_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        std::fs::write(&token, "s3cret\n").expect("written");
        let news = CommitNews::new("c0ffee".into(), CommitState::Pending, "1 of 2");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::new();
        let mut asked = Vec::new();
        for (forge, repository) in [
            (Forge::Github, "https://github.com/team/rollouts.git"),
            (Forge::Github, "git@github.example.com:team/rollouts.git"),
            (Forge::Gitlab, "ssh://git@gitlab.example.com:2222/group/sub/rollouts.git"),
            (Forge::Gitea, "https://gitea.example.com/team/rollouts"),
        ] {
            let status = CommitStatus::new(forge, repository, None, token.clone(), "default", None);
            let request = status.expect("a forge").request(&http, &news).expect("a request");
            let request = request.build().expect("complete");
            let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
            let secret =
                request.headers().values().any(|it| it.to_str().unwrap_or("").ends_with("s3cret"));
            assert!(secret, "{repository}");
            asked.push(format!("{} {}", request.url(), String::from_utf8_lossy(body)));
        }
        insta::assert_snapshot!(asked.join("\n"), @r#"
        https://api.github.com/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
        https://github.example.com/api/v3/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
        https://gitlab.example.com/api/v4/projects/group%2Fsub%2Frollouts/statuses/c0ffee {"state":"running","description":"1 of 2","name":"coalmine"}
        https://gitea.example.com/api/v1/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
        "#);
    }

    #[test]
    fn an_address_without_a_project_is_refused() {
        for repository in
            ["/srv/rollouts.git", "https://github.com/rollouts", "file:///srv/a/b.git"]
        {
            assert_eq!(host_and_project(repository), None, "{repository}");
        }
    }
}
