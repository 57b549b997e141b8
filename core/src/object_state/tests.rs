use super::*;
use crate::labels::{FIELD_MANAGER, KEEP};

/// Our entry in an object's managed fields, with the time of our last apply.
fn applied_by_us() -> Value {
    json!({"manager": FIELD_MANAGER, "operation": "Apply", "time": "2026-01-02T03:04:05Z",
        "fieldsV1": {"f:spec": {}}})
}

/// Gloo's entry: it wrote the status a minute later.
fn written_by_gloo() -> Value {
    json!({"manager": "gloo", "operation": "Update", "subresource": "status",
        "time": "2026-01-02T03:05:05Z", "fieldsV1": {"f:status": {}}})
}

/// An object of this kind as the API server shows it: the service echo's, of the instance `main`.
fn ours(api_version: &str, kind: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "spec": spec, "metadata": {
        "name": "echo", "namespace": "shop", "uid": "u-1", "resourceVersion": "7",
        "labels": {INSTANCE: "main", SERVICE: "echo"}, "annotations": {APPLIED: "abc"},
        "managedFields": [applied_by_us(), written_by_gloo()]}})
}

fn facts(object: &Value) -> Facts {
    Facts::of(object, "main", "gloo-system")
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");
const UPSTREAM: (&str, &str) = ("gloo.solo.io/v1", "Upstream");
const ROUTE_TABLE: (&str, &str) = ("gateway.solo.io/v1", "RouteTable");
const VIRTUAL_SERVICE: (&str, &str) = ("gateway.solo.io/v1", "VirtualService");

#[test]
fn an_object_belongs_to_whom_its_labels_name() {
    let labelled = |labels: Value| json!({"metadata": {"labels": labels}});
    let on = |object: &Value| Claim::on(object, "main");
    let own = labelled(json!({INSTANCE: "main", SERVICE: "echo"}));
    assert_eq!(on(&own), Claim::Ours("echo".into()));
    assert_eq!(on(&labelled(json!({INSTANCE: "main"}))), Claim::Ours("".into()));
    let other = labelled(json!({INSTANCE: "other", SERVICE: "echo"}));
    assert_eq!(on(&other), Claim::Instance("other".into()));
    assert_eq!(on(&labelled(json!({SERVICE: "echo"}))), Claim::Nobody);
    assert_eq!(on(&json!({})), Claim::Nobody);
    let mut made_by_a_controller = own.clone();
    made_by_a_controller["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet"}]);
    assert_eq!(on(&made_by_a_controller), Claim::Nobody);
    let mut lapsed = labelled(json!({}));
    lapsed["metadata"]["managedFields"] = json!([applied_by_us()]);
    assert_eq!(on(&lapsed), Claim::Lapsed);
    lapsed["metadata"]["managedFields"] = json!([written_by_gloo()]);
    assert_eq!(on(&lapsed), Claim::Nobody);
}

#[test]
fn each_kind_tells_what_decisions_need_of_it() {
    let detail = |(api_version, kind): (&str, &str), spec: Value| {
        facts(&ours(api_version, kind, spec)).detail
    };
    let replicas = |spec: Value| match detail(DEPLOYMENT, spec) {
        Detail::Deployment { replicas, .. } => replicas,
        other => panic!("no Deployment: {other:?}"),
    };
    assert_eq!((replicas(json!({"replicas": 3})), replicas(json!({}))), (3, 1));
    let service = |spec: Value| detail(("v1", "Service"), spec);
    let ports = json!({"ports": [{"port": 80}, {"port": 90}]});
    assert_eq!(service(ports), Detail::Service { port: Some(80) });
    assert_eq!(service(json!({})), Detail::Service { port: None });
    let kept_apart = json!({"kube": {"subsetSpec": {"fallbackPolicy": "NO_FALLBACK"}}});
    let upstream = |falls_back: bool| Detail::Upstream { verdict: None, falls_back };
    assert_eq!(detail(UPSTREAM, kept_apart), upstream(false));
    let any = json!({"kube": {"subsetSpec": {"fallbackPolicy": "ANY_ENDPOINT"}}});
    assert_eq!(detail(UPSTREAM, any), upstream(true));
    assert_eq!(detail(UPSTREAM, json!({})), upstream(true));
    assert_eq!(detail(("v1", "ConfigMap"), json!({})), Detail::Other);
    assert_eq!(detail(("example.com/v1", "Deployment"), json!({})), Detail::Other);
}

#[test]
fn only_our_own_routes_tell_who_gets_the_requests() {
    let to = json!({"single": {"upstream": {"name": "echo-v2", "namespace": "shop"}}});
    let routes = json!([{"matchers": [{"prefix": "/"}], "routeAction": to}]);
    let table = ours(ROUTE_TABLE.0, ROUTE_TABLE.1, json!({"routes": routes}));
    let host = json!({"virtualHost": {"routes": routes}});
    let host = ours(VIRTUAL_SERVICE.0, VIRTUAL_SERVICE.1, host);
    let expected: Shares = [("v2", 100)].into_iter().collect();
    let expected = expected.with_primary("v2");
    for object in [&table, &host] {
        assert_eq!(facts(object).shares(), Some(&expected));
        let other_instance = Facts::of(object, "other", "gloo-system");
        assert_eq!(other_instance.shares(), Some(&Shares::default()));
    }
    let upstream = facts(&ours(UPSTREAM.0, UPSTREAM.1, json!({})));
    assert_eq!(upstream.shares(), None);
}

#[test]
fn the_verdict_is_that_of_our_gloo_for_kinds_that_get_one() {
    let verdict = |(api_version, kind): (&str, &str), gloo: &str| {
        let mut object = ours(api_version, kind, json!({}));
        object["status"] = json!({"statuses": {gloo: {"state": "Accepted"}}});
        facts(&object).verdict().cloned()
    };
    for kind in [UPSTREAM, ROUTE_TABLE, VIRTUAL_SERVICE] {
        assert_eq!(verdict(kind, "gloo-system"), Some(Verdict::Accepted));
        assert_eq!(verdict(kind, "elsewhere"), None);
    }
    assert_eq!(verdict(DEPLOYMENT, "gloo-system"), None);
}

#[test]
fn what_others_own_has_no_digest_and_no_time() {
    let object = ours(UPSTREAM.0, UPSTREAM.1, json!({"kube": {}}));
    let nothing = Digest::of(&Value::Null);
    let own = facts(&object);
    assert_eq!(own.owned, Digest::of_live(&object));
    assert_ne!(own.owned, nothing);
    assert_eq!(own.changed_at, time("2026-01-02T03:05:05Z"), "Gloo wrote last");
    let theirs = Facts::of(&object, "other", "gloo-system");
    assert_eq!((theirs.owned, theirs.changed_at), (nothing, None));
    let mut lapsed = object;
    lapsed["metadata"]["labels"] = json!({});
    assert_eq!(facts(&lapsed).owned, Digest::of_live(&lapsed));
    let deployment = facts(&ours(DEPLOYMENT.0, DEPLOYMENT.1, json!({})));
    assert_eq!(deployment.changed_at, time("2026-01-02T03:05:05Z"));
    let table = facts(&ours(ROUTE_TABLE.0, ROUTE_TABLE.1, json!({})));
    assert_eq!(table.changed_at, None, "nothing waits by a table's time");
}

#[test]
fn metadata_is_kept_as_far_as_decisions_need_it() {
    let mut object = ours("v1", "Service", json!({}));
    let before = facts(&object);
    assert_eq!((&*before.uid, before.version), ("u-1", 7));
    assert_eq!(before.applied.as_deref(), Some("abc"));
    assert!(before.keep.is_none() && !before.terminating);
    object["metadata"]["annotations"] = json!({KEEP: "true"});
    object["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z".into();
    let after = facts(&object);
    assert!(after.keep == Some(true) && after.terminating && after.applied.is_none());
    object["metadata"]["annotations"][KEEP] = "false".into();
    assert_eq!(facts(&object).keep, Some(false));
}

#[test]
fn a_newer_version_alone_says_the_same() {
    let object = ours("v1", "Service", json!({"ports": [{"port": 80}]}));
    let mut newer = object.clone();
    newer["metadata"]["resourceVersion"] = "8".into();
    let (one, other) = (facts(&object), facts(&newer));
    assert!(one.says_the_same(&other) && one != other);
    newer["spec"]["ports"][0]["port"] = 81.into();
    assert!(!one.says_the_same(&facts(&newer)));
}

#[test]
fn routing_rests_on_labels_and_spec_of_some_kinds() {
    let table = ours(ROUTE_TABLE.0, ROUTE_TABLE.1, json!({"routes": []}));
    let routing = |object: &Value| facts(object).routing;
    assert!(routing(&table).is_some());
    let mut other = table.clone();
    other["metadata"]["annotations"] = json!({});
    other["status"] = json!({"statuses": {}});
    assert_eq!(routing(&other), routing(&table));
    other["metadata"]["labels"]["group"] = "a".into();
    assert_ne!(routing(&other), routing(&table));
    let mut other = table.clone();
    other["spec"]["weight"] = 1.into();
    assert_ne!(routing(&other), routing(&table));
    assert_eq!(routing(&ours(DEPLOYMENT.0, DEPLOYMENT.1, json!({}))), None);
}

#[test]
fn a_pod_is_known_by_its_version_and_its_readiness() {
    let pod = json!({"metadata": {"name": "echo-v2-x", "labels": {"version": "v2"}},
        "status": {"conditions": [{"type": "Ready", "status": "True",
            "lastTransitionTime": "2026-01-02T03:04:05Z"}]}});
    let ready = PodFacts {
        name: "echo-v2-x".into(),
        version: "v2".into(),
        ready_since: time("2026-01-02T03:04:05Z"),
        trouble: None,
        ..PodFacts::default()
    };
    assert_eq!(PodFacts::of(&pod), ready);
    let waiting = json!({"metadata": {"name": "echo-v2-x"}, "status": {"containerStatuses": [
        {"state": {"waiting": {"reason": "ErrImagePull"}}}]}});
    let facts = PodFacts::of(&waiting);
    assert_eq!((&*facts.version, facts.ready_since), ("", None));
    assert_eq!(facts.trouble.map(|it| it.cause), Some(health::Cause::Image));
}

#[test]
fn the_ready_pods_of_endpoints_are_those_with_a_name() {
    let named = |name: &str| json!({"ip": "10.0.0.1", "targetRef": {"kind": "Pod", "name": name}});
    let endpoints = json!({"subsets": [
        {"addresses": [named("a"), {"ip": "10.0.0.9"}], "notReadyAddresses": [named("late")]},
        {"notReadyAddresses": [named("later")]},
        {"addresses": [named("b")]}]});
    let expected = ["a", "b"].map(Arc::from);
    assert_eq!(ready_addresses(&endpoints), BTreeSet::from(expected));
    assert_eq!(ready_addresses(&json!({"subsets": null})), BTreeSet::new());
}

#[test]
fn an_object_without_a_version_is_newer_than_any() {
    let of = |version: Value| super::version(&json!({"metadata": {"resourceVersion": version}}));
    assert_eq!(of("12".into()), 12);
    assert_eq!((of("".into()), of(12.into()), of(Value::Null)), (u64::MAX, u64::MAX, u64::MAX));
}

#[test]
fn an_object_is_named_with_its_namespace_if_it_has_one() {
    let object = json!({"metadata": {"namespace": "shop", "name": "echo"}});
    let expected = ObjectId::new("v1", "Service", Some("shop"), "echo");
    assert_eq!(identify(&object, "v1", "Service"), expected);
    let namespace = json!({"metadata": {"name": "shop"}});
    assert_eq!(identify(&namespace, "v1", "Namespace").to_string(), "Namespace shop");
}

#[test]
fn an_http_route_of_ours_keeps_its_rules_and_its_verdict_at_the_present_generation() {
    let rules = json!([{"backendRefs": [{"name": "echo-v1"}]}]);
    let mut route = ours(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        json!({"parentRefs": [{"name": "edge"}], "rules": rules}),
    );
    route["metadata"]["generation"] = 2.into();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": 2});
    let conditions = ["Accepted", "ResolvedRefs"].map(condition);
    route["status"] =
        json!({"parents": [{"parentRef": {"name": "edge"}, "conditions": conditions}]});
    let seen = facts(&route);
    assert_eq!(seen.verdict(), Some(&Verdict::Accepted));
    assert_eq!(seen.shares().and_then(|shares| shares.get("v1")), Some(100));
    assert_eq!(seen.http_route.map(|route| json!(route.rules)), Some(rules));
    assert_eq!(seen.routing, None, "Gloo reads none");
    route["metadata"]["generation"] = 3.into();
    assert_eq!(facts(&route).verdict(), None);
    route["metadata"]["labels"] = json!({});
    route["metadata"]["managedFields"] = json!([]);
    assert_eq!(
        (facts(&route).http_route, facts(&route).shares().cloned()),
        (None, Some(Shares::default()))
    );
}
