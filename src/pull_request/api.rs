//! Requests to a forge, in the words of its API.
//!
//! GitHub: "REST API endpoints for pull requests". GitLab: "Merge requests API", "Projects API". Gitea and Forgejo:
//! `/api/swagger`, and what their handlers answer.

use std::path::PathBuf;

use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};

use super::error::ForgeError;
use super::proposal::Proposal;
use crate::forge::{Address, Forge, authorized};
use crate::source::token;
use coalmine_core::reason::Hinted;
use coalmine_core::sanitize::sanitize;

/// How much of a refusal is shown, in characters.
const LONGEST_WORDS: usize = 300;
/// The most that is read of an answer, in bytes. A page of pull requests with long bodies is the longest.
const LONGEST_ANSWER: usize = 16 << 20;
/// How many pages of pull requests Gitea is asked for, whose list has no filter for a branch.
const MOST_PAGES: usize = 20;
/// How many are on a page; Gitea's own limit unless its owner says otherwise.
const PAGE: usize = 50;
/// The role of GitLab that may push branches: Developer ("Members API", `access_level`).
const DEVELOPER: u64 = 30;

/// The API of one forge for one repository.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) forge: Forge,
    pub(super) address: Address,
    pub(super) token_file: PathBuf,
}

/// Whether a pull request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// Without a merge.
    Closed,
    Merged,
}

/// A pull request as the forge tells it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) web: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) state: State,
}

impl Api {
    /// Those from one branch of the repository to another, the newest first.
    pub(super) async fn find(
        &self,
        http: &Client,
        branch: &str,
        base: &str,
    ) -> Result<Vec<Found>, ForgeError> {
        let project = &self.address.project;
        let limit = PAGE.to_string();
        let mut found = Vec::new();
        match self.forge {
            Forge::Gitlab => {
                let query = [
                    ("state", "all"),
                    ("source_branch", branch),
                    ("target_branch", base),
                    ("order_by", "created_at"),
                    ("sort", "desc"),
                    ("per_page", &limit),
                ];
                let answer = self.get(http, "merge_requests", &query).await?;
                found.extend(self.read_list(&answer, branch, base)?);
            }
            Forge::Gitea => {
                // Those that are open matter wherever they are in the list, of the others the last ones.
                for (state, pages) in [("open", MOST_PAGES), ("closed", 1)] {
                    for page in 1..=pages {
                        let page = page.to_string();
                        let query = [
                            ("state", state),
                            ("base_branch", base),
                            ("sort", "recentupdate"),
                            ("limit", &limit),
                            ("page", &page),
                        ];
                        let answer = self.get(http, "pulls", &query).await?;
                        found.extend(self.read_list(&answer, branch, base)?);
                        let is_last = answer.as_array().is_none_or(Vec::is_empty);
                        if is_last || found.iter().any(|it| it.state == State::Open) {
                            break;
                        }
                    }
                }
            }
            _ => {
                // Without the owner GitHub ignores the filter.
                let owner = project.split('/').next().unwrap_or_default();
                let head = format!("{owner}:{branch}");
                let query = [
                    ("state", "all"),
                    ("head", head.as_str()),
                    ("base", base),
                    ("sort", "created"),
                    ("direction", "desc"),
                    ("per_page", &limit),
                ];
                let answer = self.get(http, "pulls", &query).await?;
                found.extend(self.read_list(&answer, branch, base)?);
            }
        }
        Ok(found)
    }

    /// Opens one.
    ///
    /// # Errors
    /// [`ForgeError::Exists`] when one is open already for these branches.
    pub(super) async fn open(
        &self,
        http: &Client,
        proposal: &Proposal,
    ) -> Result<Found, ForgeError> {
        let Proposal { branch, base, title, body, .. } = proposal;
        let (path, body) = match self.forge {
            Forge::Gitlab => (
                "merge_requests",
                json!({"source_branch": branch, "target_branch": base, "title": title, "description": body,
                    "remove_source_branch": true}),
            ),
            _ => ("pulls", json!({"head": branch, "base": base, "title": title, "body": body})),
        };
        match self.ask(http, Method::POST, path, &[], Some(&body)).await {
            Ok(answer) => self.read(&answer).map(|(found, ..)| found),
            // GitLab and Gitea answer 409, GitHub 422 with these words.
            Err(ForgeError::Refused { status: 409, .. }) => Err(ForgeError::Exists),
            Err(ForgeError::Refused { status: 422, words, .. })
                if words.contains("A pull request already exists") =>
            {
                Err(ForgeError::Exists)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives one other words.
    pub(super) async fn rewrite(
        &self,
        http: &Client,
        number: u64,
        proposal: &Proposal,
    ) -> Result<(), ForgeError> {
        let Proposal { title, body, .. } = proposal;
        let body = match self.forge {
            Forge::Gitlab => json!({"title": title, "description": body}),
            _ => json!({"title": title, "body": body}),
        };
        self.change(http, number, &body).await
    }

    /// Closes one. Its words say no more which step it was about: it is not a person's no.
    pub(super) async fn close(&self, http: &Client, found: &Found) -> Result<(), ForgeError> {
        let words = "The daemon withdrew this: the rollout stands elsewhere by now.";
        let body = match self.forge {
            Forge::Gitlab => json!({"state_event": "close", "description": words}),
            _ => json!({"state": "closed", "body": words}),
        };
        self.change(http, found.number, &body).await
    }

    async fn change(&self, http: &Client, number: u64, body: &Value) -> Result<(), ForgeError> {
        let (method, path) = match self.forge {
            Forge::Gitlab => (Method::PUT, format!("merge_requests/{number}")),
            _ => (Method::PATCH, format!("pulls/{number}")),
        };
        self.ask(http, method, &path, &[], Some(body)).await.map(drop)
    }

    /// What the forge says of the token's rights on the repository.
    pub(super) async fn check(&self, http: &Client) -> Result<String, ForgeError> {
        let answer = self.get(http, "", &[]).await?;
        let permissions = &answer["permissions"];
        let may_push = match self.forge {
            Forge::Gitlab => {
                let level = |of: &str| permissions[of]["access_level"].as_u64();
                let levels = [level("project_access"), level("group_access")];
                permissions
                    .is_object()
                    .then(|| levels.into_iter().flatten().any(|it| it >= DEVELOPER))
            }
            _ => permissions["push"].as_bool(),
        };
        let (api, project) = (self.address.api.clone(), self.address.project.clone());
        match may_push {
            Some(true) => Ok(format!("the token may push to {project} at {api}")),
            Some(false) => Err(ForgeError::ReadOnly { api, project }),
            // Such as for a token that belongs to no member.
            None => {
                Ok(format!("{project} at {api} answers, and does not say what the token may do"))
            }
        }
    }

    async fn get(
        &self,
        http: &Client,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, ForgeError> {
        self.ask(http, Method::GET, path, query, None).await
    }

    /// One request below the repository's path, and its answer.
    async fn ask(
        &self,
        http: &Client,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, ForgeError> {
        let token = token(&self.token_file).map_err(|error| ForgeError::Token {
            wrong: error.to_string(),
            hint: error.hint().unwrap_or_default(),
        })?;
        let api = self.address.api.clone();
        let address = self.url(path, query).map_err(|detail| self.unreadable(&detail))?;
        let mut request = authorized(self.forge, http.request(method, address), &token);
        if let Some(body) = body {
            request = request.json(body);
        }
        // Its own words have the address, and so the names of branches, but nothing secret.
        let unreachable = |error: reqwest::Error| ForgeError::Unreachable {
            api: api.clone(),
            detail: causes(&error.without_url()),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut text = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if text.len() + part.len() > LONGEST_ANSWER {
                let detail = format!("it has more than {LONGEST_ANSWER} bytes");
                return Err(ForgeError::Unreadable { api, detail });
            }
            text.extend_from_slice(&part);
        }
        if status.is_success() {
            return serde_json::from_slice(&text)
                .map_err(|error| ForgeError::Unreadable { api, detail: error.to_string() });
        }
        let words = said(&text, &token);
        let number = status.as_u16();
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !is_limit(&words) => {
                ForgeError::Denied { api, status: number, words }
            }
            StatusCode::NOT_FOUND => {
                ForgeError::Missing { api, project: self.address.project.clone() }
            }
            status if status.is_redirection() => ForgeError::Redirected { api, status: number },
            // GitHub's 403 for too many requests is as passing as a 429.
            StatusCode::FORBIDDEN => ForgeError::Refused { api, status: 429, words },
            _ => ForgeError::Refused { api, status: number, words },
        })
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, String> {
        let Address { api, project, .. } = &self.address;
        let below = match self.forge {
            Forge::Gitlab => format!("projects/{}", project.replace('/', "%2F")),
            _ => format!("repos/{project}"),
        };
        let below = if path.is_empty() { below } else { format!("{below}/{path}") };
        let mut address =
            Url::parse(api).and_then(|api| api.join(&below)).map_err(|error| error.to_string())?;
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        Ok(address)
    }

    /// Those of a list that are from this branch of this repository to that base.
    fn read_list(&self, list: &Value, branch: &str, base: &str) -> Result<Vec<Found>, ForgeError> {
        let entries = list.as_array().ok_or_else(|| self.unreadable("it is no list"))?;
        let mut found = Vec::new();
        for entry in entries {
            let (it, from, to, is_own) = self.read(entry)?;
            if is_own && from == branch && to == base {
                found.push(it);
            }
        }
        Ok(found)
    }

    /// One, its branch, its base, and whether the branch is in the repository itself and not in a fork.
    fn read(&self, entry: &Value) -> Result<(Found, String, String, bool), ForgeError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let number =
            |value: &Value| value.as_u64().ok_or_else(|| self.unreadable("it has no number"));
        if self.forge == Forge::Gitlab {
            let state = match entry["state"].as_str() {
                Some("opened" | "locked") => State::Open,
                Some("merged") => State::Merged,
                _ => State::Closed,
            };
            let found = Found {
                number: number(&entry["iid"])?,
                web: text(&entry["web_url"]),
                title: text(&entry["title"]),
                body: text(&entry["description"]),
                state,
            };
            let is_own = entry["source_project_id"] == entry["target_project_id"];
            return Ok((
                found,
                text(&entry["source_branch"]),
                text(&entry["target_branch"]),
                is_own,
            ));
        }
        let is_merged = entry["merged"] == json!(true) || entry["merged_at"].is_string();
        let state = match entry["state"].as_str() {
            Some("open") => State::Open,
            _ if is_merged => State::Merged,
            _ => State::Closed,
        };
        let found = Found {
            number: number(&entry["number"])?,
            web: text(&entry["html_url"]),
            title: text(&entry["title"]),
            body: text(&entry["body"]),
            state,
        };
        let (head, base) = (&entry["head"], &entry["base"]);
        let is_own = head["repo"]["full_name"] == base["repo"]["full_name"];
        Ok((found, text(&head["ref"]), text(&base["ref"]), is_own))
    }

    fn unreadable(&self, detail: &str) -> ForgeError {
        ForgeError::Unreadable { api: self.address.api.clone(), detail: detail.to_owned() }
    }
}

fn is_limit(words: &str) -> bool {
    words.to_lowercase().contains("rate limit")
}

/// A connection's error with what it came from.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    sanitize(&words).into_owned()
}

/// The beginning of a refusal, on one line, and never the token, even if the forge repeats it.
fn said(text: &[u8], token: &str) -> String {
    let text = String::from_utf8_lossy(text).replace(token, "[token]");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = match serde_json::from_str::<Value>(&words) {
        // GitHub puts the interesting part into a list beside the message.
        Ok(json) if json["message"].is_string() && json["errors"].is_null() => {
            json["message"].as_str().unwrap_or_default().to_owned()
        }
        _ => words,
    };
    sanitize(&words).chars().take(LONGEST_WORDS).collect()
}
