//! Receivers that listen on loopback, and what they get.

mod pauses;

use std::path::Path;
use std::sync::Mutex;

use axum::extract::{Path as Segment, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::report::{ServiceReport, State};

/// What came in: where to, and what.
#[derive(Default)]
struct Inbox {
    got: Mutex<Vec<(String, Value)>>,
    /// How many messages are refused before one is taken.
    refuse: Mutex<u32>,
    /// What a message is about that is always refused.
    dislikes: Option<&'static str>,
    /// What the next message is answered with, headers and all, instead of being taken.
    answer: Mutex<Option<Response>>,
    /// What becomes of messages that are never answered.
    silence: Mutex<Option<Silence>>,
    /// Notified of each of those.
    unanswered: Notify,
}

/// What becomes of a message whose sender gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Lost,
    Received,
}

impl Inbox {
    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.got.lock().expect("nobody panicked"))
    }

    fn refuses(&self, path: &str) -> bool {
        let mut refuse = self.refuse.lock().expect("nobody panicked");
        let refuses = *refuse > 0 || self.dislikes.is_some_and(|words| path.contains(words));
        *refuse = refuse.saturating_sub(1);
        refuses
    }
}

async fn receive(
    Shared(inbox): Shared<Arc<Inbox>>,
    Segment(path): Segment<String>,
    headers: HeaderMap,
    Json(mut body): Json<Value>,
) -> Response {
    let answer = inbox.answer.lock().expect("nobody panicked").take();
    if let Some(answer) = answer {
        inbox.got.lock().expect("nobody panicked").push(("refused".to_owned(), body));
        return answer;
    }
    if inbox.refuses(&path) {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({}))).into_response();
    }
    if let Some(signature) = headers.get("X-Coalmine-Signature-256") {
        body["signature"] = signature.to_str().expect("text").into();
    }
    let silence = *inbox.silence.lock().expect("nobody panicked");
    if silence != Some(Silence::Lost) {
        inbox.got.lock().expect("nobody panicked").push((path, body));
    }
    if silence.is_some() {
        inbox.unanswered.notify_one();
        std::future::pending::<()>().await;
    }
    Json(json!({"ok": true, "channel": "C1", "ts": "17.5"})).into_response()
}

async fn listen() -> (Arc<Inbox>, String) {
    listen_with(Inbox::default()).await
}

async fn listen_with(inbox: Inbox) -> (Arc<Inbox>, String) {
    let inbox = Arc::new(inbox);
    let routes = Router::new().route("/{*path}", post(receive)).with_state(inbox.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (inbox, address)
}

fn summary(phase: &str, state: State, revision: &str) -> Summary {
    let report = ServiceReport {
        service: "echo".into(),
        phase: phase.into(),
        state,
        last_attempted_revision: revision.into(),
        last_applied_revision: Some("0".into()),
        ..ServiceReport::default()
    };
    let mut summary = Summary { services: vec![report], ..Summary::default() };
    summary.source.last_attempted_revision = Some(revision.into());
    summary.source.accepted_revision = Some(revision.into());
    summary
}

/// A notifier in its folder, and what it remembers.
struct TestNotifier(Notifier, Memory, BackOffs, Instant);

impl TestNotifier {
    /// Tells; true when somebody could not be told.
    async fn accept(&mut self, summary: &Summary) -> bool {
        self.accept_after(3600, summary).await
    }

    /// As [`Self::accept`], so many seconds after the last time.
    async fn accept_after(&mut self, seconds: u64, summary: &Summary) -> bool {
        self.3 += Duration::from_secs(seconds);
        self.0.report(summary, &mut self.1, &mut self.2, self.3).await
    }
}

async fn notifier(receivers: Receivers, directory: &Path) -> TestNotifier {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let place = Place::file(directory);
    let notifier = Notifier::new(receivers, Arc::default(), place.clone()).expect("a client");
    let memory = Memory::load(place).await.expect("a memory");
    TestNotifier(notifier, memory, BackOffs::default(), Instant::now())
}

fn file(folder: &Path, content: &str) -> std::path::PathBuf {
    let path = folder.join("secret");
    std::fs::write(&path, content).expect("written");
    path
}

#[tokio::test]
async fn a_rollout_is_one_message_in_slack_also_after_a_new_start() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let slack = Slack {
        channel: "#releases".into(),
        token_file: file(folder.path(), "xoxb-1"),
        api: address.parse().expect("an address"),
    };
    let receivers = Receivers { slack: Some(slack), ..Receivers::default() };
    let mut first = notifier(receivers.clone(), folder.path()).await;
    assert!(!first.accept(&summary("CanaryTest", State::Ready, "a")).await);
    let mut second = notifier(receivers, folder.path()).await;
    // It does not know yet which services there are.
    assert!(!second.accept(&Summary::default()).await);
    assert!(!second.accept(&summary("Stable", State::Ready, "<!b>")).await);
    assert!(!second.accept(&summary("Stable", State::Ready, "<!b>")).await);
    let got = inbox.take();
    let methods: Vec<&str> = got.iter().map(|(method, _)| method.as_str()).collect();
    assert_eq!(methods, ["chat.postMessage", "chat.update"]);
    assert_eq!((&got[1].1["channel"], &got[1].1["ts"]), (&json!("C1"), &json!("17.5")));
    let text = got[1].1["text"].as_str().expect("text");
    assert!(text.contains("CanaryTest") && text.contains("commit &lt;!b&gt;"), "{text}");
    assert!(text.ends_with("done"), "{text}");
}

#[tokio::test]
async fn whoever_could_not_be_told_is_told_later_and_signed_messages_can_be_checked() {
    let (inbox, address) = listen().await;
    *inbox.refuse.lock().expect("nobody panicked") = 2;
    let folder = tempfile::tempdir().expect("a folder");
    let secret = "0123456789abcdef";
    let webhook = Webhook {
        url: (address + "hook").parse().expect("an address"),
        secret: Some(crate::secret::SecretFile {
            what: "notification secret",
            path: file(folder.path(), secret),
        }),
    };
    let receivers = Receivers { webhook: Some(webhook), ..Receivers::default() };
    let mut notifier = notifier(receivers, folder.path()).await;
    let now = summary("Shifting", State::Ready, "a");
    assert!(notifier.accept(&now).await);
    assert!(notifier.accept(&now).await);
    assert!(!notifier.accept(&now).await);
    assert!(!notifier.accept(&now).await);
    let got = inbox.take();
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0].1["id"], "echo/a");
    let signature = got[0].1["signature"].as_str().expect("a signature");
    assert!(signature.starts_with("sha256=") && signature.len() == 71, "{signature}");
}

#[tokio::test]
async fn a_receiver_that_leads_on_is_followed_on_the_same_server_only() {
    let (elsewhere, address) = listen().await;
    let address = address + "hook";
    let (inbox, here) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut notifier = notifier(to_webhook(&here), folder.path()).await;
    let answer = |status: u16, to: &str| {
        let answer = Response::builder().status(status).header("location", to);
        *inbox.answer.lock().expect("nobody panicked") =
            Some(answer.body(axum::body::Body::empty()).expect("an answer"));
    };
    let now = summary("Shifting", State::Ready, "a");
    for (status, to) in [
        (307, address.as_str()),
        (308, address.as_str()),
        (302, address.as_str()),
        // To the same server, as a request without the message.
        (302, "/other"),
    ] {
        answer(status, to);
        assert!(notifier.accept(&now).await, "{status} to {to} is no success");
        assert!(elsewhere.take().is_empty(), "{status} to {to}");
    }
    inbox.take();
    answer(307, "/other");
    assert!(!notifier.accept(&now).await);
    let got: Vec<String> = inbox.take().into_iter().map(|(path, _)| path).collect();
    assert_eq!(got, ["refused", "other"]);
}

fn to_webhook(address: &str) -> Receivers {
    let url = (address.to_owned() + "hook").parse().expect("an address");
    Receivers { webhook: Some(Webhook { url, secret: None }), ..Receivers::default() }
}

/// Plays a rollout in which the daemon dies while it sends the message of the step `death`; the next one sees
/// that step and all that follow, or only the last one. What came in then.
async fn messages_with_a_death(death: usize, silence: Silence, sees_all: bool) -> Vec<Value> {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let steps = [
        summary("Shifting", State::Progressing, "a"),
        summary("Shifting", State::Ready, "a"),
        summary("Stable", State::Progressing, "b"),
        summary("Stable", State::Ready, "b"),
    ];
    let mut first = notifier(to_webhook(&address), folder.path()).await;
    for step in &steps[..death] {
        assert!(!first.accept(step).await);
    }
    *inbox.silence.lock().expect("nobody panicked") = Some(silence);
    tokio::select! {
        _ = first.accept(&steps[death]) => unreachable!("it was not answered"),
        () = inbox.unanswered.notified() => {}
    }
    *inbox.silence.lock().expect("nobody panicked") = None;
    let mut next = notifier(to_webhook(&address), folder.path()).await;
    for step in if sees_all { &steps[death..] } else { &steps[steps.len() - 1..] } {
        assert!(!next.accept(step).await);
    }
    inbox.take().into_iter().map(|(_, message)| message).collect()
}

#[tokio::test]
async fn the_next_daemon_ends_the_message_whenever_the_one_before_died() {
    for death in 0..4 {
        for silence in [Silence::Lost, Silence::Received] {
            for sees_all in [true, false] {
                let case = format!("step {death}, {silence:?}, all: {sees_all}");
                let got = messages_with_a_death(death, silence, sees_all).await;
                assert!(got.iter().all(|message| message["id"] == "echo/a"), "{case}: {got:?}");
                let last = got.last().expect("a message");
                assert_eq!(last["finished"], true, "{case}: {got:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_daemon_could_not_report_is_reported_by_the_next_one_also_the_end() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (shifting, stable) =
        (summary("Shifting", State::Ready, "a"), summary("Stable", State::Ready, "b"));
    for (summary, is_finished) in [(&shifting, false), (&stable, true)] {
        *inbox.refuse.lock().expect("nobody panicked") = 1;
        let mut first = notifier(to_webhook(&address), folder.path()).await;
        assert!(first.accept(summary).await);
        let mut second = notifier(to_webhook(&address), folder.path()).await;
        assert!(!second.accept(summary).await);
        let mut third = notifier(to_webhook(&address), folder.path()).await;
        assert!(!third.accept(summary).await);
        let got = inbox.take();
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!(got[0].1["finished"], is_finished);
    }
}

#[tokio::test]
async fn messages_are_sent_although_nothing_can_be_remembered() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let mut notifier = notifier(to_webhook(&address), &missing).await;
    assert!(!notifier.accept(&summary("Shifting", State::Ready, "a")).await);
    assert_eq!(inbox.take().len(), 1);
}

#[tokio::test]
async fn whoever_refuses_messages_keeps_them_from_nobody_else() {
    let (inbox, address) = listen_with(Inbox { dislikes: Some("chat"), ..Inbox::default() }).await;
    let folder = tempfile::tempdir().expect("a folder");
    let slack = Slack {
        channel: "#releases".into(),
        token_file: file(folder.path(), "xoxb-1"),
        api: address.parse().expect("an address"),
    };
    let url = (address + "hook").parse().expect("an address");
    let webhook = Webhook { url, secret: None };
    let receivers =
        Receivers { slack: Some(slack), webhook: Some(webhook), ..Receivers::default() };
    let mut notifier = notifier(receivers, folder.path()).await;
    assert!(notifier.accept(&summary("Shifting", State::Ready, "a")).await);
    let got = inbox.take();
    let paths: Vec<&str> = got.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["hook"]);
}

#[tokio::test]
async fn a_commit_is_told_when_its_state_changes() {
    let (inbox, address) = listen().await;
    let folder = tempfile::tempdir().expect("a folder");
    let token = file(folder.path(), "s3cret");
    let repository = "https://github.example.com/team/rollouts";
    let status = CommitStatus::new(Forge::Github, repository, Some(&address), token, "blue", None);
    let receivers = Receivers { commit_status: status.ok(), ..Receivers::default() };
    let mut notifier = notifier(receivers, folder.path()).await;
    for state in [State::Progressing, State::Progressing, State::Ready] {
        assert!(!notifier.accept(&summary("Shifting", state, "a")).await);
    }
    let got = inbox.take();
    let states: Vec<_> = got.iter().map(|(path, body)| (path.as_str(), &body["state"])).collect();
    let path = "repos/team/rollouts/statuses/a";
    assert_eq!(states, [(path, &json!("pending")), (path, &json!("success"))]);
    assert_eq!(got[0].1["context"], "coalmine/blue");
}
