use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::report::StatusStore;

fn table() -> ObjectId {
    ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes")
}

/// An API server that takes down every event and answers it with this status, once it is let go.
fn api_server(status: u16, go: Arc<Notify>) -> (Client, mpsc::UnboundedReceiver<(String, Value)>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (sender, go) = (sender.clone(), go.clone());
        async move {
            go.notified().await;
            go.notify_one();
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await.expect("a body");
            let event: Value = serde_json::from_slice(&body).expect("JSON");
            sender.send((format!("{} {}", parts.method, parts.uri.path()), event.clone())).ok();
            let answer = if status < 300 {
                event
            } else {
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
                    "reason": "Forbidden", "message": "no"})
            };
            let body = Body::from(answer.to_string().into_bytes());
            Response::builder().status(status).body(body)
        }
    });
    (Client::new(service, "default"), receiver)
}

fn started(
    status: u16,
) -> (Events, impl Future<Output = ()>, mpsc::UnboundedReceiver<(String, Value)>, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let (client, written) = api_server(status, go.clone());
    let metrics = Arc::new(Metrics::new(Arc::new(StatusStore::default())));
    let (events, sending) = Events::new(client, "coalmine-0", metrics);
    (events, sending, written, go)
}

fn lost(events: &Events, cause: &str) -> Option<String> {
    let wanted = format!("coalmine_events_lost_total{{cause=\"{cause}\"}} ");
    events.metrics.text().lines().find_map(|line| line.strip_prefix(&wanted).map(str::to_owned))
}

#[tokio::test]
async fn an_event_is_written_where_kubectl_describe_looks_for_it() {
    let (events, sending, mut written, go) = started(201);
    go.notify_one();
    events.record(&table(), Some("the-uid"), EventReason::Ready, "revision 0123456 is applied");
    drop(events);
    sending.await;
    let (request, event) = written.recv().await.expect("an event");
    assert_eq!(request, "POST /apis/events.k8s.io/v1/namespaces/echo/events");
    assert_eq!(
        event["regarding"],
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "namespace": "echo", "name": "echo-routes", "uid": "the-uid"})
    );
    let told = ["type", "reason", "note", "reportingController", "reportingInstance"];
    assert_eq!(
        told.map(|field| event[field].as_str().expect("text")),
        ["Normal", "Ready", "revision 0123456 is applied", "coalmine", "coalmine-0"]
    );
}

#[test]
fn an_event_about_a_stalled_service_has_the_code_for_its_reason() {
    let stalled = event(EventReason::Stalled(Code::GlooRejected), "no");
    assert_eq!((stalled.reason.as_str(), stalled.type_), ("GlooRejected", EventType::Warning));
}

#[tokio::test]
async fn the_same_again_is_a_series_and_another_message_another_event() {
    let (events, sending, mut written, go) = started(201);
    go.notify_one();
    for message in ["replicas 1 -> 3", "replicas 1 -> 3", "replicas 1 -> 5"] {
        events.record(&table(), None, EventReason::DriftRepaired, message);
    }
    drop(events);
    sending.await;
    let mut told = Vec::new();
    while let Some((request, event)) = written.recv().await {
        let method = request.split(' ').next().unwrap_or_default().to_owned();
        told.push((method, event["note"].clone(), event["series"]["count"].clone()));
    }
    let expected = [
        ("POST".to_owned(), json!("replicas 1 -> 3"), Value::Null),
        ("PATCH".to_owned(), json!("replicas 1 -> 3"), json!(2)),
        ("POST".to_owned(), json!("replicas 1 -> 5"), Value::Null),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_slow_api_server_holds_nobody_up_and_what_does_not_fit_is_counted() {
    let (events, sending, written, _never) = started(201);
    for number in 0..QUEUE + 3 {
        let name = format!("echo-{number}");
        let about = ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), &name);
        events.record(&about, None, EventReason::Applied, "a");
    }
    assert_eq!(lost(&events, "queue-full").as_deref(), Some("3"));
    drop((sending, written));
}

#[tokio::test]
async fn one_object_cannot_flood_the_api_server() {
    let (events, _sending, _written, _) = started(201);
    for number in 0..100 {
        events.record(
            &table(),
            None,
            EventReason::Stalled(Code::GlooRejected),
            &number.to_string(),
        );
    }
    assert_eq!(lost(&events, "too-many").as_deref(), Some("88"));
}

#[tokio::test]
async fn an_event_that_is_refused_is_counted_and_the_next_one_is_sent() {
    let (events, sending, mut written, go) = started(403);
    go.notify_one();
    events.record(&table(), None, EventReason::Ready, "a");
    events.record(&table(), None, EventReason::Stalled(Code::GlooRejected), "b");
    let metrics = events.metrics.clone();
    drop(events);
    let sending = tokio::spawn(sending);
    for _ in 0..2 {
        written.recv().await.expect("an event");
    }
    sending.await.expect("ends");
    assert!(metrics.text().contains("coalmine_events_lost_total{cause=\"refused\"} 2"));
}

#[test]
fn a_long_message_is_cut_between_two_letters() {
    let message = "ä".repeat(1000);
    let note = event(EventReason::Invalid, &message).note.expect("a note");
    assert_eq!(note.len(), 1022);
    assert!(message.starts_with(&note));
}
