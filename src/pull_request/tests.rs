//! Against stand-ins that keep the forges' documented rules.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use coalmine_core::reason::Hinted;
use serde_json::{Value, json};

use super::*;
use crate::source::{Edit, Trailers};

const TOKEN: &str = "s3cret-token";

/// A forge with one repository, `team/rollouts`.
#[derive(Default)]
struct Forged {
    pulls: Vec<Value>,
    /// What it was asked, by method and path.
    asked: Vec<String>,
    /// Open, and let the answer be lost.
    lose: bool,
    /// Show nothing once, as when another daemon opens one right after.
    hide: bool,
    /// Answer everything so.
    answer: Option<(u16, String)>,
    /// Lead everything there.
    lead: Option<String>,
    may_push: bool,
}

#[derive(Clone)]
struct Stand {
    forge: PullRequestForge,
    forged: Arc<Mutex<Forged>>,
}

struct Fixture {
    stand: Stand,
    pulls: PullRequests,
    token: PathBuf,
    _folder: tempfile::TempDir,
}

const FORGES: [PullRequestForge; 3] =
    [PullRequestForge::Github, PullRequestForge::Gitlab, PullRequestForge::Gitea];

impl Fixture {
    async fn new(forge: PullRequestForge) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stand = Stand { forge, forged: Arc::default() };
        let app = Router::new().fallback(answer).with_state(stand.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let api = format!("http://{}/api/", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        std::fs::write(&token, format!("{TOKEN}\n")).expect("written");
        let repository = "https://git.example.com/team/rollouts.git";
        let pulls = PullRequests::new(forge, repository, Some(&api), token.clone()).expect("one");
        Self { stand, pulls, token, _folder: folder }
    }

    fn with<T>(&self, see: impl FnOnce(&mut Forged) -> T) -> T {
        see(&mut self.stand.forged.lock().expect("whole"))
    }

    /// What a person does to the pull request.
    fn set(&self, number: usize, state: &str) {
        let merged = state == "merged";
        let state = match (self.stand.forge, state) {
            (PullRequestForge::Gitlab, state) => state,
            _ => "closed",
        };
        self.with(|forged| {
            let pull = &mut forged.pulls[number - 1];
            pull["state"] = state.into();
            pull["merged"] = merged.into();
            pull["merged_at"] = if merged { json!("2026-01-01T00:00:00Z") } else { Value::Null };
        });
    }
}

/// The forge's side.
async fn answer(
    Shared(stand): Shared<Stand>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    use PullRequestForge::{Gitea, Github, Gitlab};
    let mut forged = stand.forged.lock().expect("whole");
    forged.asked.push(format!("{method} {uri}"));
    if let Some(target) = &forged.lead {
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target.clone())])
            .into_response();
    }
    if let Some((status, words)) = forged.answer.clone() {
        return (StatusCode::from_u16(status).expect("a status"), words).into_response();
    }
    let (name, expected) = match stand.forge {
        Github => ("authorization", format!("Bearer {TOKEN}")),
        Gitlab => ("private-token", TOKEN.to_owned()),
        Gitea => ("authorization", format!("token {TOKEN}")),
    };
    if headers.get(name).and_then(|it| it.to_str().ok()) != Some(&expected) {
        // A forge that repeats what it was sent.
        let sent = headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let words = json!({"message": format!("401 Unauthorized: {sent}")});
        return (StatusCode::UNAUTHORIZED, words.to_string()).into_response();
    }
    let (project, list) = match stand.forge {
        Gitlab => ("/api/projects/team%2Frollouts", "/merge_requests"),
        _ => ("/api/repos/team/rollouts", "/pulls"),
    };
    let Some(path) = uri.path().strip_prefix(project) else {
        return (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#).into_response();
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let query: Vec<(String, String)> = reqwest::Url::parse(&format!("http://it{uri}"))
        .expect("an address")
        .query_pairs()
        .into_owned()
        .collect();
    let asked = |name: &str| query.iter().find(|(it, _)| it == name).map(|(_, it)| it.clone());
    match (method.as_str(), path) {
        ("GET", "") => {
            let permissions = match stand.forge {
                Gitlab => {
                    let level = if forged.may_push { 30 } else { 20 };
                    json!({"project_access": null, "group_access": {"access_level": level}})
                }
                _ => json!({"admin": false, "push": forged.may_push, "pull": true}),
            };
            json!({"permissions": permissions}).to_string().into_response()
        }
        ("GET", path) if path == list => {
            if std::mem::take(&mut forged.hide) {
                return "[]".into_response();
            }
            let mut found = forged.pulls.clone();
            found.reverse();
            // Every forge shows those that are open, unless it is asked for others.
            let (open, state) = match stand.forge {
                Gitlab => ("opened", asked("state")),
                _ => ("open", asked("state")),
            };
            let state = state.unwrap_or_else(|| open.to_owned());
            found.retain(|pull| state == "all" || pull["state"] == *state);
            match stand.forge {
                Github => {
                    // A filter without the owner is ignored.
                    let head = asked("head").filter(|head| head.contains(':'));
                    found
                        .retain(|it| head.as_ref().is_none_or(|head| it["head"]["label"] == *head));
                }
                Gitlab => {
                    let branch = asked("source_branch");
                    found
                        .retain(|it| branch.as_ref().is_none_or(|it2| it["source_branch"] == *it2));
                }
                Gitea => {
                    let page: usize = asked("page").map_or(1, |it| it.parse().expect("a number"));
                    let limit: usize =
                        asked("limit").map_or(30, |it| it.parse().expect("a number"));
                    found = found
                        .into_iter()
                        .skip((page - 1) * limit.min(50))
                        .take(limit.min(50))
                        .collect();
                }
            }
            Value::from(found).to_string().into_response()
        }
        ("POST", path) if path == list => {
            let key = if stand.forge == Gitlab { "source_branch" } else { "head" };
            let (open, conflict, words) = match stand.forge {
                Github => (
                    "open",
                    422,
                    r#"{"message":"Validation Failed","errors":[{"message":"A pull request already exists for team:x."}]}"#,
                ),
                Gitlab => (
                    "opened",
                    409,
                    r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#,
                ),
                Gitea => {
                    ("open", 409, r#"{"message":"pull request already exists for these targets"}"#)
                }
            };
            let branch = sent[key].clone();
            let is_there = forged.pulls.iter().any(|it| {
                it["state"] == *open
                    && (it["source_branch"] == branch || it["head"]["ref"] == branch)
            });
            if is_there {
                return (StatusCode::from_u16(conflict).expect("a status"), words).into_response();
            }
            let number = forged.pulls.len() + 1;
            let pull = pull(stand.forge, number, open, &branch, "team/rollouts", &sent);
            forged.pulls.push(pull.clone());
            if std::mem::take(&mut forged.lose) {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            (StatusCode::CREATED, pull.to_string()).into_response()
        }
        (method, path) => {
            let number = path.strip_prefix(list).and_then(|it| it.strip_prefix('/'));
            let number: Option<usize> = number.and_then(|it| it.parse().ok());
            let expected = if stand.forge == Gitlab { "PUT" } else { "PATCH" };
            let Some(number) = number.filter(|_| method == expected) else {
                return StatusCode::METHOD_NOT_ALLOWED.into_response();
            };
            let pull = &mut forged.pulls[number - 1];
            for (key, value) in sent.as_object().expect("an object") {
                match (key.as_str(), value.as_str()) {
                    ("state_event", Some("close")) => pull["state"] = "closed".into(),
                    _ => pull[key] = value.clone(),
                }
            }
            pull.to_string().into_response()
        }
    }
}

/// A pull request as the forge tells it.
fn pull(
    forge: PullRequestForge,
    number: usize,
    state: &str,
    branch: &Value,
    from: &str,
    sent: &Value,
) -> Value {
    let name = branch.as_str().unwrap_or_default();
    match forge {
        PullRequestForge::Gitlab => json!({
            "iid": number, "web_url": format!("https://git.example.com/{number}"), "state": state,
            "title": sent["title"], "description": sent["description"], "source_branch": branch,
            "target_branch": sent["target_branch"], "source_project_id": from, "target_project_id": "team/rollouts",
        }),
        _ => json!({
            "number": number, "html_url": format!("https://git.example.com/{number}"), "state": state,
            // They store line ends as browsers send them.
            "title": sent["title"], "body": sent["body"].as_str().unwrap_or_default().replace('\n', "\r\n"),
            "merged_at": null,
            "head": {"ref": branch, "label": format!("{}:{name}", from.split('/').next().unwrap_or_default()),
                "repo": {"full_name": from}},
            "base": {"ref": sent["base"], "repo": {"full_name": "team/rollouts"}},
        }),
    }
}

fn edit(step: &str, requests: u32) -> Edit {
    Edit {
        file: "services/echo.yaml".to_owned(),
        before: "weight: 5\n".to_owned(),
        after: "weight: 25\n".to_owned(),
        base: "1".repeat(40),
        subject: format!("echo: promote, give v2 {step} %"),
        body: format!("No harm in {requests} requests.\n```\n<!-- not ours -->"),
        trailers: Trailers {
            step: step.to_owned(),
            evidence: json!({"requests": requests}),
            started_by: "c0ffee Ada".to_owned(),
        },
    }
}

fn proposal(step: &str, requests: u32) -> Proposal {
    Proposal::of(&edit(step, requests), &branch("default", "echo"), "main")
}

fn open(number: u64, is_new: bool) -> Result<Standing, ForgeError> {
    Ok(Standing::Open { number, web: format!("https://git.example.com/{number}"), is_new })
}

#[tokio::test]
async fn one_pull_request_is_opened_found_again_and_renewed_in_place() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        assert_eq!(fixture.pulls.bring(&proposal("25", 412)).await, open(1, true), "{forge:?}");
        let before = fixture.with(|forged| forged.asked.len());
        assert_eq!(fixture.pulls.bring(&proposal("25", 412)).await, open(1, false), "{forge:?}");
        let asked = fixture.with(|forged| forged.asked.split_off(before));
        assert!(asked.iter().all(|it| it.starts_with("GET")), "nothing is written: {asked:?}");
        assert_eq!(fixture.pulls.bring(&proposal("50", 900)).await, open(1, false), "{forge:?}");
        fixture.with(|forged| {
            assert_eq!(forged.pulls.len(), 1);
            assert_eq!(forged.pulls[0]["title"], "echo: promote, give v2 50 %");
            let body = forged.pulls[0]["body"].as_str().or(forged.pulls[0]["description"].as_str());
            let body = body.expect("text");
            assert!(body.contains("No harm in 900 requests."), "{body}");
            assert!(body.contains("Coalmine-Evidence: {\"requests\":900}"), "{body}");
            assert!(body.contains("\n````text\n"), "its markup has no effect: {body}");
        });
    }
}

#[tokio::test]
async fn what_a_person_closed_stays_closed_for_this_step_and_what_was_merged_is_done() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        fixture.pulls.bring(&proposal("25", 412)).await.expect("opened");
        fixture.set(1, "closed");
        let web = "https://git.example.com/1".to_owned();
        let declined = Ok(Standing::Declined { number: 1, web });
        assert_eq!(fixture.pulls.bring(&proposal("25", 900)).await, declined, "{forge:?}");
        assert_eq!(fixture.pulls.bring(&proposal("50", 900)).await, open(2, true), "{forge:?}");
        fixture.set(2, "merged");
        assert_eq!(fixture.pulls.bring(&proposal("50", 901)).await, open(3, true), "{forge:?}");
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_opens_no_second_one() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        fixture.with(|forged| forged.lose = true);
        let error = fixture.pulls.bring(&proposal("25", 412)).await.expect_err("lost");
        assert!(error.is_passing(), "{error:?}");
        assert_eq!(fixture.pulls.bring(&proposal("25", 412)).await, open(1, false), "{forge:?}");
        fixture.with(|forged| forged.hide = true);
        assert_eq!(fixture.pulls.bring(&proposal("25", 412)).await, open(1, false), "{forge:?}");
        assert_eq!(fixture.with(|forged| forged.pulls.len()), 1, "{forge:?}");
    }
}

#[tokio::test]
async fn the_pull_request_of_a_fork_or_of_another_branch_is_not_ours() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        let ours = proposal("25", 412);
        let base = if forge == PullRequestForge::Gitlab { "target_branch" } else { "base" };
        let open_state = if forge == PullRequestForge::Gitlab { "opened" } else { "open" };
        let sent = json!({"title": "a stranger's", "body": "", "description": "", base: "main"});
        fixture.with(|forged| {
            let branch = Value::from(ours.branch.clone());
            forged.pulls.push(pull(forge, 1, open_state, &branch, "mallory/rollouts", &sent));
            let another = Value::from("topic");
            forged.pulls.push(pull(forge, 2, open_state, &another, "team/rollouts", &sent));
        });
        // These stand-ins refuse a second one for a branch whoever has it; what counts is that no stranger's is taken.
        let brought = fixture.pulls.bring(&ours).await;
        assert_eq!(brought, Err(ForgeError::Exists), "{forge:?}");
        let titles = fixture.with(|forged| forged.pulls[0]["title"].clone());
        assert_eq!(titles, "a stranger's", "{forge:?}");
        assert_eq!(fixture.pulls.withdraw(&ours.branch, "main").await, Ok(None), "{forge:?}");
    }
}

#[tokio::test]
async fn one_that_is_withdrawn_is_no_person_s_no() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        let ours = proposal("25", 412);
        fixture.pulls.bring(&ours).await.expect("opened");
        assert_eq!(fixture.pulls.withdraw(&ours.branch, "main").await, Ok(Some(1)), "{forge:?}");
        assert_eq!(fixture.pulls.withdraw(&ours.branch, "main").await, Ok(None), "{forge:?}");
        assert_eq!(fixture.pulls.bring(&ours).await, open(2, true), "{forge:?}");
    }
}

#[tokio::test]
async fn gitea_is_asked_for_as_many_pages_as_it_has() {
    let fixture = Fixture::new(PullRequestForge::Gitea).await;
    let ours = proposal("25", 412);
    fixture.pulls.bring(&ours).await.expect("opened");
    fixture.with(|forged| {
        for number in 2..=120 {
            let sent = json!({"title": "other", "body": "", "base": "main"});
            let branch = Value::from(format!("topic-{number}"));
            let forge = PullRequestForge::Gitea;
            forged.pulls.push(pull(forge, number, "open", &branch, "team/rollouts", &sent));
        }
    });
    assert_eq!(fixture.pulls.bring(&ours).await, open(1, false));
}

#[tokio::test]
async fn errors_say_what_to_do_and_never_the_token() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        std::fs::write(&fixture.token, "wrong-s3cret").expect("written");
        let error = fixture.pulls.bring(&proposal("25", 1)).await.expect_err("wrong token");
        assert!(matches!(error, ForgeError::Denied { status: 401, .. }), "{error:?}");
        assert!(error.line().contains("--autopilot-token-file"), "{}", error.line());
        assert!(!error.line().contains("s3cret"), "{}", error.line());
        std::fs::write(&fixture.token, "").expect("written");
        let error = fixture.pulls.check().await.expect_err("empty").line();
        assert!(error.contains("it is empty"), "{error}");
        std::fs::write(&fixture.token, TOKEN).expect("written");
        assert!(fixture.pulls.bring(&proposal("25", 1)).await.is_ok(), "the token is read anew");
        for (status, words, expected, passes) in [
            (404, "{}", "has no repository team/rollouts", false),
            (
                403,
                r#"{"message":"Resource not accessible"}"#,
                "(403): Resource not accessible",
                false,
            ),
            (
                403,
                r#"{"message":"API rate limit exceeded"}"#,
                "rate limit exceeded; it is tried",
                true,
            ),
            (502, "bad\u{1b}[2J gateway", "answers 502: bad\\u{1b}[2J gateway", true),
            (200, "<html>", "cannot be read", false),
        ] {
            fixture.with(|forged| forged.answer = Some((status, words.to_owned())));
            let error = fixture.pulls.bring(&proposal("25", 1)).await.expect_err(expected);
            assert!(error.line().contains(expected), "{}", error.line());
            assert_eq!(error.is_passing(), passes, "{error:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_followed_to_another_server() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("set");
    let port = elsewhere.local_addr().expect("bound").port();
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        fixture.with(|forged| forged.lead = Some(format!("http://localhost:{port}/api/")));
        let error = fixture.pulls.bring(&proposal("25", 1)).await.expect_err("it leads on");
        assert!(matches!(error, ForgeError::Redirected { status: 307, .. }), "{error:?}");
        assert!(elsewhere.accept().is_err(), "nobody connected");
    }
}

#[tokio::test]
async fn the_rights_of_the_token_are_looked_at_without_a_write() {
    for forge in FORGES {
        let fixture = Fixture::new(forge).await;
        let error = fixture.pulls.check().await.expect_err("it may read only");
        assert!(matches!(error, ForgeError::ReadOnly { .. }), "{error:?}");
        fixture.with(|forged| forged.may_push = true);
        let words = fixture.pulls.check().await.expect("it may push");
        assert!(words.starts_with("the token may push to team/rollouts at http://"), "{words}");
        let asked = fixture.with(|forged| std::mem::take(&mut forged.asked));
        assert!(asked.iter().all(|it| it.starts_with("GET")), "{asked:?}");
    }
}

#[test]
fn a_repository_without_a_forge_is_refused() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let forge = PullRequestForge::Github;
    let error = PullRequests::new(forge, "file:///srv/a/b.git", None, "token".into());
    assert!(error.expect_err("no forge").to_string().contains("does not tell a forge"));
}
