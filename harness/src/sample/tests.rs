//! Against small servers on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::version::version;
use super::*;

/// A server whose answer to the n-th request is a function of n and the request, with its number of
/// accepted connections.
async fn server<F>(answer: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(u64, &Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let accepted = connections.clone();
    let (answer, asked) = (Arc::new(answer), Arc::new(AtomicU64::new(0)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, Ordering::Relaxed);
            let (answer, asked) = (answer.clone(), asked.clone());
            let service = service_fn(move |request| {
                let response = answer(asked.fetch_add(1, Ordering::Relaxed), &request);
                async { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    (address, connections)
}

fn says(body: &'static str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(body.as_bytes())))
}

fn target(address: SocketAddr) -> Target {
    Target::new(format!("http://{address}"), "/echo")
}

#[tokio::test]
async fn every_request_is_counted_by_the_version_that_answered() {
    let (address, connections) =
        server(|n, _| says(if n % 4 == 0 { "version:echo-v2\n" } else { "version:echo-v1\n" }))
            .await;
    let sample = sample(&target(address), 200, 8).await.unwrap();
    assert_eq!((sample.requests, sample.failed.len()), (200, 0));
    assert_eq!(sample.by_version["echo-v1"], 150);
    assert_eq!(sample.by_version["echo-v2"], 50);
    let connections = connections.load(Ordering::Relaxed);
    assert!((2..=8).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn host_and_headers_reach_the_server() {
    let (address, _) = server(|_, request| {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(request.uri().path(), "/echo");
        let matches = header("host") == Some("app.example") && header("stage") == Some("canary");
        says(if matches { "version:v2" } else { "version:v1" })
    })
    .await;
    let target = Target { host: Some("app.example".to_owned()), ..target(address) };
    let sample = sample(&target.header("stage", "canary"), 1, 1).await.unwrap();
    assert_eq!(sample.versions(), BTreeSet::from(["v2".to_owned()]));
}

#[tokio::test]
async fn a_status_other_than_200_fails_with_its_body() {
    let (address, _) = server(|_, _| {
        let mut response = says("no healthy upstream");
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    })
    .await;
    let sample = sample(&target(address), 3, 1).await.unwrap();
    assert_eq!((sample.requests, sample.failed.len()), (3, 3));
    assert_eq!(sample.failed[0].status, Some(503));
    assert_eq!(sample.failed[0].detail, "no healthy upstream");
}

#[tokio::test]
async fn connections_that_are_refused_or_reset_fail_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused = sample(&target(address), 1, 1).await.unwrap();
    assert!(refused.failed[0].detail.contains("Connection refused"), "{}", refused.failed[0]);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let broken = sample(&target(address), 2, 1).await.unwrap();
    assert_eq!((broken.requests, broken.failed.len()), (2, 2));
    assert_eq!(broken.failed[0].status, None);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_fails_the_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(listener.local_addr().unwrap());
    let sample = sample(&target, 1, 1).await.unwrap();
    assert_eq!(sample.failed[0].detail, "no answer within 20s");
}

#[tokio::test]
async fn a_target_that_is_no_url_is_an_error() {
    let error = sample(&Target::new("http://", "/echo"), 1, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "http:/echo is not a URL");
}

#[test]
fn a_pet_store_is_known_by_the_status_of_its_pets() {
    let pets = r#"[{"id":1,"name":"Dog","status":"v2"}]"#;
    assert_eq!(version(pets, Some("petstore/petstore-v2-abc")).unwrap(), "petstore-v2");
    assert_eq!(version(r#"{"id":2,"status":"pending"}"#, None).unwrap(), "petstore-v1");
    assert!(version(r#"{"code":404,"message":"not found: pet 3"}"#, None).is_err());
}

#[test]
fn the_version_must_be_that_of_the_pod() {
    let read = |body, pod| version(body, pod).map_err(|error| error.to_string());
    assert_eq!(read("version:echo-v1\n", None).unwrap(), "echo-v1");
    assert_eq!(read("version:echo-v1", Some("echo/echo-v1-5d4f-x2x")).unwrap(), "echo-v1");
    assert_eq!(read("version:v1", Some("echo/echo-v1-5d4f-x2x")).unwrap(), "v1");
    assert_eq!(
        read("version:echo-v1", Some("echo/echo-v10-5d4f-x2x")).unwrap_err(),
        "the answer says echo-v1, but it comes from pod echo-v10-5d4f-x2x"
    );
    assert_eq!(read("<html>", None).unwrap_err(), "the answer names no version");
}

#[tokio::test]
async fn probes_go_on_until_two_rounds_in_a_row_have_only_the_expected_versions() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let (address, _) = server(move |n, _| {
        count.fetch_add(1, Ordering::Relaxed);
        match n {
            // The second round: an old version answers once more.
            70 => says("version:v0"),
            _ if n % 2 == 0 => says("version:v1"),
            _ => says("version:v2"),
        }
    })
    .await;
    let both = BTreeSet::from(["v1".to_owned(), "v2".to_owned()]);
    converge(&target(address), &both, Duration::from_secs(20)).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 4 * ROUND);
}

#[tokio::test]
async fn probes_go_on_until_every_expected_version_has_answered() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let (address, _) = server(move |n, _| {
        count.fetch_add(1, Ordering::Relaxed);
        says(if n < 500 { "version:v1" } else { "version:v2" })
    })
    .await;
    let both = BTreeSet::from(["v1".to_owned(), "v2".to_owned()]);
    converge(&target(address), &both, Duration::from_secs(20)).await.unwrap();
    assert!(asked.load(Ordering::Relaxed) > 500);
}

#[tokio::test]
async fn probes_that_fail_on_the_way_are_told() {
    let (address, _) = server(move |n, _| match n {
        0..70 => {
            let mut failure = says("none");
            *failure.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            failure
        }
        _ => says("version:v1"),
    })
    .await;
    let expected = BTreeSet::from(["v1".to_owned()]);
    let failed = converge(&target(address), &expected, Duration::from_secs(20)).await.unwrap();
    assert_eq!(failed.len(), 70);
    assert_eq!(failed[0].status, Some(503));
}

#[tokio::test]
async fn past_the_deadline_the_last_probes_are_shown() {
    let (address, _) = server(|_, _| says("version:v1")).await;
    let expected = BTreeSet::from(["v2".to_owned()]);
    let error =
        converge(&target(address), &expected, Duration::ZERO).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "/echo did not converge to {\"v2\"} within 0ns; the last 64 probes: {\"v1\": 64}"
    );
}
