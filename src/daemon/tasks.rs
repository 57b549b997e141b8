//! Tasks that are to run for as long as the daemon does.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::scheduler::panic_message;

/// Tasks that are to run for as long as the daemon does. They end when this is dropped.
pub(super) struct Tasks {
    running: JoinSet<()>,
    ended: mpsc::UnboundedSender<String>,
}

/// Says which task has ended although it should not have, and why: without it the daemon would go on with
/// an outdated picture of the cluster, so it has to end too.
pub(super) struct Ended(mpsc::UnboundedReceiver<String>);

impl Tasks {
    /// No task yet.
    pub(super) fn new() -> (Self, Ended) {
        let (ended, receiver) = mpsc::unbounded_channel();
        (Self { running: JoinSet::new(), ended }, Ended(receiver))
    }

    /// Begins a task, which has this name when it has to be complained about.
    pub(super) fn spawn(&mut self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let ended = self.ended.clone();
        self.running.spawn(async move {
            let why = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(()) => "has ended".to_owned(),
                Err(payload) => format!("panicked: {}", panic_message(&*payload)),
            };
            // Nobody listens any more when the daemon stops.
            let _ = ended.send(format!("{name} {why}"));
        });
    }
}

impl Ended {
    /// Waits for a task to end.
    pub(super) async fn any(&mut self) -> String {
        match self.0.recv().await {
            Some(task) => task,
            // All of them are dropped, as is due when the daemon stops.
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use kube::client::Body;

    use super::*;
    use crate::cache::{Cache, Watching};
    use crate::cluster::{Cluster, WatchedKind};
    use crate::telemetry;

    const DEADLINE: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_for_whatever_reason_is_named() {
        let (mut tasks, mut ended) = Tasks::new();
        tasks.spawn("one".into(), std::future::pending());
        tasks.spawn("another".into(), std::future::ready(()));
        let first = tokio::time::timeout(DEADLINE, ended.any()).await.expect("one has ended");
        assert_eq!(first, "another has ended");
        tasks.spawn("a third".into(), async { panic!("it is {}", "broken") });
        let second = tokio::time::timeout(DEADLINE, ended.any()).await.expect("one has ended");
        assert_eq!(second, "a third panicked: it is broken");
        assert!(tokio::time::timeout(DEADLINE, ended.any()).await.is_err(), "one goes on");
    }

    /// A watch whose list never comes in, and that panics at the first trouble if it is told to.
    fn watch(
        panics: bool,
    ) -> (impl Future<Output = ()> + Send, Arc<std::sync::Mutex<Vec<Watching>>>) {
        let server = tower::service_fn(move |_: http::Request<Body>| async move {
            if !panics {
                std::future::pending::<()>().await;
            }
            Err::<http::Response<Body>, _>(std::io::Error::other("refused"))
        });
        let cluster = Cluster::behind(kube::Client::new(server, "default"));
        let seen: Arc<std::sync::Mutex<Vec<Watching>>> = Arc::default();
        let notice = {
            let seen = seen.clone();
            Arc::new(move |_: &WatchedKind, watching: Watching| {
                assert!(!panics || watching != Watching::Broken, "nobody expects trouble");
                seen.lock().expect("whole").push(watching);
            })
        };
        let (cache, _) = Cache::new("default", notice);
        let resync = Duration::from_secs(600);
        (cache.watch(&cluster, WatchedKind::ours("v1", "Pod"), resync).expect("new"), seen)
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_panics_is_named() {
        let (mut tasks, mut ended) = Tasks::new();
        tasks.spawn("the watch of Pod".into(), watch(true).0);
        let ended = tokio::time::timeout(DEADLINE, ended.any()).await.expect("it has ended");
        assert_eq!(ended, "the watch of Pod panicked: nobody expects trouble");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_is_alive_although_the_api_server_never_answers() {
        let (watch, seen) = watch(false);
        let hour = tokio::time::timeout(DEADLINE, watch).await;
        assert!(hour.is_err(), "it goes on");
        let alive = seen.lock().expect("whole").iter().filter(|it| **it == Watching::Alive).count();
        assert!(alive > 10, "{alive} signs of life within an hour");
    }

    /// What is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("whole").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_may_not_be_listed_or_watched_is_logged_once() {
        let pods = serde_json::json!({"name": "pods", "singularName": "pod", "kind": "Pod",
            "namespaced": true, "verbs": ["list", "watch"]});
        for lists in [false, true] {
            let pods = pods.clone();
            let server = tower::service_fn(move |request: http::Request<Body>| {
                let (path, query) = (request.uri().path(), request.uri().query());
                let is_watch = query.is_some_and(|query| query.contains("watch="));
                let (status, body) = if path == "/api/v1" {
                    let body = serde_json::json!({"kind": "APIResourceList", "groupVersion": "v1",
                        "resources": [pods]});
                    (200, body)
                } else if lists && !is_watch {
                    let body = serde_json::json!({"kind": "PodList", "apiVersion": "v1",
                        "metadata": {"resourceVersion": "7"}, "items": []});
                    (200, body)
                } else {
                    let message = "pods is forbidden: User \"coalmine\" cannot watch resource \"pods\" in API \
                        group \"\" at the cluster scope";
                    let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
                        "status": "Failure", "reason": "Forbidden", "code": 403, "message": message});
                    (403, body)
                };
                let body = Body::from(body.to_string().into_bytes());
                std::future::ready(http::Response::builder().status(status).body(body))
            });
            let log = Log::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_env_filter(telemetry::default_filter())
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            let _guard = tracing::subscriber::set_default(subscriber);
            let cluster = Cluster::behind(kube::Client::new(server, "default"));
            let (cache, _) = Cache::new("default", Arc::new(|_, _| ()));
            let kind = WatchedKind::ours("v1", "Pod");
            let watch = cache.watch(&cluster, kind, Duration::from_secs(600)).expect("new");
            assert!(tokio::time::timeout(DEADLINE, watch).await.is_err(), "it goes on");
            let log = String::from_utf8(log.0.lock().expect("whole").clone()).expect("text");
            let lines: Vec<&str> = log.lines().collect();
            assert_eq!(lines.len(), 1, "in an hour, lists: {lists}: {log}");
            assert!(lines[0].contains("extend the daemon's Role"), "{log}");
        }
    }
}
