//! The status page: how every rollout stands, for people. It only shows, asks nothing of other sites,
//! and can be read without JavaScript; a small script keeps it up to date.
//!
//! What a page shows is computed from the status store without a clock or a request, and only then put into a
//! template, which escapes it. All text that somebody chose goes through [`readable`] before.

mod appearance;
mod autopilot;
mod chart;
mod head;
mod moment;
mod overview;
mod service;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::report::StatusStore;
use coalmine_core::sanitize::sanitize;
use head::{Head, NotFound};
use overview::{Overview, OverviewQuery};
use service::ServicePage;

/// `/`, `/services/{name}` and what they load.
pub fn routes(status_store: Arc<StatusStore>) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/services/{name}", get(service))
        .with_state(status_store)
        .route(
            "/assets/style.css",
            get(async || asset("text/css", include_str!("assets/style.css"))),
        )
        .route(
            "/assets/live.js",
            get(async || asset("text/javascript", include_str!("assets/live.js"))),
        )
        .route(
            "/assets/icon.svg",
            get(async || asset("image/svg+xml", include_str!("assets/icon.svg"))),
        )
}

async fn overview(
    State(status_store): State<Arc<StatusStore>>,
    Query(wish): Query<OverviewQuery>,
) -> Response {
    // Before what it is the number of, so that a page is never newer than it says.
    let number = *status_store.changes().borrow();
    let summary = status_store.summary();
    page(StatusCode::OK, &Overview::of(&summary, &wish, number, status_store.now()))
}

async fn service(
    State(status_store): State<Arc<StatusStore>>,
    Path(name): Path<String>,
) -> Response {
    let number = *status_store.changes().borrow();
    let summary = status_store.overall();
    let now = status_store.now();
    match status_store.detail(&name) {
        Some(detail) => page(StatusCode::OK, &ServicePage::of(&detail, &summary, number, now)),
        None => {
            let head = Head::of("No such service", "../", &summary, number, now);
            page(StatusCode::NOT_FOUND, &NotFound { head, name: readable(&name) })
        }
    }
}

fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))];
    // A page of a newer build is not to be shown with what an older one left behind.
    (headers, [(header::CACHE_CONTROL, "no-cache")], text)
}

/// Text that somebody chose, line by line, with every character that has no shape of its own as its
/// escape.
fn readable(text: &str) -> String {
    text.lines().map(sanitize).collect::<Vec<_>>().join("\n")
}

/// The beginning of a text that may be long, in at most so many characters.
fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
