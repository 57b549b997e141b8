//! What a pass asks and says before it writes anything.

mod http_routes;
mod namespaced;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use http::Method;
use kube::client::Body;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::cluster::WatchedKind;
use coalmine_core::health::Verdict;
use coalmine_core::labels::{APPLIED, FIELD_MANAGER, HANDOVER_MANAGER, INSTANCE, SERVICE};
use coalmine_core::plan::{Desired, PreviousRoutes};
use coalmine_core::reason::{Code, Hinted};
use coalmine_core::render::Owner;
use coalmine_core::tree::Tree;
use coalmine_core::values::{Platform, Repository};

/// The Gateway and the VirtualService that all share.
fn platform() -> [Value; 2] {
    let object = |kind: &str, spec: Value| {
        json!({"apiVersion": "gateway.solo.io/v1", "kind": kind, "spec": spec,
            "metadata": {"name": "app", "namespace": "gloo-system", "resourceVersion": "1"}})
    };
    let all = json!({"selector": {"labels": {"apiGroup": "a"}, "namespaces": ["*"]}});
    [
        object(
            "Gateway",
            json!({"bindAddress": "::", "bindPort": 8080, "httpGateway": {},
            "proxyNames": ["gateway-proxy"]}),
        ),
        object(
            "VirtualService",
            json!({"virtualHost": {"domains": ["*"], "routes": [
            {"matchers": [{"prefix": "/"}], "delegateAction": all}]}}),
        ),
    ]
}

/// What an API server answers to a method, a path and a body.
type Answer = dyn Fn(&Method, &str, Value) -> (u16, Value) + Send + Sync;

fn away(_: &Method, _: &str, _: Value) -> (u16, Value) {
    (
        503,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 503,
        "reason": "ServiceUnavailable", "message": "away"}),
    )
}

/// A cluster with the platform and these objects, and an API server that answers so.
fn reconciler(objects: &[Value], answer: Arc<Answer>) -> Reconciler {
    let (cache, _) = Cache::new("default", Arc::new(|_, _| ()));
    for kind in WatchedKind::of_services() {
        cache.receive(&kind, Event::Init);
        let objects = platform().into_iter().chain(objects.iter().cloned());
        let objects = objects.filter(|object| object["kind"] == kind.kind);
        objects.for_each(|object| cache.receive(&kind, Event::InitApply(object)));
        cache.receive(&kind, Event::InitDone);
    }
    let server = tower::service_fn(move |request: http::Request<Body>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await?).unwrap_or_default();
            let (status, body) = answer(&parts.method, &parts.uri.to_string(), body);
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, kube::Error>(
                http::Response::builder().status(status).body(body).expect("whole"),
            )
        }
    });
    Reconciler {
        cluster: Cluster::behind(kube::Client::new(server, "default")),
        preflight: PreflightService::new(cache.clone()),
        cache,
        proxies: None,
        instance: "default".into(),
        clock: Timestamp::now,
    }
}

fn job(name: &str, paths: &str) -> Job {
    let values = format!(
        "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}, paths: {paths}}}\n"
    );
    let files = [(format!("services/{name}.yaml"), values.as_str().into())].into();
    let read = Repository::parse(&Tree { revision: "r".into(), files });
    let service = read.services.into_values().next().expect("one").expect("valid");
    Job::for_service(&service, &Owner { instance: "default".into(), revision: "r".into() })
}

fn rollout_settings(drift: Drift) -> RolloutSettings {
    RolloutSettings {
        timing: Timing { deadline: Duration::ZERO, settle: Duration::ZERO },
        gloo_namespace: "gloo-system".into(),
        edition: gloo::Edition::Unknown,
        gateway_api: None,
        policy: Policy::default(),
        drift,
    }
}

#[tokio::test]
async fn the_reservation_of_a_change_that_is_not_desired_any_more_is_dropped() {
    let (reconciler, rollout_settings) =
        (reconciler(&[], Arc::new(away)), rollout_settings(Drift::Repair));
    let asked = async |job: &Job| {
        reconciler.preflight.admit(job, &BTreeSet::new(), &rollout_settings).await
    };
    let (echo, foxtrot) =
        (job("echo", "[{prefix: /common}]"), job("foxtrot", "[{prefix: /common}]"));
    let mut memory = Memory::new(Timestamp::now());
    asked(&echo).await.expect("alone");
    memory.clearance.admit((echo.digest(), 0), Prediction::default());
    asked(&foxtrot).await.expect_err("echo is about to have these requests");
    // The next values wait, and are not asked for yet.
    let later = job("echo", "[{prefix: /echo}]");
    let outcome = reconciler.pass(&later, &rollout_settings, &mut memory, &|| true, &|_| ()).await;
    assert_eq!(outcome, ReconcileOutcome::Superseded);
    asked(&foxtrot).await.expect("nobody else wants them");
}

/// The routes of echo, and nothing that they need.
fn routes_alone(paths: &str) -> Job {
    let job = job("echo", paths);
    let desired = Desired { routes: job.desired.routes, ..Desired::default() };
    Job { desired, ..job }
}

/// The routes of a job as they are in the cluster, and Gloo's word on them.
fn live(job: &Job, state: &str) -> Value {
    let routes = &job.desired.routes[0];
    let mut object = routes.object().clone();
    object["metadata"]["annotations"][APPLIED] = routes.digest().to_string().into();
    object["metadata"]["resourceVersion"] = "2".into();
    object["status"] = json!({"statuses": {"gloo-system": {"state": state}}});
    object
}

#[tokio::test]
async fn routes_are_not_rolled_back_over_somebody_who_has_their_requests_by_now() {
    let before = job("echo", "[{prefix: /common}]");
    let echo = routes_alone("[{prefix: /echo}]");
    let previous = |memory: &mut Memory| {
        let routes = before.desired.routes[0].clone();
        let before = [(routes.id().clone(), Some((routes, Verdict::Accepted)))];
        memory.rollback.remember(PreviousRoutes { before: before.into() });
    };
    let outcome = async |others: &[Value]| {
        let objects = [&[live(&echo, "Rejected")], others].concat();
        let reconciler = reconciler(&objects, Arc::new(away));
        let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
        previous(&mut memory);
        // What is there counts as what is desired, whoever manages the fields.
        let rollout_settings = rollout_settings(Drift::Ignore);
        reconciler.pass(&echo, &rollout_settings, &mut memory, &|| false, &|_| ()).await
    };
    let reason = |outcome| match outcome {
        ReconcileOutcome::Stalled { reason, .. } => reason.line(),
        other => panic!("{other:?}"),
    };
    let foxtrot = live(&job("foxtrot", "[{prefix: /common}]"), "Accepted");
    let refused = reason(outcome(&[foxtrot]).await);
    assert!(refused.contains("Gloo says Rejected"), "{refused}");
    assert!(refused.contains("not restored") && refused.contains("foxtrot"), "{refused}");
    // Nobody else has them: the write is tried.
    let dry_run = reason(outcome(&[]).await);
    assert!(dry_run.contains("cannot reach the API server"), "{dry_run}");
}

/// An API server with one RouteTable that carries out what is applied, and then answers so.
fn losing(before: Value, lost: impl Fn() -> (u16, Value) + Send + Sync + 'static) -> Arc<Answer> {
    let stored = Mutex::new(before);
    Arc::new(move |method: &Method, path: &str, body: Value| {
        if path.ends_with("/v1") {
            let table = json!({"name": "routetables", "singularName": "", "kind": "RouteTable",
                "namespaced": true, "verbs": ["get", "patch"]});
            return (
                200,
                json!({"kind": "APIResourceList", "groupVersion": "gateway.solo.io/v1",
                "resources": [table]}),
            );
        }
        if *method == Method::GET {
            return (200, stored.lock().expect("whole").clone());
        }
        let mut written = body;
        written["metadata"]["resourceVersion"] = "3".into();
        if path.contains("dryRun") {
            return (200, written);
        }
        *stored.lock().expect("whole") = written;
        lost()
    })
}

#[tokio::test]
async fn what_a_write_without_an_answer_did_is_looked_up_before_anything_rests_on_it() {
    let (old, new) = (routes_alone("[{prefix: /old}]"), routes_alone("[{prefix: /new}]"));
    let server = losing(live(&old, "Accepted"), || away(&Method::PATCH, "", Value::Null));
    let reconciler = reconciler(&[live(&old, "Accepted")], server);
    let (rollout_settings, mut memory) =
        (rollout_settings(Drift::Ignore), Memory::new(Timestamp::UNIX_EPOCH));
    let mut outcome = async |job: &Job| {
        reconciler.pass(job, &rollout_settings, &mut memory, &|| false, &|_| ()).await
    };
    assert_eq!(outcome(&old).await, ReconcileOutcome::Ready);
    let unanswered = outcome(&new).await;
    assert!(
        matches!(unanswered, ReconcileOutcome::Stalled { retry: Retry::Soon, .. }),
        "{unanswered:?}"
    );
    // The watch has not told of it, and yet the old routes are not taken for those that are there.
    assert_ne!(outcome(&old).await, ReconcileOutcome::Ready);
    let routes = reconciler.cache.object(old.desired.routes[0].id()).expect("known");
    assert_eq!(routes.applied.as_deref(), Some(&*new.desired.routes[0].digest().to_string()));
}

#[tokio::test]
async fn what_a_write_did_during_which_the_pass_broke_off_is_looked_up_too() {
    let (old, new) = (routes_alone("[{prefix: /old}]"), routes_alone("[{prefix: /new}]"));
    let server = losing(live(&old, "Accepted"), || panic!("the pass breaks off"));
    let reconciler = reconciler(&[live(&old, "Accepted")], server);
    let (rollout_settings, mut memory) =
        (rollout_settings(Drift::Ignore), Memory::new(Timestamp::UNIX_EPOCH));
    let pass = reconciler.pass(&new, &rollout_settings, &mut memory, &|| false, &|_| ());
    let broken = std::panic::AssertUnwindSafe(pass).catch_unwind().await;
    assert!(broken.is_err(), "{broken:?}");
    // What else is remembered is of a pass that nobody knows the end of.
    memory.forget(Timestamp::UNIX_EPOCH);
    let outcome = reconciler.pass(&old, &rollout_settings, &mut memory, &|| true, &|_| ()).await;
    assert_eq!(outcome, ReconcileOutcome::Superseded, "the old routes would have to be written");
    let routes = reconciler.cache.object(old.desired.routes[0].id()).expect("known");
    assert_eq!(routes.applied.as_deref(), Some(&*new.desired.routes[0].digest().to_string()));
}

/// Seconds of a clock that stands still but for this.
static SECONDS: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn what_another_owners_mistake_kept_from_envoy_settles_from_when_it_is_repaired() {
    let mut objects = vec![live(&routes_alone("[{prefix: /echo}]"), "Accepted")];
    objects.push(json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "spec": {},
        "metadata": {"name": "old", "namespace": "echo", "resourceVersion": "2",
            "labels": {INSTANCE: "default", SERVICE: "echo"}}}));
    let mut strangers = platform()[1].clone();
    strangers["metadata"]["name"] = "other".into();
    objects.push(strangers.clone());
    let mut reconciler = reconciler(&objects, Arc::new(away));
    reconciler.clock = || Timestamp::from_second(SECONDS.load(Ordering::Relaxed)).expect("a time");
    let echo = routes_alone("[{prefix: /echo}]");
    let mut rollout_settings = rollout_settings(Drift::Ignore);
    rollout_settings.timing = Timing { deadline: Duration::MAX, settle: Duration::from_secs(60) };
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let mut reason = async |reconciler: &Reconciler, second: i64| {
        SECONDS.store(second, Ordering::Relaxed);
        match reconciler.pass(&echo, &rollout_settings, &mut memory, &|| false, &|_| ()).await {
            ReconcileOutcome::Waiting { reason, .. } | ReconcileOutcome::Stalled { reason, .. } => {
                reason.line()
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(reason(&reconciler, 0).await.contains("they settle"));
    let blocked = reason(&reconciler, 100).await;
    assert!(blocked.contains("nothing deleted until that is repaired"), "{blocked}");
    strangers["spec"]["virtualHost"]["domains"] = json!(["other.example.com"]);
    strangers["metadata"]["resourceVersion"] = "3".into();
    let kind =
        WatchedKind::of_services().find(|kind| kind.kind == "VirtualService").expect("watched");
    reconciler.cache.receive(&kind, Event::Apply(strangers));
    let repaired = reason(&reconciler, 200).await;
    assert!(repaired.contains("they settle"), "{repaired}");
    assert!(reason(&reconciler, 259).await.contains("they settle"));
    let deleted = reason(&reconciler, 261).await;
    assert!(deleted.contains("cannot reach the API server"), "{deleted}");
}

#[tokio::test]
async fn the_first_list_of_a_kind_is_waited_for_and_stalls_nobody() {
    let reconciler = reconciler(&[], Arc::new(away));
    let kind = WatchedKind::ours("v1", "ConfigMap");
    let watch = reconciler.cache.watch(&reconciler.cluster, kind.clone(), Duration::from_secs(600));
    assert!(watch.is_some(), "it is watched, and nothing came yet");
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "echo", "namespace": "echo"}});
    let manifests = vec![Manifest::new(object).expect("complete")];
    let platform = Platform { manifests, ..Platform::default() };
    let owner = Owner { instance: "default".into(), revision: "r".into() };
    let job = Job::for_platform(&platform, &owner);
    let mut rollout_settings = rollout_settings(Drift::Repair);
    rollout_settings.timing.deadline = Duration::from_secs(60);
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let mut outcome =
        async || reconciler.pass(&job, &rollout_settings, &mut memory, &|| false, &|_| ()).await;
    let first = outcome().await;
    let ReconcileOutcome::Waiting { reason, until: Some(_) } = &first else { panic!("{first:?}") };
    assert_eq!(reason.code(), Code::WaitingForCache);
    reconciler.cache.receive(&kind, Event::Init);
    reconciler.cache.receive(&kind, Event::InitDone);
    let listed = outcome().await;
    let ReconcileOutcome::Stalled { reason, .. } = &listed else { panic!("{listed:?}") };
    assert_eq!(reason.code(), Code::ApiServerUnreachable, "it goes on to the API server");
}

/// The work of a `platform/` with these objects.
fn platform_job(objects: &[Value]) -> Job {
    let text: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let files = [("platform/all.yaml".to_owned(), text.join("\n---\n").as_str().into())].into();
    let read = Repository::parse(&Tree { revision: "r".into(), files });
    assert_eq!(read.platform.problems, []);
    Job::for_platform(&read.platform, &Owner { instance: "default".into(), revision: "r".into() })
}

/// What an API server says about the kinds of a group.
fn kinds(api_version: &str, kinds: &[(&str, &str, bool)]) -> Value {
    let resource = |(kind, plural, namespaced): &(&str, &str, bool)| {
        json!({"name": plural, "singularName": "", "kind": kind, "namespaced": namespaced,
            "verbs": ["get", "list", "watch", "patch", "create", "delete"]})
    };
    let resources: Vec<Value> = kinds.iter().map(resource).collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources})
}

/// Requests that change something, by method and address.
type Writes = Arc<Mutex<Vec<(String, Value)>>>;

#[tokio::test]
async fn a_definition_is_served_before_an_object_of_it_is_tried() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tables.example.org"},
        "spec": {"group": "example.org", "names": {"kind": "Table", "plural": "tables"}}});
    let table = json!({"apiVersion": "example.org/v1", "kind": "Table",
        "metadata": {"name": "one", "namespace": "echo"}, "spec": {}});
    let job = platform_job(&[table, definition]);
    let writes = Writes::default();
    let answer: Arc<Answer> = {
        let writes = writes.clone();
        Arc::new(move |method, path, body| match (method, path) {
            (&Method::GET, _) if path.ends_with("/apis/apiextensions.k8s.io/v1") => (
                200,
                kinds(
                    "apiextensions.k8s.io/v1",
                    &[("CustomResourceDefinition", "customresourcedefinitions", false)],
                ),
            ),
            (&Method::GET, _) if path.ends_with("/apis/example.org/v1") => {
                (200, kinds("example.org/v1", &[("Table", "tables", true)]))
            }
            _ if path.contains("dryRun") => (201, body),
            (&Method::PATCH, _) => {
                writes.lock().expect("whole").push((path.to_owned(), body.clone()));
                let mut stored = body;
                stored["metadata"]["resourceVersion"] = "7".into();
                stored["metadata"]["uid"] = "u".into();
                (200, stored)
            }
            _ => away(method, path, body),
        })
    };
    let reconciler = reconciler(&[], answer);
    let definitions = WatchedKind::ours("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    reconciler.cache.receive(&definitions, Event::Init);
    reconciler.cache.receive(&definitions, Event::InitDone);
    let tables = WatchedKind::ours("example.org/v1", "Table");
    reconciler.cache.receive(&tables, Event::Init);
    let (mut memory, mut settings) =
        (Memory::new(Timestamp::now()), rollout_settings(Drift::Repair));
    settings.timing.deadline = Duration::from_secs(600);
    let mut pass = async || reconciler.pass(&job, &settings, &mut memory, &|| false, &|_| ()).await;
    let outcome = pass().await;
    let ReconcileOutcome::Waiting { reason, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(reason.code(), Code::WaitingForDefinition, "{outcome:?}");
    let written = || -> Vec<String> {
        let writes = writes.lock().expect("whole");
        writes
            .iter()
            .map(|(_, body)| body["kind"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(written(), ["CustomResourceDefinition"]);
    let mut served = writes.lock().expect("whole")[0].1.clone();
    served["metadata"]["resourceVersion"] = "8".into();
    served["status"] = json!({"conditions": [{"type": "Established", "status": "True"}]});
    reconciler.cache.receive(&definitions, Event::Apply(served));
    let outcome = pass().await;
    let ReconcileOutcome::Waiting { reason, until: Some(_) } = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(reason.code(), Code::WaitingForCache, "the watch follows");
    reconciler.cache.receive(&tables, Event::InitDone);
    pass().await;
    assert_eq!(written(), ["CustomResourceDefinition", "Table"]);
}

#[tokio::test]
async fn replicas_that_leave_the_manifest_are_handed_over_before_it_is_applied() {
    let deployment = |replicas: Option<u32>| {
        let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
        if let Some(replicas) = replicas {
            spec["replicas"] = replicas.into();
        }
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "echo"}, "spec": spec})
    };
    let mut live = platform_job(&[deployment(Some(6))]).desired.workloads[0].object().clone();
    live["metadata"]["resourceVersion"] = "5".into();
    live["metadata"]["uid"] = "u".into();
    live["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply",
        "fieldsV1": {"f:metadata": {"f:labels": {}, "f:annotations": {}},
            "f:spec": {"f:replicas": {}, "f:selector": {}}}}]);
    let writes = Writes::default();
    let answer: Arc<Answer> = {
        let (writes, live) = (writes.clone(), live.clone());
        Arc::new(move |method, path, body| match (method, path) {
            (&Method::GET, _) if path.ends_with("/apis/apps/v1") => {
                (200, kinds("apps/v1", &[("Deployment", "deployments", true)]))
            }
            (&Method::GET, _) => (200, live.clone()),
            _ if path.contains("dryRun") => (200, body),
            (&Method::PATCH, _) => {
                writes.lock().expect("whole").push((path.to_owned(), body.clone()));
                let mut stored = body;
                stored["metadata"]["resourceVersion"] = "7".into();
                (200, stored)
            }
            _ => away(method, path, body),
        })
    };
    let reconciler = reconciler(&[live], answer);
    let job = platform_job(&[deployment(None)]);
    let (mut memory, settings) = (Memory::new(Timestamp::now()), rollout_settings(Drift::Repair));
    reconciler.pass(&job, &settings, &mut memory, &|| false, &|_| ()).await;
    let writes = writes.lock().expect("whole");
    let (path, part) = &writes[0];
    assert!(path.contains(&format!("fieldManager={HANDOVER_MANAGER}")), "{path}");
    assert!(!path.contains("force=true"), "who has changed the field keeps it: {path}");
    assert_eq!(part["spec"], json!({"replicas": 6}));
    let (path, whole) = &writes[1];
    assert!(
        path.contains(&format!("fieldManager={FIELD_MANAGER}&")) || path.ends_with(FIELD_MANAGER),
        "{path}"
    );
    assert_eq!(whole["spec"].get("replicas"), None);
}

/// A VirtualService for one domain that answers by itself.
fn host(name: &str, owner: &str) -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop",
            "labels": {INSTANCE: "default", SERVICE: owner}},
        "spec": {"virtualHost": {"domains": ["shop.example"], "routes": [
            {"matchers": [{"prefix": "/"}], "directResponseAction": {"status": 200}}]}}})
}

/// An API server that knows VirtualServices and does what it is asked for, with the changes in their order.
fn of_hosts(writes: &Writes) -> Arc<Answer> {
    let writes = writes.clone();
    Arc::new(move |method, path, body| match method {
        &Method::GET if path.ends_with("/apis/gateway.solo.io/v1") => {
            (200, kinds("gateway.solo.io/v1", &[("VirtualService", "virtualservices", true)]))
        }
        _ if path.contains("dryRun") => (201, body),
        &Method::DELETE | &Method::PATCH => {
            let name = path.split('?').next().and_then(|path| path.rsplit('/').next());
            let change = format!("{method} {}", name.unwrap_or_default());
            writes.lock().expect("whole").push((change, body.clone()));
            let mut stored = body;
            stored["metadata"]["resourceVersion"] = "7".into();
            (200, stored)
        }
        _ => away(method, path, body),
    })
}

#[tokio::test]
async fn a_virtual_service_of_the_platform_makes_room_for_its_new_name() {
    let mut old = host("old", PLATFORM);
    old["metadata"]["resourceVersion"] = "2".into();
    let mut new = host("new", PLATFORM);
    new["metadata"].as_object_mut().expect("an object").remove("labels");
    let writes = Writes::default();
    let reconciler = reconciler(&[old], of_hosts(&writes));
    let (mut memory, settings) =
        (Memory::new(Timestamp::UNIX_EPOCH), rollout_settings(Drift::Repair));
    let job = platform_job(&[new]);
    let outcome = reconciler.pass(&job, &settings, &mut memory, &|| false, &|_| ()).await;
    let changes = writes.lock().expect("whole");
    let changes: Vec<&str> = changes.iter().map(|(change, _)| change.as_str()).collect();
    assert_eq!(changes, ["DELETE old", "PATCH new"], "{outcome:?}");
}

#[tokio::test]
async fn routes_follow_as_soon_as_the_domain_of_a_service_that_goes_is_free() {
    let mut old = host("echo", "echo");
    old["metadata"]["resourceVersion"] = "2".into();
    let writes = Writes::default();
    let reconciler = reconciler(&[old.clone()], of_hosts(&writes));
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let mut settings = rollout_settings(Drift::Repair);
    settings.timing.deadline = Duration::from_secs(600);
    let room = ObjectId::new("gateway.solo.io/v1", "VirtualService", Some("shop"), "echo");
    let routes = vec![Manifest::new(host("golf", "golf")).expect("complete")];
    let desired = Desired { routes, ..Desired::default() };
    let departing = [room.clone()].into();
    let golf = Job { desired, departing, ..job("golf", "[{prefix: /golf}]") };
    let mut pass =
        async || reconciler.pass(&golf, &settings, &mut memory, &|| false, &|_| ()).await;
    let outcome = pass().await;
    let ReconcileOutcome::Waiting { reason, .. } = &outcome else { panic!("{outcome:?}") };
    assert_eq!(*reason, Reason::PredecessorGoes(room.clone()));
    assert!(writes.lock().expect("whole").is_empty(), "it is another service's to delete");
    let hosts =
        WatchedKind::of_services().find(|kind| kind.kind == "VirtualService").expect("watched");
    reconciler.cache.receive(&hosts, Event::Delete(old));
    let outcome = pass().await;
    let changes = writes.lock().expect("whole");
    let changes: Vec<&str> = changes.iter().map(|(change, _)| change.as_str()).collect();
    assert_eq!(changes, ["PATCH golf"], "{outcome:?}");
}
