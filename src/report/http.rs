//! The status endpoint.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::metrics::CONTENT_TYPE;
use super::{Board, Health, Metrics, Summary};

/// What the endpoint shows.
#[derive(Clone)]
pub struct Shown {
    /// At `/api/services`.
    pub board: Arc<Board>,
    /// At `/metrics`.
    pub metrics: Arc<Metrics>,
    /// At `/healthz` and `/readyz`.
    pub health: Arc<Health>,
}

impl Default for Shown {
    fn default() -> Self {
        let board = Arc::new(Board::default());
        Self { metrics: Arc::new(Metrics::new(board.clone())), board, health: Arc::default() }
    }
}

/// Serves `/api/services` (JSON), `/metrics` (OpenMetrics), `/healthz`, `/readyz` and the `hooks` until
/// `stop` resolves.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    shown: Shown,
    hooks: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, routes(shown).merge(hooks)).with_graceful_shutdown(stop).await
}

fn routes(shown: Shown) -> Router {
    Router::new()
        .route("/api/services", get(summary))
        .route("/metrics", get(metrics))
        .route("/healthz", get(liveness))
        .route("/readyz", get(readiness))
        .with_state(shown)
}

async fn summary(State(shown): State<Shown>) -> Json<Summary> {
    Json(shown.board.summary())
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], shown.metrics.text())
}

async fn liveness(State(shown): State<Shown>) -> impl IntoResponse {
    answer(shown.health.liveness(Instant::now()))
}

async fn readiness(State(shown): State<Shown>) -> impl IntoResponse {
    answer(shown.health.readiness())
}

fn answer(verdict: Result<(), String>) -> (StatusCode, String) {
    match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderValue, Request};
    use tower::ServiceExt;

    use super::*;

    async fn get(shown: &Shown, path: &str) -> (StatusCode, Option<HeaderValue>, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = routes(shown.clone()).oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        (parts.status, parts.headers.get(header::CONTENT_TYPE).cloned(), text)
    }

    #[tokio::test]
    async fn metrics_come_with_their_media_type() {
        let (status, kind, text) = get(&Shown::default(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind.expect("a type"), CONTENT_TYPE);
        assert!(text.contains("coalmine_build_info{version="), "{text}");
    }

    #[tokio::test]
    async fn probes_fail_with_the_reason() {
        let shown = Shown::default();
        assert_eq!(get(&shown, "/healthz").await.0, StatusCode::OK);
        let (status, _, why) = get(&shown, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(why.contains("no commit was taken up yet"), "{why}");
        shown.health.taken_up();
        assert_eq!(get(&shown, "/readyz").await.0, StatusCode::OK);
    }
}
