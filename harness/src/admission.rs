//! An admission webhook of somebody else's: what the API server asks before it stores an object.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use crate::certificate::Certificate;

/// A webhook on loopback that admits every object, as it is or changed. Dropping it ends it.
#[derive(Debug)]
pub struct AdmissionWebhook {
    certificate: Certificate,
    address: SocketAddr,
    asked: Asked,
    server: Option<AbortOnDropHandle<()>>,
}

/// What becomes of a connection's requests. Clones share it.
#[derive(Clone)]
struct Asked {
    change: Arc<dyn Fn(&mut Value) + Send + Sync>,
    times: Arc<AtomicUsize>,
}

impl AdmissionWebhook {
    /// Starts one that makes `change` of each object it is asked about.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Result<Self> {
        let certificate = Certificate::for_loopback()?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port is free")?;
        let asked = Asked { change: Arc::new(change), times: Arc::default() };
        let address = listener.local_addr()?;
        let mut webhook = Self { certificate, address, asked, server: None };
        webhook.serve(listener)?;
        Ok(webhook)
    }

    /// `clientConfig` of a webhook configuration: where the API server finds it, and what it trusts.
    pub fn client_config(&self) -> Value {
        json!({
            "url": format!("https://{}/", self.address),
            "caBundle": STANDARD.encode(self.certificate.pem()),
        })
    }

    /// How many objects it was asked about.
    pub fn times(&self) -> usize {
        self.asked.times.load(Ordering::SeqCst)
    }

    /// Refuses connections from now on, and closes those that there are.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // The listener is closed when its task has ended.
            let _ = server.await;
        }
    }

    /// Answers again, at the same address.
    ///
    /// # Errors
    /// Somebody else listens there.
    pub async fn start_again(&mut self) -> Result<()> {
        self.stop().await;
        let listener = TcpListener::bind(self.address).await;
        self.serve(listener.with_context(|| format!("cannot listen at {}", self.address))?)
    }

    fn serve(&mut self, listener: TcpListener) -> Result<()> {
        let server = serve(listener, self.certificate.acceptor()?, self.asked.clone());
        self.server = Some(AbortOnDropHandle::new(tokio::spawn(server)));
        Ok(())
    }
}

/// Accepts for ever. Ends all connections when it is dropped.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, asked: Asked) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                connections.spawn(talk(stream, acceptor.clone(), asked.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk(stream: TcpStream, acceptor: TlsAcceptor, asked: Asked) {
    // What ends a connection is the API server's to notice.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request| {
        let asked = asked.clone();
        async move { Ok::<_, Infallible>(asked.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to an admission webhook has ended");
    }
}

impl Asked {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        let review = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        let Some(review) = review.filter(|review| review["request"]["uid"].is_string()) else {
            let mut answer = Response::new(Full::from("expected an AdmissionReview"));
            *answer.status_mut() = StatusCode::BAD_REQUEST;
            return answer;
        };
        self.times.fetch_add(1, Ordering::SeqCst);
        let mut answer = Response::new(Full::from(self.admit(&review).to_string()));
        let json = header::HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        answer
    }

    /// The answer to a review, with a JSON patch where the object is changed.
    fn admit(&self, review: &Value) -> Value {
        let before = &review["request"]["object"];
        let mut after = before.clone();
        if after.is_object() {
            (self.change)(&mut after);
        }
        let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
        let patch = patch(before, &after);
        if !patch.is_empty() {
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(Value::from(patch).to_string()).into();
        }
        json!({
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": response,
        })
    }
}

/// Replaces each part of an object, such as its metadata, that has changed.
fn patch(before: &Value, after: &Value) -> Vec<Value> {
    let nothing = Map::new();
    let after = after.as_object().unwrap_or(&nothing);
    let changed = after.iter().filter(|(part, value)| before.get(part) != Some(value));
    let replace = |(part, value)| json!({"op": "add", "path": format!("/{part}"), "value": value});
    changed.map(replace).collect()
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("times", &self.times).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::https::HttpsClient;

    async fn ask(webhook: &AdmissionWebhook, body: &Value) -> Result<Response<Bytes>> {
        let client = HttpsClient::trusting(webhook.certificate.der())?;
        let request = Request::post("/").body(Full::from(body.to_string()))?;
        client.send(webhook.address, "localhost", request).await
    }

    fn review() -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {"uid": "1", "object": {
                "kind": "Service", "metadata": {"name": "echo"}, "spec": {"ports": []},
            }},
        })
    }

    #[tokio::test]
    async fn what_it_changes_is_a_patch_of_the_changed_parts() {
        let webhook = AdmissionWebhook::start(|object| {
            object["metadata"]["labels"] = json!({"team": "echo"});
        });
        let webhook = webhook.await.unwrap();
        let answer = ask(&webhook, &review()).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(
            (&answer["kind"], &answer["response"]["uid"]),
            (&"AdmissionReview".into(), &"1".into())
        );
        assert_eq!(answer["response"]["allowed"], true);
        let patch = STANDARD.decode(answer["response"]["patch"].as_str().unwrap()).unwrap();
        let metadata = json!({"name": "echo", "labels": {"team": "echo"}});
        assert_eq!(
            serde_json::from_slice::<Value>(&patch).unwrap(),
            json!([{"op": "add", "path": "/metadata", "value": metadata}])
        );
        assert_eq!(webhook.times(), 1);
    }

    #[tokio::test]
    async fn what_it_does_not_change_is_admitted_without_a_patch() {
        let webhook = AdmissionWebhook::start(|_| ()).await.unwrap();
        let answer = ask(&webhook, &review()).await.unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer["response"], json!({"uid": "1", "allowed": true}));
        let answer = ask(&webhook, &json!({})).await.unwrap();
        assert_eq!((answer.status(), webhook.times()), (StatusCode::BAD_REQUEST, 1));
    }

    #[tokio::test]
    async fn it_refuses_connections_while_it_is_down_and_comes_back_at_its_address() {
        let mut webhook = AdmissionWebhook::start(|_| ()).await.unwrap();
        let config = webhook.client_config();
        webhook.stop().await;
        let error = format!("{:#}", ask(&webhook, &review()).await.unwrap_err());
        assert!(error.contains("Connection refused"), "{error}");
        webhook.start_again().await.unwrap();
        assert_eq!(ask(&webhook, &review()).await.unwrap().status(), StatusCode::OK);
        assert_eq!(webhook.client_config(), config);
    }
}
