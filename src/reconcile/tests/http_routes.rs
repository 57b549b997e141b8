//! A pass over a service in the Gateway API.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::*;
use coalmine_core::kind::Kind;

/// Seconds of a clock that stands still but for this.
static SECONDS: AtomicI64 = AtomicI64::new(0);

const CANARY: &str = ", canary: {version: v2, headers: {stage: canary}}";

/// The routes of echo behind this gateway, and nothing that they need.
fn routes_of(profile: &str, canary: &str) -> Job {
    let values = format!(
        "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}{canary}, gateway: \
         {{api: gateway-api, profile: {profile}, gateways: [{{name: edge, namespace: infra}}]}}}}\n"
    );
    let files = [("services/echo.yaml".to_owned(), values.as_str().into())].into();
    let read = Repository::parse(&Tree { revision: "r".into(), files });
    let service = read.services.into_values().next().expect("one").expect("valid");
    let job =
        Job::for_service(&service, &Owner { instance: "default".into(), revision: "r".into() });
    let Desired { routes, is_staged, is_repeated, .. } = job.desired;
    Job { desired: Desired { routes, is_staged, is_repeated, ..Desired::default() }, ..job }
}

/// The object as the API server has it, with what the Gateway says about this generation.
fn stored(mut object: Value, version: u64, judged: Option<(u64, &str)>) -> Value {
    object["metadata"]["resourceVersion"] = version.to_string().into();
    object["metadata"]["generation"] = version.into();
    if let Some((generation, status)) = judged {
        let condition = |kind: &str| json!({"type": kind, "status": status, "reason": "Why", "observedGeneration": generation});
        let parent = json!({"name": "edge", "namespace": "infra"});
        let conditions = ["Accepted", "ResolvedRefs"].map(condition);
        object["status"] = json!({"parents": [{"parentRef": parent, "conditions": conditions}]});
    }
    object
}

/// Every field of the object as a whole, as server-side apply notes them.
fn fields(object: &Value) -> Value {
    let names = object.as_object().into_iter().flatten();
    names.map(|(name, _)| (format!("f:{name}"), json!({}))).collect()
}

/// An API server that keeps the HTTPRoute that is applied, and counts its versions.
fn server(route: Arc<Mutex<Value>>, version: Arc<AtomicU64>) -> Arc<Answer> {
    Arc::new(move |method: &Method, path: &str, body: Value| {
        if path.ends_with("/v1") {
            let kind = json!({"name": "httproutes", "singularName": "", "kind": "HTTPRoute",
                "namespaced": true, "verbs": ["get", "patch"]});
            let group = "gateway.networking.k8s.io/v1";
            let list =
                json!({"kind": "APIResourceList", "groupVersion": group, "resources": [kind]});
            return (200, list);
        }
        let mut known = route.lock().expect("whole");
        if *method == Method::GET {
            return (200, known.clone());
        }
        let mut body = body;
        body["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply",
            "fieldsV1": {"f:spec": fields(&body["spec"]), "f:metadata": {
                "f:labels": fields(&body["metadata"]["labels"]),
                "f:annotations": fields(&body["metadata"]["annotations"])}}}]);
        let mut written = stored(body, version.load(Ordering::Relaxed), None);
        if !path.contains("dryRun") {
            written = stored(written, version.fetch_add(1, Ordering::Relaxed) + 1, None);
            written["status"] = known["status"].clone();
            *known = written.clone();
        }
        (200, written)
    })
}

#[tokio::test]
async fn rules_come_in_stages_and_each_write_waits_for_its_own_status() {
    let (before, after) = (routes_of("envoy-gateway", ""), routes_of("envoy-gateway", CANARY));
    let routes = &before.desired.routes[0];
    let mut object = routes.object().clone();
    object["metadata"]["annotations"][APPLIED] = routes.digest().to_string().into();
    let route = Arc::new(Mutex::new(stored(object, 2, Some((2, "True")))));
    let version = Arc::new(AtomicU64::new(2));
    let mut reconciler = reconciler(&[], server(route.clone(), version.clone()));
    reconciler.clock = || Timestamp::from_second(SECONDS.load(Ordering::Relaxed)).expect("a time");
    let kind = WatchedKind::http_routes();
    reconciler.cache.receive(&kind, Event::Init);
    let first = route.lock().expect("whole").clone();
    reconciler.cache.receive(&kind, Event::InitApply(first));
    reconciler.cache.receive(&kind, Event::InitDone);
    let mut rollout_settings = rollout_settings(Drift::Ignore);
    rollout_settings.timing = Timing { deadline: Duration::MAX, settle: Duration::from_secs(60) };
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let mut pass = async |job: &Job, second: i64| {
        SECONDS.store(second, Ordering::Relaxed);
        match reconciler.pass(job, &rollout_settings, &mut memory, &|| false, &|_| ()).await {
            ReconcileOutcome::Waiting { reason, .. } => Some(reason.code()),
            ReconcileOutcome::Ready => None,
            other => panic!("{other:?}"),
        }
    };
    let rules = || route.lock().expect("whole")["spec"]["rules"].clone();
    let judged = |status: &str| {
        let mut route = route.lock().expect("whole");
        let generation = route["metadata"]["generation"].as_u64().expect("one");
        let next = version.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = stored(route.clone(), next, Some((generation, status)));
        told["metadata"]["generation"] = generation.into();
        *route = told.clone();
        reconciler.cache.record(&told);
    };
    assert_eq!(pass(&before, 0).await, None);
    // The rule comes with a match that no request fits, and waits until every proxy knows its cluster.
    assert_eq!(pass(&after, 1).await, Some(Code::WaitingForProxies));
    assert_eq!(rules()[1]["matches"][0]["headers"][0]["name"], "x-coalmine-warming");
    judged("True");
    assert_eq!(pass(&after, 2).await, Some(Code::WaitingForProxies));
    assert_eq!(pass(&after, 61).await, Some(Code::WaitingForProxies), "59 s after the status");
    // Then it gets its own, and the old status says nothing about it.
    assert_eq!(pass(&after, 62).await, Some(Code::WaitingForGateway));
    assert_eq!(rules(), after.desired.routes[0].object()["spec"]["rules"]);
    judged("True");
    assert_eq!(pass(&after, 63).await, None);
    let facts = reconciler.cache.object(routes.id()).expect("known");
    assert!(
        routes.id().is(Kind::HttpRoute)
            && facts.shares().is_some_and(|it| it.is_header_target("v2"))
    );
    // The reverse on the way back.
    assert_eq!(pass(&before, 64).await, Some(Code::WaitingForProxies));
    assert_eq!(rules()[1]["matches"][0]["headers"][0]["name"], "x-coalmine-warming");
    judged("True");
    assert_eq!(pass(&before, 65).await, Some(Code::WaitingForProxies));
    assert_eq!(pass(&before, 125).await, Some(Code::WaitingForGateway));
    assert_eq!(rules(), routes.object()["spec"]["rules"]);
    judged("True");
    assert_eq!(pass(&before, 126).await, None);
}

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// A platform's HTTPRoute on this path.
fn route(name: &str, kind: &str, path: &str, port: u16) -> Job {
    route_at("edge", name, kind, path, port)
}

fn route_at(gateway: &str, name: &str, kind: &str, path: &str, port: u16) -> Job {
    let route = json!({"apiVersion": GATEWAY_API, "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "teams"},
        "spec": {"parentRefs": [{"name": gateway, "namespace": "infra"}], "rules": [
            {"matches": [{"path": {"type": kind, "value": path}}],
            "backendRefs": [{"name": "shared", "port": port}]}]}});
    let mut job = Job { service: name.into(), ..platform_job(&[route]) };
    job.desired.routes.iter_mut().for_each(|it| it.mark("default", name, "r"));
    job.desired.tolerates_warnings = false;
    job
}

#[tokio::test]
async fn routes_wait_for_what_platform_may_bring_as_long_as_it_is_carried_out() {
    let shared = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "shared", "namespace": "teams", "resourceVersion": "1"},
        "spec": {"ports": [{"port": 80}]}});
    let reconciler = reconciler(&[shared], storing(Arc::default()));
    list_gateway_api(&reconciler, "kgateway.dev/kgateway", &[]);
    let settings = rollout_settings(Drift::Ignore);
    let pass = async |platform_comes: bool, gateway: &str, port: u16| {
        let job = route_at(gateway, "echo", "PathPrefix", "/echo", port);
        let job = Job { platform_comes, ..job };
        let (mut memory, refusals) = (Memory::new(Timestamp::UNIX_EPOCH), AtomicU64::new(0));
        let tell = |event: ReconcileEvent| {
            if matches!(event, ReconcileEvent::Refused(_)) {
                refusals.fetch_add(1, Ordering::Relaxed);
            }
        };
        match reconciler.pass(&job, &settings, &mut memory, &|| false, &tell).await {
            ReconcileOutcome::Stalled { reason, .. } | ReconcileOutcome::Waiting { reason, .. } => {
                (reason.code(), refusals.load(Ordering::Relaxed))
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pass(false, "later", 80).await, (Code::PreflightRefused, 1));
    assert_eq!(pass(true, "later", 80).await, (Code::WaitingForPlatform, 0));
    assert_eq!(pass(true, "edge", 81).await, (Code::PreflightRefused, 1), "another mistake");
}

/// Where the Gateway API's kinds are listed, those of `unread` are not.
fn list_gateway_api(reconciler: &Reconciler, controller: &str, unread: &[&str]) {
    let object = |kind: &str, namespace: &str, name: &str, spec: Value| {
        json!({"apiVersion": GATEWAY_API, "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"}})
    };
    let listener = json!({"name": "http", "port": 80, "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}}});
    let objects = [
        object("GatewayClass", "", "class", json!({"controllerName": controller})),
        object(
            "Gateway",
            "infra",
            "edge",
            json!({"gatewayClassName": "class", "listeners": [listener]}),
        ),
    ];
    for kind in WatchedKind::of_gateway_api().filter(|kind| !unread.contains(&kind.kind.as_str())) {
        reconciler.cache.receive(&kind, Event::Init);
        for object in objects.iter().filter(|object| object["kind"] == kind.kind) {
            reconciler.cache.receive(&kind, Event::InitApply(object.clone()));
        }
        reconciler.cache.receive(&kind, Event::InitDone);
    }
}

/// An API server that stores what is applied, and the names of what it stored.
fn storing(stored: Arc<Mutex<Vec<String>>>) -> Arc<Answer> {
    Arc::new(move |method: &Method, path: &str, mut body: Value| {
        if path.ends_with("/v1") {
            return (200, kinds(GATEWAY_API, &[("HTTPRoute", "httproutes", true)]));
        }
        if *method == Method::GET {
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 404,
                "status": "Failure", "reason": "NotFound", "details": {"name": "it"}});
            return (404, status);
        }
        body["metadata"]["resourceVersion"] = "5".into();
        body["metadata"]["generation"] = 1.into();
        if !path.contains("dryRun") {
            let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            stored.lock().expect("whole").push(name);
        }
        (200, body)
    })
}

#[tokio::test]
async fn what_harms_others_by_http_routes_is_refused_before_it_is_written_and_others_go_on() {
    let shared = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "shared", "namespace": "teams", "resourceVersion": "1"},
        "spec": {"ports": [{"port": 80}]}});
    let kgateway = "kgateway.dev/kgateway";
    let envoy_gateway = "gateway.envoyproxy.io/gatewayclass-controller";
    let portable = Some(gateway_api::Profile::Portable);
    for (controller, unread, profile) in [
        (kgateway, &[][..], None),
        (envoy_gateway, &[][..], None),
        // Whoever may not read Gateways judges by the profile.
        (kgateway, &["Gateway", "GatewayClass", "Namespace", "ReferenceGrant"][..], portable),
    ] {
        let written = Arc::new(Mutex::new(Vec::new()));
        let reconciler = reconciler(std::slice::from_ref(&shared), storing(written.clone()));
        list_gateway_api(&reconciler, controller, unread);
        let timing = Timing { deadline: Duration::MAX, settle: Duration::ZERO };
        let settings = rollout_settings(Drift::Ignore);
        let settings = RolloutSettings { gateway_api: profile, timing, ..settings };
        let pass = async |job: Job| {
            let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
            reconciler.pass(&job, &settings, &mut memory, &|| false, &|_| ()).await
        };
        for (words, job) in [
            ("an expression", route("regex", "RegularExpression", "/a/(?=b)", 80)),
            ("a port", route("port", "PathPrefix", "/b", 81)),
        ] {
            match pass(job).await {
                ReconcileOutcome::Stalled { reason, .. } => {
                    assert_eq!(reason.code(), Code::PreflightRefused, "{words}: {reason}");
                }
                other => panic!("{words} on {controller}: {other:?}"),
            }
        }
        let good = pass(route("good", "PathPrefix", "/c", 80)).await;
        assert!(matches!(good, ReconcileOutcome::Waiting { .. }), "{controller}: {good:?}");
        assert_eq!(*written.lock().expect("whole"), ["good"], "{controller}");
        match pass(route("taken", "PathPrefix", "/c", 80)).await {
            ReconcileOutcome::Stalled { reason, .. } => {
                assert!(reason.to_string().contains("HTTPRoute teams/good"), "{reason}");
            }
            other => panic!("the same path on {controller}: {other:?}"),
        }
    }
}

/// Seconds of the clock of the test below.
static LATER: AtomicI64 = AtomicI64::new(0);

#[tokio::test]
async fn a_route_that_the_gateway_has_missed_is_written_again_until_it_has_a_status() {
    let job = routes_of("portable", "");
    let id = job.desired.routes[0].id().clone();
    let (route, version) = (Arc::new(Mutex::new(Value::Null)), Arc::new(AtomicU64::new(0)));
    let mut reconciler = reconciler(&[], server(route.clone(), version.clone()));
    reconciler.clock = || Timestamp::from_second(LATER.load(Ordering::Relaxed)).expect("a time");
    let kind = WatchedKind::http_routes();
    reconciler.cache.receive(&kind, Event::Init);
    reconciler.cache.receive(&kind, Event::InitDone);
    let mut rollout_settings = rollout_settings(Drift::Repair);
    rollout_settings.timing =
        Timing { deadline: Duration::from_secs(10), settle: Duration::from_secs(1) };
    let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
    let tell = |event: ReconcileEvent| assert!(!matches!(event, ReconcileEvent::Drift(_)));
    let mut pass = async |second: i64| {
        LATER.store(second, Ordering::Relaxed);
        let outcome = reconciler.pass(&job, &rollout_settings, &mut memory, &|| false, &tell).await;
        (outcome, version.load(Ordering::Relaxed))
    };
    let second = |second: i64| Timestamp::from_second(second).expect("in range");
    let filters = || route.lock().expect("whole")["spec"]["rules"][0].get("filters").cloned();
    // It is written, and written again after 2, 4 and 8 seconds.
    for (now, next, writes, list) in [
        (0, 2, 1, None),
        (1, 2, 1, None),
        (2, 4, 2, Some(json!([]))),
        (3, 4, 2, Some(json!([]))),
        (4, 8, 3, None),
        (7, 8, 3, None),
        (8, 10, 4, Some(json!([]))),
    ] {
        match pass(now).await {
            (ReconcileOutcome::Waiting { reason, until }, written) => {
                assert_eq!((reason.code(), written), (Code::WaitingForGateway, writes), "{now}");
                assert_eq!(until, Some(second(next)), "{now}");
            }
            other => panic!("{now}: {other:?}"),
        }
        assert_eq!(filters(), list, "{now}");
    }
    // The deadline ends it.
    let (outcome, written) = pass(10).await;
    assert!(matches!(outcome, ReconcileOutcome::Stalled { retry: Retry::Never, .. }));
    assert_eq!(written, 4);
    // A status is welcome even so, and the route stays as it is spelt.
    let generation = route.lock().expect("whole")["metadata"]["generation"].as_u64().expect("one");
    let told = stored(route.lock().expect("whole").clone(), 9, Some((generation, "True")));
    let mut told = told;
    told["metadata"]["generation"] = generation.into();
    reconciler.cache.record(&told);
    assert!(reconciler.cache.object(&id).is_some_and(|facts| facts.verdict().is_some()));
    assert_eq!(pass(11).await, (ReconcileOutcome::Ready, 4));
}
