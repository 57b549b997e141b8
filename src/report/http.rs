//! The status endpoint.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::changes::Listeners;
use super::listen::{self, Limits};
use super::metrics::CONTENT_TYPE;
use super::{Access, Health, Hosts, Metrics, StatusStore, Summary, TlsFiles};

/// What the endpoint shows.
#[derive(Clone)]
pub struct Reports {
    /// At `/api/services`.
    pub status_store: Arc<StatusStore>,
    /// At `/metrics`.
    pub metrics: Arc<Metrics>,
    /// At `/healthz` and `/readyz`.
    pub health: Arc<Health>,
}

impl Default for Reports {
    fn default() -> Self {
        let status_store = Arc::new(StatusStore::default());
        Self {
            metrics: Arc::new(Metrics::new(status_store.clone())),
            status_store,
            health: Arc::default(),
        }
    }
}

/// What is served, and to whom.
#[derive(Default)]
pub struct Endpoint {
    /// What it shows.
    pub reports: Reports,
    /// Who may see how rollouts stand: `/api/...` and the pages. Metrics and probes are for everybody.
    pub access: Access,
    /// The pages for people.
    pub pages: Router,
    /// What knows its own senders.
    pub hooks: Router,
    /// By which names it may be asked for the status, the pages and the metrics.
    pub hosts: Hosts,
    /// With which certificate it speaks TLS; without one it does not.
    pub tls: Option<TlsFiles>,
}

/// Serves `/api/services`, `/api/services/{name}` (JSON), `/api/events` (server-sent events),
/// `/metrics` (OpenMetrics), `/healthz`, `/readyz`, the pages and the hooks until `stop` is cancelled.
pub async fn serve(listener: TcpListener, mut endpoint: Endpoint, stop: CancellationToken) {
    let tls = endpoint.tls.take();
    let routes = endpoint.routes(stop.clone());
    listen::serve(listener, routes, tls, Limits::default(), stop).await;
}

/// No response is anything but what it says, tells other sites of itself, or is shown in a frame or by
/// another site. Only the pages load something, and that from here.
fn precautions() -> [(HeaderName, HeaderValue); 5] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ]
}

impl Endpoint {
    fn routes(self, stop: CancellationToken) -> Router {
        let Self { reports, access, pages, hooks, hosts, .. } = self;
        let listeners = Listeners::new(reports.status_store.clone(), stop);
        let closed = Router::new()
            .route("/api/services", get(summary))
            .route("/api/services/{name}", get(detail))
            .with_state(reports.clone())
            .route("/api/events", get(async move || listeners.listen()))
            .merge(pages)
            .layer(map_response(fresh));
        let metrics = Router::new().route("/metrics", get(metrics)).with_state(reports.clone());
        let probes = Router::new()
            .route("/healthz", get(liveness))
            .route("/readyz", get(readiness))
            .with_state(reports);
        let told = hosts.guard(access.guard(closed).merge(metrics));
        told.merge(probes).merge(hooks).layer(map_response(careful))
    }
}

async fn careful(mut response: Response) -> Response {
    response.headers_mut().extend(precautions());
    response
}

/// How a rollout stands now is nothing to keep.
async fn fresh(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn summary(State(reports): State<Reports>) -> Json<Summary> {
    Json(reports.status_store.summary())
}

async fn detail(State(reports): State<Reports>, Path(name): Path<String>) -> Response {
    match reports.status_store.detail(&name) {
        Some(detail) => Json(detail).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such service\n").into_response(),
    }
}

async fn metrics(State(reports): State<Reports>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], reports.metrics.text())
}

async fn liveness(State(reports): State<Reports>) -> impl IntoResponse {
    answer(reports.health.liveness(Instant::now()))
}

async fn readiness(State(reports): State<Reports>) -> impl IntoResponse {
    answer(reports.health.readiness())
}

fn answer(verdict: Result<(), String>) -> (StatusCode, String) {
    match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tower::ServiceExt;

    use super::*;
    use crate::secret::SecretFile;

    const TOKEN: &str = "correct horse battery";

    async fn ask(endpoint: Endpoint, path: &str, authorization: &str) -> Response {
        let routes = endpoint.routes(CancellationToken::new());
        let request = Request::get(path).header(header::AUTHORIZATION, authorization);
        routes.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
    }

    async fn get(reports: &Reports, path: &str) -> (StatusCode, Option<HeaderValue>, String) {
        let endpoint = Endpoint { reports: reports.clone(), ..Endpoint::default() };
        let (parts, body) = ask(endpoint, path, "").await.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        (parts.status, parts.headers.get(header::CONTENT_TYPE).cloned(), text)
    }

    #[tokio::test]
    async fn metrics_come_with_their_media_type() {
        let (status, kind, text) = get(&Reports::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind.expect("a type"), CONTENT_TYPE);
        assert!(text.contains("coalmine_build_info{version="), "{text}");
    }

    #[tokio::test]
    async fn probes_fail_with_the_reason() {
        let reports = Reports::default();
        assert_eq!(get(&reports, "/healthz").await.0, StatusCode::OK);
        let (status, _, why) = get(&reports, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(why.contains("no commit was accepted yet"), "{why}");
        reports.health.accepted();
        assert_eq!(get(&reports, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn one_service_is_told_with_its_history_whatever_its_name_is() {
        let reports = Reports::default();
        reports.status_store.invalid("services/Echo.yaml", "no".into(), "a");
        let (status, _, text) = get(&reports, "/api/services/services%2FEcho.yaml").await;
        assert_eq!(status, StatusCode::OK);
        let detail: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(detail["service"], "services/Echo.yaml");
        assert!(detail["history"]["steps"].is_array(), "{text}");
        assert_eq!(get(&reports, "/api/services/nobody").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_answer_is_careful_and_no_status_is_kept() {
        for path in ["/api/services", "/metrics", "/nowhere"] {
            let response = ask(Endpoint::default(), path, "").await;
            let policy = &response.headers()[header::CONTENT_SECURITY_POLICY];
            assert!(policy.to_str().expect("text").starts_with("default-src 'none'"), "{path}");
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        }
        let response = ask(Endpoint::default(), "/api/services", "").await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }

    #[tokio::test]
    async fn a_token_closes_what_tells_of_rollouts_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let endpoint = || {
            let access = Access::Token(SecretFile { what: "status token", path: path.clone() });
            let pages = Router::new().route("/", axum::routing::get("page"));
            Endpoint { access, pages, ..Endpoint::default() }
        };
        let status = async |path: &str, authorization: &str| {
            ask(endpoint(), path, authorization).await.status()
        };
        let right = format!("Bearer {TOKEN}");
        assert_eq!(status("/", &right).await, StatusCode::INTERNAL_SERVER_ERROR, "no file");
        std::fs::write(&path, TOKEN).expect("a file");
        for closed in ["/", "/api/services", "/api/services/echo", "/api/events"] {
            assert_eq!(status(closed, "Bearer guess").await, StatusCode::UNAUTHORIZED, "{closed}");
        }
        for open in ["/metrics", "/healthz"] {
            assert_eq!(status(open, "").await, StatusCode::OK, "{open}");
        }
        assert_eq!(status("/", &right).await, StatusCode::OK);
        let refused = ask(endpoint(), "/", "").await;
        let challenges: Vec<_> =
            refused.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges.len(), 2, "a browser asks for a password: {challenges:?}");
    }

    #[tokio::test]
    async fn a_name_that_anybody_can_own_is_told_nothing_and_can_still_probe_and_announce() {
        let status = async |path: &str, host: &str| {
            let pages = Router::new().route("/", axum::routing::get("page"));
            let hooks = Router::new().route("/hooks/git", axum::routing::get("hook"));
            let hosts = Hosts::named(["status.example.com".to_owned()]);
            let endpoint = Endpoint { pages, hooks, hosts, ..Endpoint::default() };
            let routes = endpoint.routes(CancellationToken::new());
            let request = Request::get(path).header(header::HOST, host).body(Body::empty());
            routes.oneshot(request.expect("a request")).await.expect("an answer").status()
        };
        for path in ["/", "/api/services", "/api/services/echo", "/api/events", "/metrics"] {
            let refused = StatusCode::MISDIRECTED_REQUEST;
            assert_eq!(status(path, "rebound.example.com:8081").await, refused, "{path}");
        }
        for (path, host) in [
            ("/healthz", "rebound.example.com"),
            ("/hooks/git", "rebound.example.com"),
            ("/", "status.example.com"),
            ("/metrics", "10.0.0.7:8081"),
        ] {
            assert_eq!(status(path, host).await, StatusCode::OK, "{path} by {host}");
        }
    }

    #[tokio::test]
    async fn who_listens_does_not_hold_up_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Endpoint::default(), stop.clone()));
        let mut listening = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET /api/events HTTP/1.1\r\nHost: test\r\n\r\n";
        listening.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"data: 0\n\n\r\n") {
            let read = listening.read_buf(&mut answer).await.expect("an answer");
            assert_ne!(read, 0, "{}", answer.escape_ascii());
        }
        stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(60), serving).await;
        ended.expect("in time").expect("no panic");
    }
}
