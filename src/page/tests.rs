//! The pages as a browser gets them.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request};
use jiff::Timestamp;
use serde_json::json;
use tower::ServiceExt;

use super::*;
use crate::report::{ChangeKind, Drift, History};
use crate::source::Revision;
use crate::testing::service;
use coalmine_core::reason::Code;

const SHIFTING: &str = "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}, \
                        canary: {version: v2, weight: 25, headers: {stage: canary}}}\n";

fn status_store() -> Arc<StatusStore> {
    let seconds = AtomicI64::new(1_767_268_800);
    let clock = move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed));
    Arc::new(StatusStore::with_clock(move || clock().expect("a time")))
}

fn accept(status_store: &StatusStore, id: &str, subject: &str) {
    let committed = Timestamp::from_second(1_767_268_000).expect("a time");
    let (author, subject) = ("Ada <b>".into(), subject.into());
    status_store.takes_up(&Revision { id: id.into(), author, subject, committed });
    status_store.source(|source| _ = source.accepted(id));
}

/// A service `echo` with these values, of which nothing is applied yet.
fn ask(status_store: &StatusStore, id: &str, values: &str) {
    let service = Arc::new(service(values));
    status_store.service("echo", |report| {
        report.last_attempted_revision = id.into();
        report.describe(&service);
        report.progressing(None, "");
    });
    status_store.asks(&service, Some(ChangeKind::Advance));
}

async fn get(status_store: &Arc<StatusStore>, path: &str) -> (StatusCode, HeaderValue, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = routes(status_store.clone()).oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 22).await.expect("a body");
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    let text = String::from_utf8(body.to_vec()).expect("text");
    (parts.status, kind.unwrap_or(HeaderValue::from_static("")), text)
}

async fn shown(status_store: &Arc<StatusStore>, path: &str) -> String {
    let (status, kind, text) = get(status_store, path).await;
    assert_eq!(
        (status, kind.as_bytes()),
        (StatusCode::OK, &b"text/html; charset=utf-8"[..]),
        "{text}"
    );
    text
}

#[tokio::test]
async fn a_service_is_shown_with_its_timeline_shares_conditions_drift_and_routes() {
    let status_store = status_store();
    let mut history = History::default();
    let (id, author, subject) = ("fedcba9876".into(), "Bert".into(), "v2 for testers".into());
    let committed = Timestamp::UNIX_EPOCH;
    let earlier = Arc::new(Revision { id, author, subject, committed });
    let values = SHIFTING.replace("weight: 25", "weight: 5");
    history.asked(&earlier, None, &service(&values), Some(ChangeKind::Advance));
    status_store.remembers("echo", history);
    accept(&status_store, "0123456789", "a quarter for v2");
    ask(&status_store, "0123456789", SHIFTING);
    status_store.service("echo", |report| {
        report.observed_weights = report.weights.filter_map(|_, share| Some(share - 12));
        report.ready("0123456789");
    });
    status_store.drifted(
        "echo",
        Drift {
            object: "Deployment echo/echo-v1".into(),
            field: "spec.replicas".into(),
            from: json!(1),
            to: json!(3),
            manager: Some("kubectl".into()),
            at: status_store.now(),
        },
    );
    status_store.service("echo", |report| {
        report.stalled(Code::WaitingForPods, "RouteTable echo/echo-routes: Gloo says Rejected: no")
    });
    let page = shown(&status_store, "/services/echo").await;
    for part in [
        "<code title=\"0123456789\">0123456</code>",
        "a quarter for v2",
        "Ada &#60;b&#62;",
        "v1 75 %, v2 25 %",
        "<td class=\"number\">63 %</td>",
        "applied after 1 s",
        "<code title=\"fedcba9876\">fedcba9</code>",
        "1970-01-01 00:00:00 UTC",
        "before this daemon started",
        "aria-current=\"step\">Shifting</li>",
        "Gloo says Rejected: no",
        "spec.replicas",
        "kubectl",
        "header stage: canary",
        "v2 100 %",
        "<desc id=\"chart-words\">v1 75 % and v2 25 % for",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    let overview = shown(&status_store, "/").await;
    assert!(overview.contains("href=\"./services/echo\""), "{overview}");
    assert!(overview.contains("Needs attention"), "{overview}");
    assert!(overview.contains("<title>(1) coalmine</title>"), "{overview}");
}

#[tokio::test]
async fn nothing_that_somebody_wrote_becomes_markup_or_hides() {
    let status_store = status_store();
    let wicked = "<script>alert(1)</script>\u{202e}\u{1b}[2J\"'&";
    accept(&status_store, wicked, wicked);
    status_store.invalid(wicked, wicked.into(), wicked);
    status_store.source(|source| _ = source.not_accepted(Some("b"), wicked));
    let address = "/services/%3Cscript%3Ealert%281%29%3C%2Fscript%3E%E2%80%AE%1B%5B2J%22%27%26";
    for path in ["/", address, "/?q=%3Cscript%3E%E2%80%AE", "/?q=%22%3E%3Cscript%3E"] {
        let page = shown(&status_store, path).await;
        assert_eq!(page.matches("<script").count(), 1, "our own alone, of {path}: {page}");
        assert!(page.contains("&#60;script&#62;"), "{page}");
        assert!(!page.contains(['\u{202e}', '\u{1b}']), "{page}");
        assert!(!page.contains("style="), "the policy allows none: {page}");
    }
    let overview = shown(&status_store, "/").await;
    assert!(overview.contains(&format!("href=\".{address}\"")), "{overview}");
}

#[tokio::test]
async fn a_service_that_there_is_not_is_not_found_and_nothing_of_its_name_is_believed() {
    let (status, _, page) = get(&status_store(), "/services/%3Cb%3Enobody").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(page.contains("&#60;b&#62;nobody"), "{page}");
    assert_eq!(get(&status_store(), "/services/").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_with_the_source_stands_on_every_page() {
    let status_store = status_store();
    accept(&status_store, "aaaaaaaaaa", "good");
    ask(&status_store, "aaaaaaaaaa", SHIFTING);
    status_store
        .source(|source| _ = source.not_accepted(Some("bbbbbbbbbb"), "coalmine.yaml:1:1: no"));
    status_store.set_standby(true);
    for path in ["/", "/services/echo"] {
        let page = shown(&status_store, path).await;
        assert!(page.contains("Commit <code>bbbbbbb</code> is refused"), "{page}");
        assert!(page.contains("coalmine.yaml:1:1: no"), "{page}");
        assert!(page.contains("This replica stands by"), "{page}");
    }
}

#[tokio::test]
async fn pages_load_only_what_is_served_here_whatever_they_stand_below() {
    let status_store = status_store();
    ask(&status_store, "a", SHIFTING);
    for (path, root) in [("/", "./"), ("/services/echo", "../")] {
        let page = shown(&status_store, path).await;
        let addresses = page.match_indices("src=\"").chain(page.match_indices("href=\""));
        for (at, name) in addresses {
            let address = &page[at + name.len()..];
            assert!(
                address.starts_with(root) || address.starts_with("#"),
                "{path}: {:.40}",
                address
            );
        }
    }
    for (path, wanted) in [
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/live.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml; charset=utf-8"),
    ] {
        let (status, kind, text) = get(&status_store, path).await;
        assert_eq!((status, kind.as_bytes()), (StatusCode::OK, wanted.as_bytes()));
        assert!(!text.contains("http://") || path.ends_with("svg"), "{path} names another site");
    }
}

#[tokio::test]
async fn a_page_says_the_number_of_the_board_that_it_shows() {
    let status_store = status_store();
    let number = *status_store.changes().borrow();
    assert!(shown(&status_store, "/").await.contains(&format!("data-number=\"{number}\"")));
    ask(&status_store, "a", SHIFTING);
    assert!(!shown(&status_store, "/").await.contains(&format!("data-number=\"{number}\"")));
}
