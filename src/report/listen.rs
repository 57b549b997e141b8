//! The connections of the status endpoint: anybody can open one, and nobody can use the daemon up with them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::tls::TlsFiles;

/// How long the head of a request may take to arrive, a TLS handshake, and the pause until the next request.
const HEAD: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 << 10;
/// How many connections one address may have at once. A gateway in front is one address.
const PER_ADDRESS: usize = 128;
/// How many connections there may be at once.
const IN_ALL: usize = 512;
/// The pause after the operating system had no connection to give.
const PAUSE: Duration = Duration::from_secs(1);
/// How long answers that are under way get when the daemon stops.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    per_address: usize,
    in_all: usize,
}

impl Default for Limits {
    /// 128 of one address, 512 in all.
    fn default() -> Self {
        Self { per_address: PER_ADDRESS, in_all: IN_ALL }
    }
}

/// Serves until `stop` is cancelled. A connection more than there may be is closed at once.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    tls: Option<TlsFiles>,
    limits: Limits,
    stop: CancellationToken,
) {
    let places = Arc::new(Places { limits, taken: Mutex::default() });
    let tls = tls.map(Arc::new);
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        while connections.try_join_next().is_some() {}
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("the status endpoint takes no connection: {error}");
                stop.run_until_cancelled(sleep(PAUSE)).await;
                continue;
            }
        };
        // What is not taken is dropped, which closes it.
        let Some(place) = places.take(address.ip()) else { continue };
        let (routes, tls, stop) = (routes.clone(), tls.clone(), stop.clone());
        connections.spawn(async move {
            let _place = place;
            talk(stream, routes, tls, stop).await;
        });
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    // Whoever has not taken their answer by then does not hold up the end.
    let _ = timeout(SHUTDOWN, ended).await;
}

async fn talk(
    stream: TcpStream,
    routes: Router,
    tls: Option<Arc<TlsFiles>>,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, routes, stop).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HEAD, tls.acceptor().accept(stream)).await {
                converse(stream, routes, stop).await;
            }
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    routes: Router,
    stop: CancellationToken,
) {
    let answer = service_fn(move |request: Request<Incoming>| {
        routes.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST_HEAD);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), answer));
    let ended = stop.run_until_cancelled(connection.as_mut()).await;
    // Whatever ends a connection is the other side's to notice.
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// The connections that there are.
struct Places {
    limits: Limits,
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One connection's place; dropping it gives it back.
struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = block(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.values().sum::<usize>() >= self.limits.in_all {
            return None;
        }
        let of_address = taken.entry(address).or_default();
        if *of_address >= self.limits.per_address {
            return None;
        }
        *of_address += 1;
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: of IPv6 the first 64 bits, since one host has all that follow.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    /// More than anything here should take, on a busy machine.
    const DEADLINE: Duration = Duration::from_secs(60);

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn server(limits: Limits) -> Server {
        server_of(Router::new().route("/", get("here")), limits).await
    }

    async fn server_of(routes: Router, limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, routes, None, limits, stop.clone()));
        Server { address, stop, task }
    }

    impl Server {
        async fn connection(&self) -> TcpStream {
            TcpStream::connect(self.address).await.expect("a connection")
        }

        /// What is answered to this, until the connection ends.
        async fn answer(&self, request: &[u8]) -> String {
            ended(self.connection().await, request).await
        }
    }

    async fn ended(mut stream: TcpStream, request: &[u8]) -> String {
        // What is closed already says so when it is read.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("it ends");
        drop(read);
        String::from_utf8_lossy(&answer).into_owned()
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn one_address_has_so_many_connections_and_gets_the_next_when_one_ends() {
        let server = server(Limits { per_address: 2, in_all: 100 }).await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut stream = server.connection().await;
            stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("taken");
            open.push(stream);
        }
        assert_eq!(server.answer(REQUEST).await, "", "closed without a word");
        open.pop();
        let again = async {
            while !server.answer(REQUEST).await.contains("here") {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, again).await.expect("its place is free again");
    }

    #[test]
    fn all_addresses_together_have_so_many_and_one_network_of_ipv6_is_one() {
        let limits = Limits { per_address: 2, in_all: 3 };
        let places = Arc::new(Places { limits, taken: Mutex::default() });
        let take = |address: &str| places.take(address.parse().expect("an address"));
        let first = take("2001:db8::1").expect("free");
        let _second = take("2001:db8::ffff").expect("free");
        assert!(take("2001:db8::2").is_none(), "the same network");
        let _third = take("192.0.2.1").expect("free");
        assert!(take("192.0.2.2").is_none(), "all are taken");
        drop(first);
        assert!(take("::ffff:192.0.2.1").is_some(), "the second of that address");
        assert!(take("192.0.2.2").is_some());
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let server = server(Limits::default()).await;
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(LONGEST_HEAD));
        let answer = server.answer(long.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert!(!answer.contains("here"));
        let short = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n",
            "x".repeat(LONGEST_HEAD / 2)
        );
        assert!(server.answer(short.as_bytes()).await.contains("here"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_not_finished_ends_after_ten_seconds() {
        // Virtual time passes while nothing else happens, so only the order of the two is certain.
        let (mut near, far) = tokio::io::duplex(64);
        let routes = Router::new().route("/", get("here"));
        near.write_all(b"GET / HTTP/1.1\r\n").await.expect("room");
        let begun = tokio::time::Instant::now();
        converse(far, routes, CancellationToken::new()).await;
        assert_eq!(begun.elapsed().as_secs(), HEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_ends_too() {
        for asked in [&b""[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let (mut near, far) = tokio::io::duplex(4096);
            let routes = Router::new().route("/", get("here"));
            near.write_all(asked).await.expect("room");
            let begun = tokio::time::Instant::now();
            converse(far, routes, CancellationToken::new()).await;
            assert_eq!(begun.elapsed().as_secs(), HEAD.as_secs());
        }
    }

    #[tokio::test]
    async fn whoever_has_not_finished_their_request_does_not_hold_up_the_end() {
        let server = server(Limits::default()).await;
        let mut stream = server.connection().await;
        stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("taken");
        server.stop.cancel();
        timeout(DEADLINE, server.task).await.expect("in time").expect("no panic");
    }

    /// A server with an answer that is under way, and comes when the notice does, on this connection.
    async fn answering(come: &Arc<tokio::sync::Notify>) -> (Server, TcpStream) {
        let begun = Arc::new(tokio::sync::Notify::new());
        let (begins, come) = (begun.clone(), come.clone());
        let answer = move || {
            let (begins, come) = (begins.clone(), come.clone());
            async move {
                begins.notify_one();
                come.notified().await;
                "here"
            }
        };
        let server = server_of(Router::new().route("/", get(answer)), Limits::default()).await;
        let mut stream = server.connection().await;
        stream.write_all(REQUEST).await.expect("taken");
        timeout(DEADLINE, begun.notified()).await.expect("it is asked");
        (server, stream)
    }

    #[tokio::test]
    async fn an_answer_that_is_under_way_still_comes_when_the_daemon_stops() {
        let come = Arc::default();
        let (server, stream) = answering(&come).await;
        // From here on time is virtual: it passes when nobody has anything to do.
        tokio::time::pause();
        server.stop.cancel();
        sleep(SHUTDOWN / 2).await;
        tokio::time::resume();
        come.notify_one();
        assert!(ended(stream, b"").await.contains("here"));
        timeout(DEADLINE, server.task).await.expect("in time").expect("no panic");
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_holds_up_the_end_for_five_seconds() {
        let (server, _stream) = answering(&Arc::default()).await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        server.stop.cancel();
        server.task.await.expect("no panic");
        assert_eq!(begun.elapsed().as_secs(), 5);
    }
}
