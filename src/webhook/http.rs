//! The route.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::time::Instant;

use super::message::{Verdict, judge};
use crate::secret::SecretFile;
use crate::source::Trigger;
use coalmine_core::reason::Hinted;

/// The longest message, in bytes. A push of very many commits may be longer; the next poll finds it.
const LONGEST: usize = 1 << 20;
/// How long a message may take to arrive. Nobody has to know a secret to begin one.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least pause between two log lines about messages that were refused.
const PAUSE: Duration = Duration::from_secs(10);
/// How the secret is asked for: as the password of any name (RFC 7617).
const CHALLENGE: &str = r#"Basic realm="coalmine webhook", charset="UTF-8""#;

struct Hook {
    secret: SecretFile,
    branch: String,
    trigger: Trigger,
    patience: Duration,
    refusals: Mutex<Refusals>,
}

/// `POST /hooks/git`, which pulls the trigger for a push to `branch` by a sender that knows the
/// secret.
pub fn routes(secret: SecretFile, branch: String, trigger: Trigger) -> Router {
    Hook { secret, branch, trigger, patience: PATIENCE, refusals: Mutex::default() }.routes()
}

async fn receive(State(hook): State<Arc<Hook>>, headers: HeaderMap, body: Body) -> Response {
    // Dropping the body closes the connection, whatever is still to come.
    let body = match tokio::time::timeout(hook.patience, to_bytes(body, LONGEST)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let answer = format!("the message has more than {LONGEST} bytes\n");
            return (StatusCode::PAYLOAD_TOO_LARGE, answer).into_response();
        }
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let secret = match hook.secret.read() {
        Ok(secret) => secret,
        Err(error) => {
            hook.refuse(&error.line());
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    match judge(&headers, &body, &secret, &hook.branch) {
        Ok(Verdict::Fetch) => {
            tracing::debug!("a push was announced");
            hook.trigger.pull();
            (StatusCode::ACCEPTED, "fetching\n").into_response()
        }
        Ok(Verdict::OtherBranch) => {
            (StatusCode::OK, format!("ignored: not branch {}\n", hook.branch)).into_response()
        }
        Ok(Verdict::OtherEvent) => (StatusCode::OK, "ignored: not a push\n").into_response(),
        Err(refused) => {
            hook.refuse(&refused.to_string());
            // Some senders wait to be asked for the password that they have.
            let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
            (StatusCode::UNAUTHORIZED, challenge, format!("{refused}\n")).into_response()
        }
    }
}

impl Hook {
    fn routes(self) -> Router {
        Router::new().route("/hooks/git", post(receive)).with_state(Arc::new(self))
    }

    /// Tells why, and nothing of what was sent.
    fn refuse(&self, why: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = refusals.due(Instant::now()) {
            tracing::warn!(more, "a webhook message was refused: {why}");
        }
    }
}

/// Refused messages, which anybody can send as fast as they please: few of them are logged.
#[derive(Default)]
struct Refusals {
    logged: Option<Instant>,
    silent: u64,
}

impl Refusals {
    /// Whether this one is to be logged, and how many were not since the last that was.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.duration_since(logged) < PAUSE) {
            self.silent += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.silent))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use futures::FutureExt;
    use tower::ServiceExt;

    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";

    struct Fixture {
        folder: tempfile::TempDir,
        trigger: Trigger,
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("secret"), SECRET).unwrap();
            Self { folder, trigger: Trigger::default() }
        }

        fn hook(&self) -> Hook {
            Hook {
                secret: SecretFile {
                    what: "webhook secret",
                    path: self.folder.path().join("secret"),
                },
                branch: "main".to_owned(),
                trigger: self.trigger.clone(),
                patience: PATIENCE,
                refusals: Mutex::default(),
            }
        }

        async fn post(&self, token: &str, body: impl Into<Body>) -> StatusCode {
            Self::post_to(self.hook(), token, body).await
        }

        async fn post_to(hook: Hook, token: &str, body: impl Into<Body>) -> StatusCode {
            let routes = hook.routes();
            let request = Request::post("/hooks/git").header("x-gitlab-token", token);
            routes.oneshot(request.body(body.into()).unwrap()).await.unwrap().status()
        }

        fn pulled(&self) -> bool {
            self.trigger.pulled().now_or_never().is_some()
        }
    }

    #[tokio::test]
    async fn a_push_to_the_branch_pulls_the_trigger() {
        let fixture = Fixture::new();
        let push = r#"{"ref": "refs/heads/main"}"#;
        assert_eq!(fixture.post(SECRET, push).await, StatusCode::ACCEPTED);
        assert!(fixture.pulled());
    }

    #[tokio::test]
    async fn a_push_that_is_not_understood_pulls_the_trigger_too() {
        let fixture = Fixture::new();
        assert_eq!(fixture.post(SECRET, "payload=%7B%7D").await, StatusCode::ACCEPTED);
        assert!(fixture.pulled());
    }

    #[tokio::test]
    async fn what_is_ignored_or_refused_pulls_nothing() {
        let fixture = Fixture::new();
        let other = r#"{"ref": "refs/heads/next"}"#;
        assert_eq!(fixture.post(SECRET, other).await, StatusCode::OK);
        let push = r#"{"ref": "refs/heads/main"}"#;
        assert_eq!(fixture.post("guess", push).await, StatusCode::UNAUTHORIZED);
        assert!(!fixture.pulled());
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_refused_also_when_it_does_not_say_so() {
        let fixture = Fixture::new();
        let push = r#"{"ref": "refs/heads/main"}"#;
        let fits = format!("{push}{}", " ".repeat(LONGEST - push.len()));
        assert_eq!(fixture.post(SECRET, fits.clone()).await, StatusCode::ACCEPTED);
        assert!(fixture.pulled());
        let pieces = [Ok::<_, std::io::Error>(fits), Ok(" ".to_owned())];
        let stream = Body::from_stream(futures::stream::iter(pieces));
        assert_eq!(fixture.post(SECRET, stream).await, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(!fixture.pulled());
    }

    #[tokio::test]
    async fn a_message_that_does_not_arrive_is_not_waited_for() {
        let fixture = Fixture::new();
        let silence = futures::stream::pending::<Result<String, std::io::Error>>();
        let hook = Hook { patience: Duration::from_millis(1), ..fixture.hook() };
        let status = Fixture::post_to(hook, SECRET, Body::from_stream(silence)).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_secret_that_changes_holds_at_once_and_one_that_is_gone_opens_nothing() {
        let fixture = Fixture::new();
        let file = fixture.folder.path().join("secret");
        let push = r#"{"ref": "refs/heads/main"}"#;
        std::fs::write(&file, "0123456789abcdef").unwrap();
        assert_eq!(fixture.post(SECRET, push).await, StatusCode::UNAUTHORIZED);
        assert_eq!(fixture.post("0123456789abcdef", push).await, StatusCode::ACCEPTED);
        assert!(fixture.pulled());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(fixture.post("", push).await, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!fixture.pulled());
    }

    #[test]
    fn a_flood_of_refusals_is_logged_once_a_while_with_its_number() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.due(start), Some(0));
        assert_eq!(refusals.due(start), None);
        assert_eq!(refusals.due(start + PAUSE / 2), None);
        assert_eq!(refusals.due(start + PAUSE), Some(2));
        assert_eq!(refusals.due(start + PAUSE * 2), Some(0));
    }
}
