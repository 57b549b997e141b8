//! Passes over a cluster whose API server is away, by a clock that does something when it is asked.

use std::cell::RefCell;
use std::rc::Rc;

use kube::client::Body;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::cache::Cache;
use crate::cluster::{Cluster, WatchedKind};
use crate::election::by_hand::ByHand;
use crate::reconcile::{PreflightService, RolloutSettings};
use crate::report::{Events, Reports, ServiceReport, State};
use crate::shard::Shard;
use crate::testing::service;
use coalmine_core::labels::{INSTANCE, SERVICE};
use coalmine_core::tree::Tree;
use coalmine_core::values::{Drift, PLATFORM, Platform, Policy, Repository, Timing};

/// Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(60);

thread_local! {
    /// What happens when a pass asks for the time next.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

fn clock() -> Timestamp {
    if let Some(happens) = MEANWHILE.take() {
        happens();
    }
    Timestamp::now()
}

fn services(reports: &Reports, stop: &CancellationToken, leadership: Leadership) -> Services {
    let (cache, _) = Cache::new("default", Arc::new(|_, _| ()));
    for kind in WatchedKind::of_services() {
        cache.receive(&kind, Event::Init);
        cache.receive(&kind, Event::InitDone);
    }
    let server = tower::service_fn(|_: http::Request<Body>| async {
        let away = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": 503, "reason": "ServiceUnavailable", "message": "away"});
        let body = Body::from(away.to_string().into_bytes());
        Ok::<_, kube::Error>(http::Response::builder().status(503).body(body).expect("whole"))
    });
    let client = kube::Client::new(server, "default");
    let (events, _) = Events::new(client.clone(), "test", reports.metrics.clone());
    let reconciler = Reconciler {
        cluster: Cluster::behind(client),
        preflight: PreflightService::new(cache.clone()),
        cache: cache.clone(),
        proxies: None,
        instance: "default".into(),
        clock,
    };
    let reporter = Reporter { reports: reports.clone(), events, cache };
    let longest = Duration::from_secs(600);
    Services::new(reconciler, reporter, longest, stop.clone(), leadership)
}

fn echo() -> DesiredState {
    let values = "deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n";
    DesiredState::Service(Arc::new(service(values)))
}

fn request(state: DesiredState) -> ServiceRequest {
    let rollout_settings = RolloutSettings {
        timing: Timing { deadline: DEADLINE, settle: Duration::ZERO },
        gloo_namespace: "gloo-system".into(),
        edition: gloo::Edition::Unknown,
        gateway_api: None,
        policy: Policy::default(),
        drift: Drift::Repair,
    };
    ServiceRequest {
        state,
        rollout_settings: Arc::new(rollout_settings),
        revision: "a".into(),
        file: None,
    }
}

fn accept(services: &Services, request: ServiceRequest) {
    let known = KnownServices::new([request.state.name().to_string()], Shard::WHOLE);
    let removal = |_: &Arc<str>| unreachable!("there is nothing else");
    services.accept(known, vec![request], [], removal, |_| ());
}

/// Waits until the service's status is so.
async fn until(reports: &Reports, name: &str, is_so: impl Fn(&ServiceReport) -> bool) {
    let mut changes = reports.status_store.changes();
    let seen = async {
        while !reports.status_store.detail(name).is_some_and(|detail| is_so(&detail.report)) {
            changes.changed().await.expect("the board is there");
        }
    };
    tokio::time::timeout(DEADLINE, seen).await.unwrap_or_else(|_| {
        panic!("it stays so: {:?}", reports.status_store.detail(name).map(|detail| detail.report))
    });
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_pass_panicked_is_stalled_and_tried_again() {
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let services = services(&reports, &stop, Leadership::unopposed());
    MEANWHILE.set(Some(Box::new(|| panic!("the clock is broken"))));
    accept(&services, request(echo()));
    let (_sender, touched) = mpsc::unbounded_channel();
    let running = tokio::spawn(async move { services.run(touched).await });
    let stalled = async |words: &str| {
        until(&reports, "echo", |report| {
            report.state == State::Stalled && report.reason.contains(words)
        })
        .await;
    };
    stalled("panicked: the clock is broken").await;
    let counted = "coalmine_service_reconcile_panics_total{service=\"echo\"} 1\n";
    assert!(reports.metrics.text().contains(counted), "{}", reports.metrics.text());
    // The next pass goes as far as one can.
    stalled("cannot reach the API server").await;
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_comes_while_another_daemon_leads_is_reported_when_this_one_leads_again() {
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let (mut election, leadership) = ByHand::new();
    let services = services(&reports, &stop, leadership);
    election.give();
    let election = Rc::new(RefCell::new(election));
    let (ended, end) = tokio::sync::oneshot::channel();
    MEANWHILE.set(Some(Box::new({
        let election = election.clone();
        move || {
            election.borrow().take();
            ended.send(()).expect("somebody waits");
        }
    })));
    // There is nothing in it, so the pass ends well.
    accept(&services, request(DesiredState::Platform(Arc::default())));
    let (_sender, touched) = mpsc::unbounded_channel();
    let running = tokio::spawn(async move { services.run(touched).await });
    tokio::time::timeout(DEADLINE, end).await.expect("in time").expect("a pass");
    let report = || reports.status_store.detail(PLATFORM).expect("on the board").report;
    tokio::time::sleep(DEADLINE).await;
    assert_eq!(report().state, State::Progressing, "somebody else writes");
    election.borrow_mut().give();
    until(&reports, PLATFORM, |report| report.state == State::Ready).await;
    // Nothing has changed when it leads once more, and yet somebody may have read otherwise.
    election.borrow().take();
    reports
        .status_store
        .service(PLATFORM, |report| report.progressing(None, "as somebody else sees it"));
    election.borrow_mut().give();
    until(&reports, PLATFORM, |report| report.state == State::Ready).await;
    stop.cancel();
    running.await.expect("it ends");
}

#[tokio::test]
async fn a_removal_waits_for_the_service_that_takes_over_its_requests() {
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let services = services(&reports, &stop, Leadership::unopposed());
    let table = json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
        "metadata": {"name": "echo-routes", "namespace": "echo", "resourceVersion": "1",
            "labels": {"apiGroup": "a", INSTANCE: "default", SERVICE: "echo"}},
        "spec": {"routes": [{"matchers": [{"prefix": "/echo"}]}]}});
    services.shared.reconciler.cache.record(&table);
    let golf = |path: &str| {
        let values = format!(
            "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: a, paths: [{{prefix: {path}}}], primary: {{version: v1}}}}\n"
        );
        let files = [("services/golf.yaml".to_owned(), values.as_str().into())].into();
        let mut read = Repository::parse(&Tree { revision: "r".into(), files });
        let (_, golf) = read.services.pop_first().expect("one");
        request(DesiredState::Service(golf.expect("valid")))
    };
    let removal = || request(DesiredState::Removal("echo".into()));
    let prepared = async || {
        let removal = removal();
        services.prepare(&removal.state, &removal.job("default"), &|| false).await
    };
    services.remove(removal());
    assert_eq!(prepared().await, None, "nobody takes over");
    accept_beside(&services, golf("/golf"), removal());
    assert_eq!(prepared().await, None, "golf has other requests");
    accept_beside(&services, golf("/echo"), removal());
    let waits = prepared().await;
    let Some(ReconcileOutcome::Waiting { reason, until: Some(_) }) = waits else {
        panic!("{waits:?}")
    };
    assert_eq!(reason, Reason::SuccessorComes { service: "golf".into(), is_invalid: false });
    let departing: Vec<String> =
        services.departing_routes().iter().map(ToString::to_string).collect();
    assert_eq!(departing, ["RouteTable echo/echo-routes"]);
    let takes_over = |path: &str| {
        let DesiredState::Service(golf) = golf(path).state else { panic!("{path}") };
        let departing = services.departing(&services.departing_routes()).expect("echo's");
        departing.are_taken_over_by(&golf)
    };
    assert!(takes_over("/echo") && !takes_over("/golf"));
    let known = KnownServices::new(["hotel".to_owned()], Shard::WHOLE);
    services.accept(
        known,
        Vec::new(),
        [],
        |name| request(DesiredState::Removal(name.clone())),
        |_| (),
    );
    let waits = prepared().await;
    let Some(ReconcileOutcome::Waiting { reason, .. }) = waits else { panic!("{waits:?}") };
    let expected = Reason::SuccessorComes { service: "hotel".into(), is_invalid: true };
    assert_eq!(reason, expected, "nobody knows what it asks for");
}

/// Accepts a revision with one service that comes and one that goes.
fn accept_beside(services: &Services, comes: ServiceRequest, goes: ServiceRequest) {
    let known = KnownServices::new([comes.state.name().to_string()], Shard::WHOLE);
    services.accept(known, vec![comes], [], |_| goes.clone(), |_| ());
}

#[tokio::test]
async fn a_removal_gives_its_domain_to_a_service_of_which_all_but_the_routes_is_ready() {
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let services = services(&reports, &stop, Leadership::unopposed());
    let host = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": "echo", "namespace": "echo", "resourceVersion": "1",
            "labels": {INSTANCE: "default", SERVICE: "echo"}},
        "spec": {"virtualHost": {"domains": ["shop.example"], "routes": []}}});
    services.shared.reconciler.cache.record(&host);
    let values =
        "deployment: {v1: {}}\nroutes: {domains: [Shop.example], primary: {version: v1}}\n";
    let files = [("services/golf.yaml".to_owned(), values.into())].into();
    let mut read = Repository::parse(&Tree { revision: "r".into(), files });
    let (_, golf) = read.services.pop_first().expect("one");
    let golf = request(DesiredState::Service(golf.expect("valid")));
    let removal = request(DesiredState::Removal("echo".into()));
    accept_beside(&services, golf, removal.clone());
    let prepared =
        async || services.prepare(&removal.state, &removal.job("default"), &|| false).await;
    let waits = prepared().await;
    let Some(ReconcileOutcome::Waiting { reason, .. }) = waits else { panic!("{waits:?}") };
    assert_eq!(reason, Reason::SuccessorComes { service: "golf".into(), is_invalid: false });
    // Its last pass went as far as it can.
    let pass = services.shared.queue.change(|schedule, now| {
        loop {
            let pass = schedule.take(now).expect("both are due");
            if &*pass.name == "golf" {
                break pass;
            }
        }
    });
    let room = ObjectId::new("gateway.solo.io/v1", "VirtualService", Some("echo"), "echo");
    let outcome = ReconcileOutcome::Waiting { reason: Reason::PredecessorGoes(room), until: None };
    *locked(&services.progress(&"golf".into()).last) = Some((pass, outcome));
    assert_eq!(prepared().await, None, "golf waits for nothing else");
}

#[tokio::test]
async fn an_object_that_moves_between_platform_and_a_service_is_taken_over() {
    let (reports, stop) = (Reports::default(), CancellationToken::new());
    let services = services(&reports, &stop, Leadership::unopposed());
    let object = |kind: Kind, name: &str, owner: &str| {
        json!({"apiVersion": kind.api_version(), "kind": kind, "metadata": {"name": name, "namespace": "echo",
            "resourceVersion": "1", "labels": {INSTANCE: "default", SERVICE: owner}}, "spec": {}})
    };
    let cache = &services.shared.reconciler.cache;
    cache.record(&object(Kind::Upstream, "echo", PLATFORM));
    cache.record(&object(Kind::Upstream, "other", PLATFORM));
    let (platform, echo) = (request(DesiredState::Platform(Arc::default())), request(echo()));
    let known = KnownServices::new(["echo".to_owned()], Shard::WHOLE);
    let removal = |_: &Arc<str>| unreachable!("nothing goes");
    services.accept(known, vec![platform.clone(), echo.clone()], [], removal, |_| ());
    let upstream = ObjectId::of(Kind::Upstream, Some("echo"), "echo");
    let (platform, echo) = (platform.job("default"), echo.job("default"));
    assert_eq!(services.handed_over(&platform), [upstream.clone()].into());
    assert_eq!(services.inherited(&echo), [upstream.clone()].into());
    assert_eq!(services.inherited(&platform), BTreeSet::new());
    // An object that its owner desires is not anybody else's.
    let manifest = Manifest::new(object(Kind::Upstream, "echo", PLATFORM)).expect("complete");
    let platform = Platform { manifests: vec![manifest], ..Platform::default() };
    let platform = request(DesiredState::Platform(Arc::new(platform)));
    let known = KnownServices::new(["echo".to_owned()], Shard::WHOLE);
    services.accept(known, vec![platform], [], removal, |_| ());
    assert_eq!(services.inherited(&echo), BTreeSet::new());
}
