//! The proxy between a kube client and a tiny API server.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::process::{Process, Program};
use crate::wait::{self, Seen};

mod silence;

const SOON: Duration = Duration::from_secs(20);

/// An API server that stores nothing: it answers an apply with the object, and a watch with the
/// lines it is given.
struct Upstream {
    reached: Arc<Mutex<Vec<String>>>,
    events: broadcast::Sender<Value>,
    _server: AbortOnDropHandle<()>,
}

/// The upstream, a proxy in front of it and a client of the proxy.
struct Scene {
    upstream: Upstream,
    proxy: ApiProxy,
    maps: Api<ConfigMap>,
    folder: TempDir,
}

impl Scene {
    async fn set() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = json!({
            "clusters": [{"name": "up", "cluster": {
                "server": format!("http://{}", listener.local_addr().unwrap()),
            }}],
            "users": [{"name": "account", "user": {"token": "the-account"}}],
            "contexts": [{"name": "up", "context": {"cluster": "up", "user": "account"}}],
            "current-context": "up",
        });
        let (direct, proxied) = (folder.path().join("direct"), folder.path().join("proxied"));
        std::fs::write(&direct, config.to_string()).unwrap();
        let proxy = ApiProxy::start(&direct, &proxied).await.unwrap();
        let file = Kubeconfig::read_from(proxied).unwrap();
        let mut config =
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        let maps = Api::namespaced(Client::try_from(config).unwrap(), "shop");
        Self { upstream: Upstream::start(listener), proxy, maps, folder }
    }

    async fn apply(&self, name: &str) -> kube::Result<ConfigMap> {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        self.maps.patch(name, &PatchParams::apply("test"), &Patch::Apply(object)).await
    }

    /// The events of a watch, each `name` or the error's code.
    async fn watch(&self) -> mpsc::UnboundedReceiver<String> {
        let (seen, heard) = mpsc::unbounded_channel();
        let stream = self.maps.watch(&WatchParams::default(), "7").await.unwrap();
        tokio::spawn(async move {
            let mut stream = stream.boxed();
            while let Ok(Some(event)) = stream.try_next().await {
                let told = match event {
                    WatchEvent::Added(map) => map.metadata.name.unwrap(),
                    WatchEvent::Error(status) => status.code.to_string(),
                    other => panic!("unexpected: {other:?}"),
                };
                drop(seen.send(told));
            }
        });
        heard
    }

    fn happens(&self, name: &str) {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "resourceVersion": "8"}});
        self.upstream.events.send(json!({"type": "ADDED", "object": object})).unwrap();
    }

    fn reached(&self) -> Vec<String> {
        self.upstream.reached.lock().unwrap().clone()
    }
}

impl Upstream {
    fn start(listener: TcpListener) -> Self {
        let reached = Arc::<Mutex<Vec<String>>>::default();
        let events = broadcast::Sender::new(16);
        let heard = events.clone();
        let written = reached.clone();
        let server = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (written, heard) = (written.clone(), heard.clone());
                let service =
                    service_fn(move |request| answer(request, written.clone(), heard.clone()));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        };
        Self { reached, events, _server: AbortOnDropHandle::new(tokio::spawn(server)) }
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    reached: Arc<Mutex<Vec<String>>>,
    events: broadcast::Sender<Value>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
    let account = request.headers()["authorization"].to_str().unwrap().to_owned();
    let asks = |what| request.uri().query().is_some_and(|query| query.contains(what));
    let dry_run = if asks("dryRun=All") { " dry run" } else { "" };
    reached.lock().unwrap().push(format!("{account} {}{dry_run}", request.uri().path()));
    if asks("watch=true") {
        let lines = futures::stream::unfold(events.subscribe(), |mut events| async move {
            let line = format!("{}\n", events.recv().await.ok()?);
            Some((Ok(Frame::data(Bytes::from(line))), events))
        });
        return Ok(Response::new(StreamBody::new(lines).boxed_unsync()));
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(http_body_util::Full::new(body).boxed_unsync()))
}

#[tokio::test]
async fn requests_reach_the_api_server_under_the_account_and_are_written_down() {
    let scene = Scene::set().await;
    let mark = scene.proxy.mark();
    assert_eq!(scene.apply("a").await.unwrap().metadata.name.as_deref(), Some("a"));
    assert_eq!(scene.reached(), ["Bearer the-account /api/v1/namespaces/shop/configmaps/a"]);
    let later = scene.proxy.mark();
    scene.apply("b").await.unwrap();
    let exchanges = scene.proxy.since(mark);
    assert_eq!(tally(&exchanges), Tally::from([("apply configmaps".to_owned(), 2)]));
    assert_eq!(exchanges[0].request.to_string(), "apply configmaps/shop/a");
    assert_eq!(exchanges[0].status, Some(200));
    assert!(exchanges[0].took.is_some());
    assert_eq!(scene.proxy.since(later).len(), 1);
}

#[tokio::test]
async fn a_fault_befalls_the_chosen_request_alone_and_ends_with_its_handle() {
    let scene = Scene::set().await;
    for (fault, reaches) in
        [(Fault::Refused(429), false), (Fault::Lost, false), (Fault::AnswerLost, true)]
    {
        let before = scene.reached().len();
        let injected = scene.proxy.inject(Choice::nth(2, Request::is_write), fault);
        assert!(scene.apply("first").await.is_ok(), "{fault:?}");
        let error = scene.apply("second").await.expect_err("the second is chosen");
        if let Fault::Refused(code) = fault {
            assert!(matches!(&error, kube::Error::Api(status) if status.code == code), "{error}");
        }
        assert!(scene.apply("third").await.is_ok(), "{fault:?}");
        assert_eq!(scene.reached().len() - before, if reaches { 3 } else { 2 }, "{fault:?}");
        assert_eq!(injected.times(), 1);
    }
    let every = scene.proxy.inject(Choice::every(Request::is_write), Fault::Refused(500));
    assert!(scene.apply("refused").await.is_err());
    drop(every);
    assert!(scene.apply("again").await.is_ok());
}

#[tokio::test]
async fn a_client_dies_before_or_after_its_request_is_carried_out() {
    for (moment, reaches) in [(Moment::Before, 1), (Moment::After, 2)] {
        let scene = Arc::new(Scene::set().await);
        // What dies is a process of its own; the requests come from a task that outlives it, so that
        // one that is admitted too late would be seen.
        let sleeper = Program::new("client", "/bin/sleep", scene.folder.path()).arg("infinity");
        let process = Process::start(&sleeper).unwrap();
        let breakpoint = scene.proxy.breakpoint(moment, Choice::from_nth(2, Request::is_write));
        let client = tokio::spawn({
            let scene = scene.clone();
            async move { (scene.apply("one").await.is_ok(), scene.apply("two").await.is_ok()) }
        });
        let request = timeout(SOON, breakpoint.kill(&process)).await.unwrap();
        assert_eq!(request.to_string(), "apply configmaps/shop/two");
        assert!(process.ended().await.is_some());
        assert_eq!(timeout(SOON, client).await.unwrap().unwrap(), (true, false));
        assert_eq!(scene.reached().len(), reaches, "{moment:?}");
    }
}

#[tokio::test]
async fn what_stops_at_a_breakpoint_goes_on_when_it_is_released() {
    let scene = Arc::new(Scene::set().await);
    let breakpoint = scene.proxy.breakpoint(Moment::Before, Choice::every(Request::is_write));
    let client = tokio::spawn({
        let scene = scene.clone();
        async move { scene.apply("held").await.is_ok() }
    });
    timeout(SOON, breakpoint.reached()).await.unwrap();
    assert!(scene.reached().is_empty() && !client.is_finished());
    breakpoint.release();
    assert!(timeout(SOON, client).await.unwrap().unwrap());
    assert!(scene.apply("free").await.is_ok());
}

#[tokio::test]
async fn what_is_written_and_what_is_answered_can_be_changed() {
    let scene = Scene::set().await;
    let data = |map: &ConfigMap| map.data.clone().unwrap_or_default();
    let altered = scene.proxy.alter(|_, map| map["data"] = json!({"written": "another"}));
    assert_eq!(data(&scene.apply("a").await.unwrap())["written"], "another");
    let forged = scene.proxy.forge(|request, map| {
        map["data"]["told"] = request.to_string().into();
        map["metadata"]["name"] != "hidden"
    });
    let told = data(&scene.apply("a").await.unwrap());
    assert_eq!((&*told["written"], &*told["told"]), ("another", "apply configmaps/shop/a"));
    let hidden = scene.apply("hidden").await.expect_err("it is hidden");
    assert!(matches!(&hidden, kube::Error::Api(status) if status.code == 404), "{hidden}");
    drop((altered, forged));
    assert!(data(&scene.apply("a").await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_watch_does_not_show_what_is_kept_from_its_client() {
    let scene = Scene::set().await;
    let _forged = scene.proxy.forge(|_, map| {
        let is_hidden = map["metadata"]["name"] == "hidden";
        map["metadata"]["name"] = "forged".into();
        !is_hidden
    });
    let mut seen = scene.watch().await;
    scene.happens("hidden");
    scene.happens("shown");
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().as_deref(), Some("forged"));
    assert!(seen.try_recv().is_err(), "the hidden one is shown too");
}

#[tokio::test]
async fn a_write_that_is_pretended_reaches_the_api_server_as_a_dry_run() {
    let scene = Scene::set().await;
    let pretended = scene.proxy.inject(Choice::every(Request::is_write), Fault::Pretended);
    scene.apply("a").await.unwrap();
    assert_eq!(pretended.times(), 1);
    drop(pretended);
    scene.apply("b").await.unwrap();
    assert_eq!(
        scene.reached(),
        [
            "Bearer the-account /api/v1/namespaces/shop/configmaps/a dry run",
            "Bearer the-account /api/v1/namespaces/shop/configmaps/b"
        ]
    );
}

#[tokio::test]
async fn withheld_events_come_when_they_are_let_go() {
    let scene = Scene::set().await;
    let mut seen = scene.watch().await;
    scene.happens("first");
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), "first");
    let withheld = scene.proxy.withhold(|request| request.is_about("configmaps"));
    let others = scene.proxy.withhold(|request| request.is_about("pods"));
    scene.happens("second");
    // A whole request comes and goes, and still nothing of the event.
    scene.apply("meanwhile").await.unwrap();
    assert!(seen.try_recv().is_err());
    drop(withheld);
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().unwrap(), "second");
    drop(others);
}

#[tokio::test]
async fn a_watch_that_lost_its_events_ends_as_one_that_is_too_old() {
    let scene = Scene::set().await;
    let mut seen = scene.watch().await;
    let withheld = scene.proxy.withhold(|request| request.is_about("configmaps"));
    scene.happens("never seen");
    withheld.lose();
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap().as_deref(), Some("410"));
    assert_eq!(timeout(SOON, seen.recv()).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_busy_says_so_with_and_without_a_time() {
    let scene = Scene::set().await;
    for wait in [None, Some(7)] {
        let _busy = scene.proxy.inject(Choice::every(Request::is_write), Fault::TurnedAway(wait));
        let error = scene.apply("a").await.expect_err("turned away");
        assert!(matches!(&error, kube::Error::Api(status) if status.code == 429), "{error}");
    }
    let _down = scene.proxy.inject(Choice::every(Request::is_write), Fault::WebhookFailed("gate"));
    let error = scene.apply("a").await.expect_err("refused").to_string();
    assert!(error.contains("failed calling webhook \"gate\""), "{error}");
    assert!(scene.reached().is_empty(), "{:?}", scene.reached());
}

#[tokio::test]
async fn what_is_never_answered_is_carried_out_or_not_as_the_fault_says() {
    for (fault, is_reached) in
        [(Fault::Silent, false), (Fault::AnswerWithheld, true), (Fault::SlowBody, true)]
    {
        let scene = Scene::set().await;
        let silent = scene.proxy.inject(Choice::every(Request::is_write), fault);
        let answer = timeout(Duration::from_secs(2), scene.apply("a")).await;
        assert!(answer.is_err(), "{fault:?}: {answer:?}");
        let reached = wait::until("the request to arrive", SOON, async || {
            Seen::when(silent.times() == 1 && scene.reached().len() == usize::from(is_reached), "")
        });
        reached.await.unwrap_or_else(|error| panic!("{fault:?}: {error:#}"));
        drop(silent);
        scene.apply("b").await.unwrap();
    }
}
