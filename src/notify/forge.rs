//! A forge's status of a commit, in the words of its API.

use std::path::PathBuf;

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};

use super::back_off::{Failure, successful};
use super::commit::{CommitNews, CommitState};
use crate::forge::{Address, Forge, address_of_api, authorized};
use crate::hint::Advise;
use crate::source::token;

/// The longest key of a status that Bitbucket Cloud takes, in characters.
const LONGEST_KEY: usize = 40;
/// How GitLab refuses a status that the commit has already ("Commits API": a running one that runs).
const HAS_IT_ALREADY: &str = "Cannot transition status via :run from :running";

/// Where the status of commits is told.
#[derive(Clone, Debug)]
pub struct CommitStatus {
    forge: Forge,
    address: Address,
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
    /// When the repository's address does not tell the host and the project, or `api` is no address.
    pub fn new(
        forge: Forge,
        repository: &str,
        api: Option<&str>,
        token_file: PathBuf,
        instance: &str,
        page: Option<Url>,
    ) -> anyhow::Result<Self> {
        let api = api.map(address_of_api).transpose()?;
        let address = Address::of(forge, repository, api.as_ref()).advise(|| {
            let wrong = format!("{repository} does not tell a forge and a project");
            (wrong, "give --repo an https or ssh address")
        })?;
        let name = match instance {
            coalmine_core::render::DEFAULT_INSTANCE => "coalmine".to_owned(),
            instance => format!("coalmine/{instance}"),
        };
        Ok(Self { forge, address, token_file, name, page })
    }

    /// Whether these news are to be told to somebody who was told the last ones. GitLab refuses a commit
    /// that runs to run again, whatever else is new.
    pub(super) fn is_news(&self, last: Option<&CommitNews>, news: &CommitNews) -> bool {
        let runs = |news: &CommitNews| {
            (self.forge == Forge::Gitlab && news.state == CommitState::Pending)
                .then(|| news.revision.clone())
        };
        last != Some(news) && (runs(news).is_none() || last.and_then(runs) != runs(news))
    }

    /// Tells it.
    pub(super) async fn report(&self, http: &Client, news: &CommitNews) -> Result<(), Failure> {
        let response = self.request(http, news)?.send().await?;
        let whose = format!("{} (may the token write commit statuses?)", self.address.api);
        match successful(response, &whose).await {
            Ok(_) => Ok(()),
            // What was told before a restart is not remembered.
            Err((StatusCode::BAD_REQUEST, failure))
                if self.forge == Forge::Gitlab && failure.to_string().contains(HAS_IT_ALREADY) =>
            {
                Ok(())
            }
            Err((_, failure)) => Err(failure),
        }
    }

    fn request(&self, http: &Client, news: &CommitNews) -> anyhow::Result<RequestBuilder> {
        let token = token(&self.token_file)?;
        let address = Url::parse(&self.address.api)?.join(&self.path(&news.revision))?;
        let request = http.request(Method::POST, address).json(&self.body(news));
        Ok(authorized(self.forge, request, &token))
    }

    /// The path below the API's address.
    fn path(&self, revision: &str) -> String {
        let Address { project, is_cloud, .. } = &self.address;
        let project = project.as_str();
        let (owner, name) = project.rsplit_once('/').unwrap_or(("", project));
        match self.forge {
            Forge::Github | Forge::Gitea => format!("repos/{project}/statuses/{revision}"),
            Forge::Gitlab => {
                format!("projects/{}/statuses/{revision}", project.replace('/', "%2F"))
            }
            Forge::Bitbucket if *is_cloud => {
                format!("repositories/{project}/commit/{revision}/statuses/build")
            }
            Forge::Bitbucket => format!("projects/{owner}/repos/{name}/commits/{revision}/builds"),
            Forge::AzureDevops => format!(
                "{owner}/_apis/git/repositories/{name}/commits/{revision}/statuses?api-version=5.0"
            ),
        }
    }

    fn body(&self, news: &CommitNews) -> Value {
        use CommitState::{Failure, Pending, Success};
        let state = match (self.forge, news.state) {
            (Forge::Bitbucket, Pending) => "INPROGRESS",
            (Forge::Bitbucket, Success) => "SUCCESSFUL",
            (Forge::Bitbucket, Failure) => "FAILED",
            (Forge::AzureDevops, Success) => "succeeded",
            (Forge::Gitlab, Pending) => "running",
            (Forge::Gitlab | Forge::AzureDevops, Failure) => "failed",
            (_, Pending) => "pending",
            (_, Success) => "success",
            (_, Failure) => "failure",
        };
        let mut body = json!({"state": state, "description": news.description});
        let page = self.page.as_ref().map(Url::as_str);
        match self.forge {
            Forge::Github | Forge::Gitea => body["context"] = self.name.as_str().into(),
            Forge::Gitlab => body["name"] = self.name.as_str().into(),
            Forge::Bitbucket => {
                let key: String = self.name.chars().take(LONGEST_KEY).collect();
                body["key"] = key.into();
                body["name"] = self.name.as_str().into();
                // It refuses a status without a link.
                let commit = format!("{}/commits/{}", self.address.web, news.revision);
                body["url"] = page.unwrap_or(&commit).into();
            }
            Forge::AzureDevops => body["context"] = json!({"name": self.name}),
        }
        match (self.forge, page) {
            (Forge::AzureDevops, Some(page)) => body["targetUrl"] = page.into(),
            (Forge::Bitbucket, _) | (_, None) => {}
            (_, Some(page)) => body["target_url"] = page.into(),
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(forge: Forge, repository: &str, token_file: PathBuf) -> CommitStatus {
        CommitStatus::new(forge, repository, None, token_file, "default", None).expect("a forge")
    }

    #[test]
    fn each_forge_is_asked_in_its_own_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        std::fs::write(&token, "s3cret\n").expect("written");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::new();
        let mut asked = Vec::new();
        for (forge, repository) in [
            (Forge::Github, "https://github.com/team/rollouts.git"),
            (Forge::Github, "git@github.example.com:team/rollouts.git"),
            (Forge::Gitlab, "ssh://git@gitlab.example.com:2222/group/sub/rollouts.git"),
            (Forge::Gitea, "https://gitea.example.com/team/rollouts"),
            (Forge::Bitbucket, "git@bitbucket.org:team/rollouts.git"),
            (Forge::Bitbucket, "https://git.example.com:7990/scm/ops/rollouts.git"),
            (Forge::AzureDevops, "https://dev.azure.com/org/The%20project/_git/rollouts"),
        ] {
            let status = status(forge, repository, token.clone());
            for state in [CommitState::Pending, CommitState::Success, CommitState::Failure] {
                let news = CommitNews::new("c0ffee".into(), state, "1 of 2");
                let request = status.request(&http, &news).expect("a request");
                let request = request.build().expect("complete");
                let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
                let secrets = ["s3cret", "OnMzY3JldA=="];
                let mut values = request.headers().values().filter_map(|it| it.to_str().ok());
                let secret = values.any(|it| secrets.iter().any(|secret| it.ends_with(secret)));
                assert!(secret, "{repository}");
                let body: Value = serde_json::from_slice(body).expect("JSON");
                match state {
                    CommitState::Pending => asked.push(format!("{} {body}", request.url())),
                    _ => asked.push(format!("  {}", body["state"])),
                }
            }
        }
        insta::assert_snapshot!(asked.join("\n"), @r#"
        https://api.github.com/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
          "success"
          "failure"
        https://github.example.com/api/v3/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
          "success"
          "failure"
        https://gitlab.example.com/api/v4/projects/group%2Fsub%2Frollouts/statuses/c0ffee {"state":"running","description":"1 of 2","name":"coalmine"}
          "success"
          "failed"
        https://gitea.example.com/api/v1/repos/team/rollouts/statuses/c0ffee {"state":"pending","description":"1 of 2","context":"coalmine"}
          "success"
          "failure"
        https://api.bitbucket.org/2.0/repositories/team/rollouts/commit/c0ffee/statuses/build {"state":"INPROGRESS","description":"1 of 2","key":"coalmine","name":"coalmine","url":"https://bitbucket.org/team/rollouts/commits/c0ffee"}
          "SUCCESSFUL"
          "FAILED"
        https://git.example.com:7990/rest/api/latest/projects/ops/repos/rollouts/commits/c0ffee/builds {"state":"INPROGRESS","description":"1 of 2","key":"coalmine","name":"coalmine","url":"https://git.example.com:7990/projects/ops/repos/rollouts/commits/c0ffee"}
          "SUCCESSFUL"
          "FAILED"
        https://dev.azure.com/org/The%20project/_apis/git/repositories/rollouts/commits/c0ffee/statuses?api-version=5.0 {"state":"pending","description":"1 of 2","context":{"name":"coalmine"}}
          "succeeded"
          "failed"
        "#);
    }

    #[test]
    fn gitlab_is_told_once_that_a_commit_runs() {
        let news = |revision: &str, state, words| CommitNews::new(revision.into(), state, words);
        let first = news("a", CommitState::Pending, "1 of 2");
        let second = news("a", CommitState::Pending, "2 of 3");
        for (forge, again) in [(Forge::Gitlab, false), (Forge::Github, true)] {
            let status = status(forge, "https://git.example.com/a/b", PathBuf::new());
            assert!(status.is_news(None, &first));
            assert!(!status.is_news(Some(&first), &first));
            assert_eq!(status.is_news(Some(&first), &second), again);
            assert!(status.is_news(Some(&first), &news("b", CommitState::Pending, "1 of 2")));
            assert!(status.is_news(Some(&first), &news("a", CommitState::Failure, "1 of 2")));
            assert!(status.is_news(Some(&news("a", CommitState::Failure, "")), &first));
        }
    }

    #[test]
    fn an_address_of_an_api_has_a_scheme() {
        let new = |api| {
            let repository = "https://git.example.com/a/b";
            let made = CommitStatus::new(
                Forge::Gitea,
                repository,
                Some(api),
                PathBuf::new(),
                "default",
                None,
            );
            made.map(|status| status.address.api)
        };
        let kept = "http://git.example.com:3000/gitea/api/v1/";
        assert_eq!(new(kept.trim_end_matches('/')).expect("an address"), kept);
        let error = crate::hint::line(&new("git.example.com:3000/api/v1").expect_err("no scheme"));
        assert!(error.contains("write https://git.example.com:3000/api/v1"), "{error}");
    }
}
