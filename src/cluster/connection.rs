//! The connection to the API server: no request waits for ever, whatever the server does or fails to do.
//!
//! - Every request has 30 s for the whole of its answer; of a watch, for the answer's head. What is not
//!   answered by then may have been carried out all the same, and is treated so.
//! - A watch is asked for anew every minute, so that one that has gone silent is noticed.
//! - TCP keep-alive finds a peer that is gone: a connection whose other end does not acknowledge anything
//!   for half a minute is closed.
//! - A server that turns requests away is left alone for as long as it says by `Retry-After`. Leases have a
//!   priority of their own there, and so they do here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tower::ServiceBuilder;

use crate::report::Requests;

/// How long a request may take until the whole of its answer is there.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a watch goes on before it is asked for anew, in seconds.
pub(super) const WATCH_SECONDS: u32 = 60;
/// How long a connection may be silent until its other end is asked for a sign, how often it is asked
/// again, and the pause between.
const KEEP_ALIVE: (Duration, u32, Duration) = (Duration::from_secs(15), 3, Duration::from_secs(5));
/// The pause after a server turned a request away without saying how long to wait: at first, doubled each
/// time, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A client for this cluster whose requests are counted.
///
/// # Errors
/// When the configuration cannot work, such as one with a certificate that is none.
pub(super) fn connect(config: Config, requests: &Requests) -> Result<Client, kube::Error> {
    let namespace = config.default_namespace.clone();
    let client = if config.proxy_url.is_some() {
        // The way through a proxy is the library's.
        let mut config = config;
        config.default_retry = false;
        ClientBuilder::try_from(config)?.with_layer(requests).build()
    } else {
        let mut connector = HttpConnector::new();
        let (idle, tries, pause) = KEEP_ALIVE;
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(config.connect_timeout);
        connector.set_keepalive(Some(idle));
        connector.set_keepalive_retries(Some(tries));
        connector.set_keepalive_interval(Some(pause));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(DEADLINE));
        let connector = config.rustls_https_connector_with_connector(connector)?;
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        let service = ServiceBuilder::new()
            .layer(requests)
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer()?)
            .layer(config.extra_headers_layer()?)
            .map_err(tower::BoxError::from)
            .service(http);
        ClientBuilder::new(service, namespace.clone()).build()
    };
    Ok(patient(client, namespace))
}

/// The same client with a deadline for every request, and that does as `Retry-After` says.
fn patient(client: Client, namespace: String) -> Client {
    let gates = Arc::new(Gates::default());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, gates) = (client.clone(), gates.clone());
        async move { ask(&client, &gates, request).await }
    });
    Client::new(service, namespace)
}

/// Until when the server wants to be left alone.
#[derive(Default)]
struct Gates {
    objects: Mutex<Option<Instant>>,
    leases: Mutex<Option<Instant>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("no answer from the API server for {} s", DEADLINE.as_secs())]
    Silence,
    #[error("the API server is busy and asks to be left alone for {} s more", left.as_secs_f64().ceil())]
    Busy { left: Duration },
}

async fn ask(
    client: &Client,
    gates: &Gates,
    request: Request<Body>,
) -> Result<Response<Body>, tower::BoxError> {
    let until = Instant::now() + DEADLINE;
    let gate = match request.uri().path().contains("/coordination.k8s.io/") {
        true => &gates.leases,
        false => &gates.objects,
    };
    let is_watch = is_watch(&request);
    let mut pause = PAUSE.0;
    let mut next = Some(request);
    while let Some(request) = next.take() {
        let opens = *gate.lock().unwrap_or_else(PoisonError::into_inner);
        match opens {
            Some(opens) if opens > until => {
                return Err(NoAnswer::Busy { left: opens - Instant::now() }.into());
            }
            Some(opens) => sleep_until(opens).await,
            None => {}
        }
        next = copy(&request);
        let answer = timeout_at(until, answer(client, request, is_watch)).await;
        let answer = answer.map_err(|_| NoAnswer::Silence)??;
        if !is_turned_away(answer.status()) {
            return Ok(answer);
        }
        let wanted = retry_after(&answer, Timestamp::now());
        if let Some(wanted) = wanted {
            let mut opens = gate.lock().unwrap_or_else(PoisonError::into_inner);
            *opens = (*opens).max(Instant::now().checked_add(wanted));
        }
        // A server that asks for no time at all is not asked again at once.
        let wait = wanted.unwrap_or_default().max(pause.mul_f64(0.5 + fastrand::f64() / 2.0));
        pause = (pause * 2).min(PAUSE.1);
        if next.is_none() || Instant::now() + wait >= until {
            return Ok(answer);
        }
        sleep(wait).await;
    }
    // Not reached: a request that cannot be sent again has been answered above.
    Err(NoAnswer::Silence.into())
}

/// One answer: of a watch its head, of anything else the whole.
async fn answer(
    client: &Client,
    request: Request<Body>,
    is_watch: bool,
) -> Result<Response<Body>, kube::Error> {
    let answer = client.send(request).await?;
    if is_watch {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, Body::from(body.collect_bytes().await?)))
}

/// Whether the server says that it had no time for this, rather than what became of it.
fn is_turned_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// How long the server wants to be left alone (RFC 9110, section 10.2.3). Kubernetes says it in seconds, what
/// stands in front of it may name a time.
fn retry_after(answer: &Response<Body>, now: Timestamp) -> Option<Duration> {
    let asked = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(asked).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"))
}

/// The same request once more, unless its body is a stream.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body;

    use super::*;

    /// What the server says.
    type Reply = Response<body::Body>;

    /// A client of a server that answers the numbered requests in this way.
    fn client<F, A>(answer: F) -> (Client, Arc<AtomicUsize>)
    where
        F: Fn(usize, Request<Body>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = answer(count.fetch_add(1, Ordering::SeqCst), request);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        (patient(Client::new(service, "default"), "default".into()), asked)
    }

    fn turned_away(status: u16, after: Option<&str>) -> Reply {
        let answer = Response::builder().status(status);
        let answer = match after {
            Some(after) => answer.header(RETRY_AFTER, after),
            None => answer,
        };
        let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "metadata": {}, "code": status, "reason": "TooManyRequests", "message": "slow down"});
        answer.body(body::Body::from(body.to_string())).expect("an answer")
    }

    fn ok() -> Reply {
        Response::new(body::Body::from("{}"))
    }

    /// What comes of a request, and how long it took.
    async fn ask(client: &Client, path: &str) -> (Result<String, String>, Duration) {
        let request = Request::get(path).body(Vec::new()).expect("a request");
        let begun = Instant::now();
        let answer = client.request_text(request).await;
        let told = answer.map_err(super::super::error::tests::told);
        (told, begun.elapsed())
    }

    /// A body of which something comes every second, for ever.
    fn dripping() -> body::Body {
        let drops = futures::stream::unfold((), |()| async {
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::convert::Infallible>(" "), ()))
        });
        body::Body::from_stream(drops)
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_or_never_ends_is_given_up_after_thirty_seconds() {
        let (hangs, _) = client(|_, _| std::future::pending());
        let (drips, _) = client(|_, _| std::future::ready(Response::new(dripping())));
        for client in [hangs, drips] {
            let (answer, took) = ask(&client, "/api/v1/pods").await;
            let why = answer.expect_err("no answer");
            assert!(why.contains("no answer from the API server for 30 s"), "{why}");
            assert_eq!(took.as_secs(), 30);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_watch_has_a_deadline_and_its_body_has_none() {
        let (hangs, _) = client(|_, _| std::future::pending());
        let (answer, _) = ask(&hangs, "/api/v1/pods?watch=true").await;
        assert!(answer.is_err());
        let (watch, _) = client(|_, _| std::future::ready(Response::new(dripping())));
        let request = Request::get("/api/v1/pods?watch=true").body(Body::empty()).expect("one");
        let mut body = watch.send(request).await.expect("a head").into_body();
        for _ in 0..100 {
            let frame = http_body_util::BodyExt::frame(&mut body).await;
            frame.expect("it goes on").expect("no error");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_busy_is_left_alone_for_as_long_as_it_says() {
        let (client, asked) = client(|number, _| {
            std::future::ready(if number == 0 { turned_away(429, Some("7")) } else { ok() })
        });
        let (answer, took) = ask(&client, "/api/v1/pods").await;
        assert_eq!(answer, Ok("{}".into()));
        assert_eq!((took.as_secs(), asked.load(Ordering::SeqCst)), (7, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_longer_than_the_deadline_is_kept_by_everybody_but_leases() {
        let (client, asked) = client(|_, request| {
            let lease = request.uri().path().contains("coordination");
            std::future::ready(if lease { ok() } else { turned_away(503, Some("3600")) })
        });
        let (answer, took) = ask(&client, "/api/v1/pods").await;
        assert!(answer.expect_err("busy").contains("slow down"));
        assert_eq!(took.as_secs(), 0);
        let (answer, took) = ask(&client, "/api/v1/services").await;
        let why = answer.expect_err("not even asked");
        assert!(why.contains("asks to be left alone for 3600 s more"), "{why}");
        assert_eq!((took.as_secs(), asked.load(Ordering::SeqCst)), (0, 1));
        let (answer, _) = ask(&client, "/apis/coordination.k8s.io/v1/leases").await;
        assert_eq!(answer, Ok("{}".into()));
        sleep(Duration::from_secs(3600)).await;
        let _refused = ask(&client, "/api/v1/pods").await;
        assert_eq!(asked.load(Ordering::SeqCst), 3, "it is asked again once that time is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_no_time_is_not_asked_again_at_once() {
        let (client, asked) = client(|_, _| std::future::ready(turned_away(429, Some("0"))));
        assert!(ask(&client, "/api/v1/pods").await.0.is_err());
        let asked = asked.load(Ordering::SeqCst);
        assert!((8..25).contains(&asked), "{asked} times");
    }

    #[test]
    fn the_time_to_wait_is_a_number_or_a_date() {
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let asked = |after: &str| {
            let answer = Response::builder().header(RETRY_AFTER, after).body(Body::empty());
            retry_after(&answer.expect("an answer"), now).map(|it| it.as_secs())
        };
        assert_eq!(asked(" 7 "), Some(7));
        assert_eq!(asked("Thu, 01 Jan 2026 00:01:00 GMT"), Some(60));
        assert_eq!(asked("Wed, 31 Dec 2025 00:00:00 GMT"), Some(0));
        assert_eq!(asked("soon"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_turns_away_without_a_word_is_asked_ever_less_often() {
        let (client, asked) = client(|_, _| std::future::ready(turned_away(429, None)));
        let (answer, took) = ask(&client, "/api/v1/pods").await;
        assert!(answer.expect_err("busy").contains("slow down"));
        assert!(took <= DEADLINE, "{took:?}");
        let asked = asked.load(Ordering::SeqCst);
        assert!((8..25).contains(&asked), "{asked} times in {took:?}");
    }
}
