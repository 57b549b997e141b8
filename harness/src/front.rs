//! A proxy before the gateway that does to answers what a bad gateway would.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper::{header, server::conn::http1, service::service_fn};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Every request of this number is answered 503.
    Fails(u64),
    /// It accepts no change: a request is answered as the first one like it was.
    Frozen,
}

/// A running front on a port of its own on loopback. Dropping it closes all connections.
#[derive(Debug)]
pub struct Front {
    url: String,
    way: Arc<ProxyState>,
    _server: AbortOnDropHandle<()>,
}

impl Front {
    /// Starts one before the gateway at this URL.
    ///
    /// # Errors
    /// The URL is none, or no port is free.
    pub async fn start(gateway: &str, flaw: Flaw) -> Result<Self> {
        let gateway: Uri = gateway.parse().with_context(|| format!("{gateway} is not a URL"))?;
        let authority = gateway.authority().context("the gateway has no address")?.to_string();
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let way = ProxyState {
            client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
            authority,
            flaw,
            asked: AtomicU64::default(),
            struck: AtomicU64::default(),
            answers: Mutex::default(),
        };
        let way = Arc::new(way);
        let server = tokio::spawn(serve(listener, way.clone()));
        Ok(Self { url, way, _server: AbortOnDropHandle::new(server) })
    }

    /// How many answers it has spoilt.
    pub fn times(&self) -> u64 {
        self.way.struck.load(Ordering::Relaxed)
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[derive(Debug)]
struct ProxyState {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: String,
    flaw: Flaw,
    asked: AtomicU64,
    /// How many answers were spoilt.
    struck: AtomicU64,
    /// What was answered first, by path and headers.
    answers: Mutex<HashMap<String, (HeaderMap, Bytes)>>,
}

async fn serve(listener: TcpListener, way: Arc<ProxyState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let way = way.clone();
                let service = service_fn(move |request| {
                    let way = way.clone();
                    async move { Ok::<_, Infallible>(way.answer(request).await) }
                });
                let mut server = http1::Builder::new();
                // As with the gateway behind it, a connection on which nobody asks stays for long.
                server.header_read_timeout(None);
                connections.spawn(async move {
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl ProxyState {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if let Flaw::Fails(every) = self.flaw
            && number.is_multiple_of(every)
        {
            self.struck.fetch_add(1, Ordering::Relaxed);
            return unavailable("failed on purpose");
        }
        let key = format!("{} {:?}", request.uri(), request.headers());
        if self.flaw == Flaw::Frozen
            && let Some((headers, body)) = self.answers().get(&key).cloned()
        {
            self.struck.fetch_add(1, Ordering::Relaxed);
            return answer(StatusCode::OK, headers, body);
        }
        match self.forward(request).await {
            Ok(found) => {
                let (head, body) = found.into_parts();
                if head.status == StatusCode::OK {
                    self.answers().insert(key, (head.headers.clone(), body.clone()));
                }
                answer(head.status, head.headers, body)
            }
            Err(error) => unavailable(&error.to_string()),
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Bytes>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("http://{}{path}", self.authority).parse()?;
        let body = body.collect().await?.to_bytes();
        let answer = self.client.request(Request::from_parts(head, body.into())).await?;
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, HashMap<String, (HeaderMap, Bytes)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(status: StatusCode, mut headers: HeaderMap, body: Bytes) -> Response<Full<Bytes>> {
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    let mut answer = Response::new(body.into());
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    answer
}

fn unavailable(words: &str) -> Response<Full<Bytes>> {
    answer(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), words.to_owned().into())
}
