//! The status endpoint.

use std::future::Future;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use super::{Board, Summary};

/// Serves `/api/services` (JSON) and `/healthz` until `stop` resolves.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    board: Arc<Board>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/api/services", get(summary))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(board);
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn summary(State(board): State<Arc<Board>>) -> Json<Summary> {
    Json(board.summary())
}
