//! One request after the other over connections that are kept.

use std::error::Error;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::failure::Failure;
use super::recent;
use super::target::Target;
use super::version::version;

/// How long one request may take: longer than Envoy's own 15 s, so that its answer counts.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that is read of an answer, in bytes.
const LONGEST: usize = 64 << 10;
/// The most of it that is shown, in characters.
const SHOWN: usize = 200;

/// Asks one target. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    client: legacy::Client<HttpConnector, Empty<Bytes>>,
    request: Request<()>,
}

impl Client {
    /// A client for one target.
    ///
    /// # Errors
    /// A URL, host or header that HTTP does not allow.
    pub fn new(target: &Target) -> Result<Self> {
        let uri = format!("{}{}", target.url.trim_end_matches('/'), target.path);
        let uri: Uri = uri.parse().with_context(|| format!("{uri} is not a URL"))?;
        let mut request = Request::get(uri);
        if let Some(host) = &target.host {
            request = request.header(hyper::header::HOST, host);
        }
        for (name, value) in &target.headers {
            request = request.header(name, value);
        }
        let request =
            request.body(()).with_context(|| format!("{target:?} is no valid request"))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // No silent second try: a request that needed one was a failed request.
        let client = legacy::Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client, request })
    }

    /// Makes one request and returns the version that answered.
    ///
    /// # Errors
    /// Whatever is not an answer with status 200 that names its version.
    pub async fn ask(&self) -> Result<String, Failure> {
        let outcome = match tokio::time::timeout(PATIENCE, self.exchange()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::now(None, format!("no answer within {PATIENCE:?}"))),
        };
        recent::note(self.request.uri(), &outcome);
        outcome
    }

    async fn exchange(&self) -> Result<String, Failure> {
        let request = self.request.clone().map(|()| Empty::new());
        let response = self.client.request(request).await;
        let response = response.map_err(|error| Failure::now(None, causes(&error)))?;
        let status = response.status();
        let pod =
            response.headers().get("x-pod").and_then(|pod| pod.to_str().ok()).map(str::to_owned);
        let broken = |detail| Failure::now(Some(status.as_u16()), detail);
        let body = text(response).await.map_err(broken)?;
        if status != StatusCode::OK {
            return Err(broken(shown(&body)));
        }
        version(&body, pod.as_deref()).map_err(|error| broken(format!("{error}: {}", shown(&body))))
    }
}

async fn text(response: Response<Incoming>) -> Result<String, String> {
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| format!("the answer broke off: {}", causes(error.as_ref())))?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

fn shown(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() { "(no body)".to_owned() } else { body.chars().take(SHOWN).collect() }
}

/// An error with everything below it: hyper's own words alone say only "client error".
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(&format!(": {error}"));
        below = error.source();
    }
    text
}
