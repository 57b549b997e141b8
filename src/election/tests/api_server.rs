//! An API server with one Lease, over networks that lose and delay.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use futures::{StreamExt, stream};
use http::{Method, Request, Response};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// What happens to the requests of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkState {
    /// They are answered at once.
    Fine,
    /// They and their answers take this many milliseconds each.
    Slow { there: u64, back: u64 },
    /// They never arrive, and no answer comes.
    Cut,
    /// They arrive and are carried out; no answer comes.
    Deaf,
    /// They are refused.
    Refusing,
}

#[derive(Default)]
struct Store {
    lease: Option<Value>,
    version: u64,
    /// Every change ever, as a watch tells it, with its version.
    events: Vec<(u64, String)>,
    writes: usize,
}

/// The server; clones are the same one.
#[derive(Clone)]
pub(super) struct ApiServer {
    store: Arc<Mutex<Store>>,
    changed: watch::Sender<u64>,
}

impl ApiServer {
    pub(super) fn new() -> Self {
        Self { store: Arc::default(), changed: watch::channel(0).0 }
    }

    /// A client whose network is as the sender says.
    pub(super) fn client(&self) -> (Client, watch::Sender<NetworkState>) {
        let network_state = watch::channel(NetworkState::Fine).0;
        let (server, network) = (self.clone(), network_state.clone());
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let (server, network) = (server.clone(), network.subscribe());
            async move {
                // A request that was sent goes its way even if nobody waits for the answer.
                let answer = tokio::spawn(server.travel(request, network)).await;
                Ok::<_, Infallible>(answer.unwrap_or_else(|error| panic!("{error}")))
            }
        });
        (Client::new(service, "default"), network_state)
    }

    /// The Lease as it is.
    pub(super) fn lease(&self) -> Option<Value> {
        self.store().lease.clone()
    }

    pub(super) fn writes(&self) -> usize {
        self.store().writes
    }

    /// Changes the Lease as somebody with kubectl would.
    pub(super) fn edit(&self, change: impl FnOnce(&mut Option<Value>)) {
        let mut store = self.store();
        let mut lease = store.lease.clone();
        change(&mut lease);
        self.put(&mut store, lease);
    }

    async fn travel(
        self,
        request: Request<kube::client::Body>,
        network: watch::Receiver<NetworkState>,
    ) -> Response<Body> {
        let network_state = *network.borrow();
        match network_state {
            NetworkState::Cut => std::future::pending().await,
            NetworkState::Refusing => return failure(500, "InternalError"),
            NetworkState::Slow { there, .. } => {
                tokio::time::sleep(Duration::from_millis(there)).await
            }
            NetworkState::Fine | NetworkState::Deaf => {}
        }
        let answer = self.answer(request, network).await;
        match network_state {
            NetworkState::Deaf => std::future::pending().await,
            NetworkState::Slow { back, .. } => {
                tokio::time::sleep(Duration::from_millis(back)).await
            }
            NetworkState::Fine | NetworkState::Cut | NetworkState::Refusing => {}
        }
        answer
    }

    async fn answer(
        &self,
        request: Request<kube::client::Body>,
        network: watch::Receiver<NetworkState>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.expect("a body");
        let query = parts.uri.query().unwrap_or_default();
        if parts.method == Method::GET && query.contains("watch=true") {
            return self.watch(query, network);
        }
        let mut store = self.store();
        let sent: Option<Value> = serde_json::from_slice(&body).ok();
        let named = parts.uri.path().ends_with("/leases/coalmine-default");
        match (parts.method, named, store.lease.clone()) {
            (Method::GET, true, Some(lease)) => json_answer(200, &lease),
            (Method::GET, true, None) | (Method::PUT, true, None) => failure(404, "NotFound"),
            (Method::GET, false, lease) => {
                let list = json!({"kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1",
                    "metadata": {"resourceVersion": store.version.to_string()},
                    "items": lease.into_iter().collect::<Vec<_>>()});
                json_answer(200, &list)
            }
            (Method::POST, _, Some(_)) => failure(409, "AlreadyExists"),
            (Method::PUT, true, Some(lease)) if version(sent.as_ref()) != version(Some(&lease)) => {
                failure(409, "Conflict")
            }
            (Method::POST | Method::PUT, ..) => {
                store.writes += 1;
                self.put(&mut store, sent);
                json_answer(200, store.lease.as_ref().expect("just written"))
            }
            other => panic!("nobody needs {other:?}"),
        }
    }

    fn watch(&self, query: &str, network: watch::Receiver<NetworkState>) -> Response<Body> {
        let after = query.split('&').find_map(|it| it.strip_prefix("resourceVersion="));
        let after: u64 = after.and_then(|it| it.parse().ok()).unwrap_or(0);
        let state = (self.clone(), self.changed.subscribe(), network, after);
        let events =
            stream::unfold(state, |(server, mut changed, mut network, after)| async move {
                loop {
                    // Nothing comes through a network that is cut; later it all comes at once.
                    let through = |network_state: &NetworkState| {
                        !matches!(network_state, NetworkState::Cut | NetworkState::Deaf)
                    };
                    network.wait_for(through).await.ok()?;
                    let next = server.store().events.iter().find(|(at, _)| *at > after).cloned();
                    if let Some((at, event)) = next {
                        return Some((event, (server, changed, network, at)));
                    }
                    changed.changed().await.ok()?;
                }
            });
        Response::new(Body::from_stream(events.map(Ok::<_, Infallible>)))
    }

    fn put(&self, store: &mut Store, lease: Option<Value>) {
        store.version += 1;
        let kind = match (&store.lease, &lease) {
            (_, None) => "DELETED",
            (None, Some(_)) => "ADDED",
            (Some(_), Some(_)) => "MODIFIED",
        };
        let mut object = lease.clone().or(store.lease.clone()).expect("nothing there to delete");
        object["metadata"]["resourceVersion"] = store.version.to_string().into();
        let event = json!({"type": kind, "object": object});
        store.events.push((store.version, format!("{event}\n")));
        store.lease = lease.map(|_| object);
        self.changed.send_replace(store.version);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(lease: Option<&Value>) -> Option<&str> {
    lease?["metadata"]["resourceVersion"].as_str()
}

fn json_answer(status: u16, body: &Value) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_string())).expect("an answer")
}

fn failure(code: u16, reason: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": reason});
    json_answer(code, &status)
}
