//! Following one kind: its list, then its changes, for ever.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Cache;
use super::following::Trouble;
use crate::cluster::{Cluster, ClusterError, WatchedKind};
use coalmine_core::reason::{Denial, Hinted, grant, grant_reading};

/// What the pause before the first attempt at a kind that cannot be watched is doubled from.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause before a kind that cannot be watched is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the API server may take to say how a kind is called.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far the times at which kinds are listed anew spread, as a fraction of the pause between them.
const SPREAD: f64 = 0.1;

/// Keeps the state of one kind current, for ever. Whatever the API server does, or fails to do, it comes
/// round and says so: at the latest when it is time to list the kind anew.
pub(super) async fn follow(cache: Cache, cluster: Cluster, kind: WatchedKind, resync: Duration) {
    let instance = cache.state().instance();
    let mut relist = cache.shared.relist.subscribe();
    let mut pause = FIRST_PAUSE;
    loop {
        cache.record_alive(&kind);
        let watched = match timeout(PATIENCE, cluster.watch(&kind, &instance)).await {
            Ok(Err(error @ ClusterError::KindNotServed { .. }))
                if kind.is_further() || kind.is_of_gloo() || kind.is_beside_http_routes() =>
            {
                cache.record_unserved(&kind, error.line());
                pause = (pause * 2).min(LONGEST_PAUSE);
                sleep(pause).await;
                continue;
            }
            Ok(watched) => watched.map_err(|error| trouble(&cluster, &kind, &error)),
            Err(_) => {
                let words = format!("no answer from the API server for {} s", PATIENCE.as_secs());
                Err(Trouble::passing(words))
            }
        };
        let mut events = match watched {
            Ok(events) => events,
            Err(trouble) => {
                cache.record_trouble(&kind, trouble);
                pause = (pause * 2).min(LONGEST_PAUSE);
                sleep(pause).await;
                continue;
            }
        };
        let begun = Instant::now();
        let due = begun + spread(resync);
        loop {
            tokio::select! {
                () = sleep_until(due) => break,
                changed = relist.changed() => if changed.is_ok() { break },
                event = events.next() => match event {
                    Some(Ok(event)) => cache.receive(&kind, event),
                    Some(Err(error)) => {
                        let trouble = trouble(&cluster, &kind, &error);
                        let is_gone = trouble.forbidden.is_some() && kind.namespace.is_some();
                        cache.record_trouble(&kind, trouble);
                        if is_gone {
                            // The namespace or its Role: what comes after it is another one, and listed anew.
                            let lasted = begun.elapsed() > LONGEST_PAUSE;
                            pause = if lasted { FIRST_PAUSE } else { pause };
                            pause = (pause * 2).min(LONGEST_PAUSE);
                            sleep(pause).await;
                            break;
                        }
                    }
                    None => break,
                },
            }
            cache.record_alive(&kind);
        }
    }
}

/// What is said of a watch that fails, and what to do about it where one namespace is watched.
fn trouble(cluster: &Cluster, kind: &WatchedKind, error: &ClusterError) -> Trouble {
    let is_forbidden = matches!(error, ClusterError::Denied { by: Denial::Permission, .. });
    let line = match kind.namespace.as_deref().filter(|_| is_forbidden) {
        Some(namespace) => {
            let is_ours = cluster.namespaces().has(Some(namespace));
            let grant = if is_ours { grant(namespace) } else { grant_reading(namespace) };
            format!(
                "{error}; the namespace {namespace} is missing or goes, or has no Role for the daemon: `kubectl get namespace \
                 {namespace}` says which, `{grant}` gives the Role"
            )
        }
        None => error.line(),
    };
    Trouble { line, lasts: !error.passes(), forbidden: is_forbidden.then(|| error.to_string()) }
}

/// The longest time between two signs of life of a watch. What it does itself, such as to enter a list,
/// gets ten minutes.
pub(crate) fn longest_silence(resync: Duration) -> Duration {
    resync.mul_f64(1.0 + SPREAD) + PATIENCE + LONGEST_PAUSE + Duration::from_secs(600)
}

/// Not all kinds are listed anew at the same moment.
fn spread(resync: Duration) -> Duration {
    resync.mul_f64(1.0 + SPREAD * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::sync::watch::Sender;

    use super::*;
    use crate::cluster::Namespaces;

    /// An API server that allows what `rights` says, and keeps what it is asked for.
    fn server(rights: &Sender<bool>, asked: &Arc<Mutex<Vec<String>>>) -> Client {
        let (rights, asked) = (rights.clone(), asked.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let target = request.uri().to_string();
            let mut allowed = rights.subscribe();
            asked.lock().expect("whole").push(target.clone());
            async move {
                if target.contains("watch=true") {
                    // It shows nothing, until the right to it goes.
                    let _ = allowed.wait_for(|allowed| !allowed).await;
                }
                let (status, body): (u16, Value) = match target.as_str() {
                    "/api/v1" => {
                        let pods = json!({"name": "pods", "kind": "Pod", "namespaced": true,
                            "singularName": "pod", "verbs": ["list", "watch"]});
                        let list = json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [pods]});
                        (200, list)
                    }
                    _ if *allowed.borrow() => (
                        200,
                        json!({"kind": "PodList", "apiVersion": "v1", "items": [],
                            "metadata": {"resourceVersion": "1"}}),
                    ),
                    _ => {
                        let words = "pods is forbidden: User \"daemon\" cannot list resource \"pods\" in API group \
                                     \"\" in the namespace \"b\"";
                        let refusal = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                            "code": 403, "reason": "Forbidden", "message": words});
                        (403, refusal)
                    }
                };
                let body = Body::from(body.to_string().into_bytes());
                Response::builder().status(status).body(body)
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_comes_or_goes_is_noticed_and_no_other_namespace_is_asked_for() {
        let (rights, asked) = (Sender::new(false), Arc::default());
        let namespaces = Namespaces::named(["b".to_owned()]);
        let cluster = Cluster::behind(server(&rights, &asked)).within(namespaces.clone());
        let (cache, _) = Cache::within("default", namespaces, Arc::new(|_, _| ()));
        let kind = WatchedKind::ours("v1", "Pod").within("b");
        let watch = cache.watch(&cluster, kind, Duration::from_secs(36_000)).expect("new");
        let watching = tokio::spawn(watch);
        let why = || cache.unknown(&BTreeSet::from(["b"])).map(|reason| reason.to_string());
        let grant = "`kubectl apply -n b -k deploy/overlays/namespaced/watched`";
        for _ in 0..2 {
            let until = async |is: &dyn Fn(Option<String>) -> bool| {
                let seen = async {
                    while !is(why()) {
                        sleep(Duration::from_millis(100)).await;
                    }
                };
                timeout(Duration::from_secs(120), seen).await.is_ok()
            };
            assert!(until(&|why| why.is_some_and(|why| why.contains(grant))).await, "{:?}", why());
            rights.send_replace(true);
            assert!(until(&|why| why.is_none()).await, "{:?}", why());
            rights.send_replace(false);
        }
        watching.abort();
        let asked: Vec<String> = asked.lock().expect("whole").clone();
        let is_there = |target: &String| {
            target == "/api/v1" || target.starts_with("/api/v1/namespaces/b/pods?")
        };
        assert!(asked.iter().all(is_there), "{asked:?}");
        assert!(asked.len() < 100, "it asks ever more rarely: {} times", asked.len());
    }
}
