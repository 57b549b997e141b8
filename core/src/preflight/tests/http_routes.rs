//! Harm by HTTPRoutes, on kgateway and on Envoy Gateway.

use super::*;

/// The controllers of the GatewayClasses.
pub(super) const KGATEWAY: &str = "kgateway.dev/kgateway";
pub(super) const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io/gatewayclass-controller";
pub(in crate::preflight) const BOTH: [&str; 2] = [KGATEWAY, ENVOY_GATEWAY];

const OLD: &str = "2026-01-01T00:00:00Z";

/// A GatewayClass of the implementation, and a Gateway that takes routes of every namespace.
pub(in crate::preflight) fn gateway(controller: &str) -> Vec<Value> {
    vec![
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
            "metadata": {"name": "class"}, "spec": {"controllerName": controller}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "edge", "namespace": "infra", "creationTimestamp": OLD},
            "spec": {"gatewayClassName": "class", "listeners": [{"name": "http", "port": 80,
                "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}),
    ]
}

pub(super) fn route(name: &str, rules: Value) -> Value {
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": name},
        "spec": {"parentRefs": [{"name": "edge", "namespace": "infra"}], "rules": rules}})
}

/// The route as it is in a cluster.
pub(in crate::preflight) fn live(mut route: Value) -> Value {
    route["metadata"]["creationTimestamp"] = json!(OLD);
    route
}

pub(super) fn rule(name: &str, path: &str) -> Value {
    json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [{"name": name, "port": 80}]})
}

/// A service with this HTTPRoute.
pub(super) fn of(name: &str, routes: Value) -> ProposedChange {
    let desired = Desired {
        workloads: vec![manifest(service(name))],
        routes: vec![manifest(routes)],
        ..Desired::default()
    };
    ProposedChange { service: name.into(), desired, ..ProposedChange::default() }
}

/// A Gateway with the route of foxtrot.
fn with_foxtrot(controller: &str) -> Vec<Value> {
    let foxtrot =
        [service("foxtrot"), live(route("foxtrot", json!([rule("foxtrot", "/foxtrot")])))];
    gateway(controller).into_iter().chain(foxtrot).collect()
}

pub(in crate::preflight) fn snapshot(objects: &[Value]) -> gateway_api::Snapshot {
    let mut snapshot = http_route_snapshot();
    objects.iter().for_each(|object| assert!(snapshot.upsert(object), "{object}"));
    snapshot
}

pub(super) fn baseline(objects: &[Value]) -> Baseline {
    Baseline::new(Snapshot::default()).beside(snapshot(objects), None)
}

fn judge(objects: &[Value], change: &ProposedChange) -> Result<Prediction, Refusal> {
    baseline(objects).check(&[change.change()]).pop().expect("one verdict")
}

/// The rule of echo's with this put into it.
fn echo_with(more: Value) -> Value {
    let mut rule = rule("echo", "/echo");
    let more = more.as_object().cloned().expect("an object");
    rule.as_object_mut().expect("an object").extend(more);
    json!([rule])
}

fn on_path(kind: &str, value: &str) -> Value {
    echo_with(json!({"matches": [{"path": {"type": kind, "value": value}}]}))
}

fn long_expression() -> String {
    let words: Vec<String> =
        (1..=40).map(|number| format!("{:08x}", 2_654_435_761_u32.wrapping_mul(number))).collect();
    format!("/echo/({})", words.join("|"))
}

fn removing(name: &str) -> Value {
    echo_with(json!({"filters": [{"type": "RequestHeaderModifier",
        "requestHeaderModifier": {"remove": [name]}}]}))
}

/// What is wrong in echo's rules, by name, and whether it freezes kgateway and Envoy Gateway.
fn mistakes() -> Vec<(&'static str, Value, [Option<bool>; 2])> {
    let percent = echo_with(json!({"filters": [{"type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "x-share", "value": "100%"}]}}]}));
    let backend = |more: Value| {
        let mut backend = json!({"name": "echo", "port": 80});
        let more = more.as_object().cloned().expect("an object");
        backend.as_object_mut().expect("an object").extend(more);
        backend
    };
    let backends = |all: Value| echo_with(json!({"backendRefs": all}));
    let (freezes, harms_itself) = (Some(true), Some(false));
    vec![
        ("bad regex", on_path("RegularExpression", "/echo/(?=a)"), [freezes, harms_itself]),
        ("long regex", on_path("RegularExpression", &long_expression()), [freezes, None]),
        ("percent", percent, [freezes, freezes]),
        ("Host", removing("Host"), [freezes, harms_itself]),
        (
            "missing Service",
            backends(json!([backend(json!({"name": "none"}))])),
            [harms_itself, harms_itself],
        ),
        (
            "wrong port",
            backends(json!([backend(json!({"port": 81}))])),
            [harms_itself, harms_itself],
        ),
        (
            "no grant",
            backends(json!([backend(json!({"name": "foxtrot", "namespace": "foxtrot"}))])),
            [harms_itself, harms_itself],
        ),
        (
            "no weight",
            backends(json!([backend(json!({"weight": 0})), backend(json!({"weight": 0}))])),
            [harms_itself, harms_itself],
        ),
    ]
}

#[test]
fn a_mistake_that_harms_somebody_is_refused_by_name_and_freezes_are_told_apart() {
    for (name, rules, by_implementation) in mistakes() {
        for (controller, expected) in BOTH.into_iter().zip(by_implementation) {
            let verdict =
                judge(&with_foxtrot(controller), &of("echo", route("echo", rules.clone())));
            let Some(freezes) = expected else {
                assert_eq!(verdict, Ok(Prediction::default()), "{name} on {controller}");
                continue;
            };
            let refusal = verdict.expect_err(name);
            let is_freeze = matches!(refusal, Refusal::WholeConfiguration { .. });
            assert_eq!(is_freeze, freezes, "{name} on {controller}: {refusal}");
            assert_eq!(refusal.object().to_string(), "HTTPRoute echo/echo", "{name}");
        }
    }
}

#[test]
fn a_good_change_is_admitted_beside_one_that_is_refused() {
    for controller in BOTH {
        let objects = with_foxtrot(controller);
        let bad = of("echo", route("echo", mistakes().remove(2).1));
        let good = of("golf", route("golf", json!([rule("golf", "/golf")])));
        let verdicts = baseline(&objects).check(&[bad.change(), good.change()]);
        assert!(matches!(verdicts[0], Err(Refusal::WholeConfiguration { .. })), "{verdicts:?}");
        assert_eq!(verdicts[1], Ok(Prediction::default()), "{controller}");
    }
}

#[test]
fn a_service_may_come_change_and_go() {
    for controller in BOTH {
        let mut objects = with_foxtrot(controller);
        let route_of_echo = route("echo", json!([rule("echo", "/echo")]));
        let come = of("echo", route_of_echo.clone());
        assert_eq!(judge(&objects, &come), Ok(Prediction::default()), "{controller}");
        objects.extend([service("echo"), live(route_of_echo.clone())]);
        let mut canary = rule("echo", "/echo");
        canary["matches"][0]["headers"] = json!([{"name": "stage", "value": "canary"}]);
        let change = of("echo", route("echo", json!([rule("echo", "/echo"), canary])));
        assert_eq!(judge(&objects, &change), Ok(Prediction::default()), "{controller}");
        let going = ProposedChange { service: "echo".into(), ..ProposedChange::default() };
        let going = going.without(&[route_of_echo, service("echo")]);
        assert_eq!(judge(&objects, &going), Ok(Prediction::default()), "{controller}");
    }
}

#[test]
fn requests_of_another_service_are_not_taken() {
    let header = json!({"path": {"type": "PathPrefix", "value": "/foxtrot"},
        "headers": [{"name": "stage", "value": "canary"}]});
    for (name, matcher, ours_is_first) in [
        (
            "the same match of a younger route",
            json!({"path": {"type": "PathPrefix", "value": "/foxtrot"}}),
            false,
        ),
        ("a header", header, true),
        ("an expression", json!({"path": {"type": "RegularExpression", "value": "/.*"}}), true),
        ("the very path", json!({"path": {"type": "Exact", "value": "/foxtrot"}}), true),
    ] {
        for controller in BOTH {
            let rules = echo_with(json!({"matches": [matcher]}));
            let verdict = judge(&with_foxtrot(controller), &of("echo", route("echo", rules)));
            let Err(Refusal::Conflict(conflict)) = verdict else {
                panic!("{name} on {controller}: {verdict:?}");
            };
            assert_eq!(conflict.ours_is_first, ours_is_first, "{name} on {controller}");
            assert_eq!(conflict.owner.to_string(), "HTTPRoute foxtrot/foxtrot", "{name}");
        }
    }
}

#[test]
fn age_decides_whose_requests_they_are() {
    for controller in BOTH {
        let mut objects = with_foxtrot(controller);
        let mut older = route("echo", json!([rule("echo", "/echo")]));
        older["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        objects.extend([service("echo"), older]);
        let change = of("echo", route("echo", json!([rule("echo", "/foxtrot")])));
        let verdict = judge(&objects, &change);
        let Err(Refusal::Conflict(conflict)) = verdict else { panic!("{controller}: {verdict:?}") };
        assert!(conflict.ours_is_first, "{controller}: {conflict}");
    }
}

#[test]
fn a_longer_path_may_be_carved_out_of_a_shorter_one_and_a_host_of_nobody_too() {
    for controller in BOTH {
        let below = of("echo", route("echo", json!([rule("echo", "/foxtrot/echo")])));
        assert_eq!(judge(&with_foxtrot(controller), &below), Ok(Prediction::default()));
        let beside = of("echo", route("echo", json!([rule("echo", "/foxtrots")])));
        assert_eq!(judge(&with_foxtrot(controller), &beside), Ok(Prediction::default()));
        let mut host = route("echo", json!([rule("echo", "/")]));
        host["spec"]["hostnames"] = json!(["echo.example"]);
        assert_eq!(judge(&with_foxtrot(controller), &of("echo", host)), Ok(Prediction::default()));
    }
}

#[test]
fn a_host_below_the_wildcard_of_another_is_not_taken() {
    for controller in BOTH {
        let mut foxtrot = live(route("foxtrot", json!([rule("foxtrot", "/")])));
        foxtrot["spec"]["hostnames"] = json!(["*.example"]);
        let objects: Vec<Value> =
            gateway(controller).into_iter().chain([service("foxtrot"), foxtrot]).collect();
        let mut host = route("echo", json!([rule("echo", "/")]));
        host["spec"]["hostnames"] = json!(["echo.example"]);
        let refusal = judge(&objects, &of("echo", host)).expect_err(controller);
        assert!(matches!(&refusal, Refusal::Domain { wildcard, .. } if wildcard == "*.example"));
    }
}

/// A parent HTTPRoute of the platform that selects children by a label.
fn parent(label: &str) -> Value {
    let mut parent = route(
        "platform",
        json!([{
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"group": "delegation.kgateway.dev", "kind": "label", "name": label,
            "namespace": "all"}]}]),
    );
    parent["metadata"]["name"] = json!("apis");
    parent
}

fn child(name: &str, label: &str) -> Value {
    let mut child = route(name, json!([rule(name, &format!("/{name}"))]));
    child["metadata"]["labels"] = json!({"delegation.kgateway.dev/label": label});
    child["spec"].as_object_mut().expect("an object").remove("parentRefs");
    child
}

#[test]
fn a_child_that_no_parent_selects_is_refused() {
    let parent = [live(parent("apis"))];
    let objects: Vec<Value> = gateway(KGATEWAY).into_iter().chain(parent).collect();
    let change = of("echo", child("echo", "apis"));
    assert_eq!(judge(&objects, &change), Ok(Prediction::default()));
    let refusal = judge(&objects, &of("echo", child("echo", "other"))).expect_err("unselected");
    assert!(matches!(refusal, Refusal::Unattached { missing: None, .. }), "{refusal}");
}

#[test]
fn a_parent_may_not_lose_the_child_of_another_owner() {
    let golf = [service("golf"), live(child("golf", "other"))];
    let foxtrot = [service("foxtrot"), live(child("foxtrot", "apis")), live(parent("apis"))];
    let objects: Vec<Value> = gateway(KGATEWAY).into_iter().chain(foxtrot).chain(golf).collect();
    let refusal = judge(&objects, &platform(parent("other"))).expect_err("lost");
    assert!(matches!(refusal, Refusal::RouteChanged { .. } | Refusal::Unattached { .. }));
    assert_eq!(refusal.object().to_string(), "HTTPRoute foxtrot/foxtrot", "{refusal}");
    let refusal = judge(&objects, &platform(parent("none"))).expect_err("lost");
    assert!(refusal.to_string().contains("unresolved reference"), "{refusal}");
}

#[test]
fn a_route_to_a_gateway_that_is_not_there_is_refused_and_one_of_another_implementation_is_not_judged()
 {
    for controller in BOTH {
        let mut lost = route("echo", json!([rule("echo", "/echo")]));
        lost["spec"]["parentRefs"][0]["name"] = json!("none");
        let refusal = judge(&with_foxtrot(controller), &of("echo", lost)).expect_err(controller);
        assert!(refusal.to_string().contains("Gateway infra/none is not there"), "{refusal}");
    }
    let objects = with_foxtrot("example.org/another");
    let bad = of("echo", route("echo", mistakes().remove(0).1));
    assert_eq!(judge(&objects, &bad), Ok(Prediction::default()));
    let baseline = baseline(&objects);
    let notes: Vec<String> = baseline.notes().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        ["HTTPRoute foxtrot/foxtrot: what Gateway infra/edge makes of it is not judged: its \
          implementation is not modelled"]
    );
}

#[test]
fn what_the_api_server_would_not_take_is_refused() {
    let rules: Vec<Value> = (0..17).map(|at| rule("echo", &format!("/echo/{at}"))).collect();
    for controller in BOTH {
        let change = of("echo", route("echo", json!(rules)));
        let refusal = judge(&with_foxtrot(controller), &change).expect_err("17 rules");
        assert!(matches!(refusal, Refusal::NotAdmitted { .. }), "{refusal}");
        let change = of("echo", route("echo", json!(rules[..16])));
        assert_eq!(judge(&with_foxtrot(controller), &change), Ok(Prediction::default()));
    }
}

#[test]
fn a_service_that_another_one_leads_to_may_not_go_or_lose_its_port() {
    for controller in BOTH {
        let going = ProposedChange { service: "echo".into(), ..ProposedChange::default() };
        let going = going.without(&[service("foxtrot")]);
        let refusal = judge(&with_foxtrot(controller), &going).expect_err(controller);
        assert_eq!(refusal.object().to_string(), "HTTPRoute foxtrot/foxtrot", "{refusal}");
    }
}

#[test]
fn a_frozen_gateway_holds_up_routes_and_nothing_else_and_its_repair_is_admitted() {
    for controller in BOTH {
        let mut objects = with_foxtrot(controller);
        let percent = mistakes().remove(2).1;
        objects.extend([service("echo"), live(route("echo", percent))]);
        let baseline = baseline(&objects);
        let broken = baseline.broken();
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert_eq!(broken[0].rule, Rule::Refused);
        assert!(matches!(&broken[0].blocks, Blocks::Gateway(it) if it.name == "edge"));
        let check = |change: &ProposedChange| {
            baseline.check(&[change.change()]).pop().expect("one verdict").expect("admitted")
        };
        let golf = check(&of("golf", route("golf", json!([rule("golf", "/golf")]))));
        let Some(Blocker::Frozen { object, .. }) = golf.blocked_by else { panic!("{controller}") };
        assert_eq!(object.to_string(), "HTTPRoute echo/echo");
        let repair = check(&of("echo", route("echo", json!([rule("echo", "/echo")]))));
        assert_eq!(repair.blocked_by, None, "{controller}");
        let mut backends = of("golf", service("golf"));
        backends.desired =
            Desired { workloads: vec![manifest(service("golf"))], ..Desired::default() };
        assert_eq!(check(&backends).blocked_by, None, "{controller}");
    }
}

#[test]
pub(super) fn of_two_changes_that_want_the_same_requests_the_first_has_them() {
    for controller in BOTH {
        let wish = |name: &str| of(name, route(name, json!([rule(name, "/same")]))).change();
        let verdicts = baseline(&with_foxtrot(controller)).check(&[wish("echo"), wish("golf")]);
        assert_eq!(verdicts[0], Ok(Prediction::default()), "{controller}");
        assert!(matches!(verdicts[1], Err(Refusal::Conflict(_))), "{verdicts:?}");
    }
}

#[test]
fn what_somebody_else_is_about_to_delete_is_not_relied_on() {
    for controller in BOTH {
        let mut objects = gateway(controller);
        objects.push(service("foxtrot"));
        let grant = json!({"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"name": "all", "namespace": "foxtrot"},
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute",
                "namespace": "echo"}], "to": [{"group": "", "kind": "Service"}]}});
        objects.push(grant);
        let going = ProposedChange { service: "foxtrot".into(), ..ProposedChange::default() };
        let going = going.without(&[service("foxtrot")]);
        let mut relying = rule("foxtrot", "/echo");
        relying["backendRefs"][0]["namespace"] = json!("foxtrot");
        let relying = of("echo", route("echo", json!([relying])));
        let baseline = baseline(&objects).with(&[going.change()]);
        let verdict = baseline.check(&[relying.change()]).pop().expect("one verdict");
        assert!(matches!(verdict, Err(Refusal::Leaving { .. })), "{controller}: {verdict:?}");
    }
}

/// Only so much of the objects as somebody may read: HTTPRoutes and Services of the namespaces that services are in.
fn some(objects: &[Value]) -> gateway_api::Snapshot {
    let mut snapshot = http_route_snapshot().of_what_is_read();
    let own = objects
        .iter()
        .filter(|it| ["HTTPRoute", "Service"].contains(&it["kind"].as_str().unwrap_or_default()));
    own.for_each(|object| assert!(snapshot.upsert(object), "{object}"));
    for namespace in ["echo", "foxtrot", "golf"] {
        for kind in ["HTTPRoute", "Service", "Gateway"] {
            snapshot.read(kind, namespace);
        }
    }
    for namespace in ["echo", "golf"] {
        snapshot.read("ReferenceGrant", namespace);
    }
    snapshot
}

#[test]
fn by_the_profile_mistakes_are_refused_although_the_gateway_was_not_read() {
    let profiles = [gateway_api::Profile::Portable, gateway_api::Profile::EnvoyGateway];
    for (controller, profile) in BOTH.into_iter().zip(profiles) {
        let baseline = Baseline::new(Snapshot::default())
            .beside(some(&with_foxtrot(controller)), Some(profile));
        let judge = |change: &ProposedChange| {
            baseline.check(&[change.change()]).pop().expect("one verdict")
        };
        for (name, rules, by_implementation) in mistakes() {
            let at = usize::from(controller == ENVOY_GATEWAY);
            // Whether somebody may use what is in another namespace nobody has read.
            let is_known = by_implementation[at].is_some() && name != "no grant";
            let verdict = judge(&of("echo", route("echo", rules)));
            assert_eq!(verdict.is_err(), is_known, "{name} on {controller}: {verdict:?}");
        }
        let taken = judge(&of("echo", route("echo", json!([rule("echo", "/foxtrot")]))));
        assert!(matches!(taken, Err(Refusal::Conflict(_))), "{taken:?}");
        let good = judge(&of("golf", route("golf", json!([rule("golf", "/golf")]))));
        assert_eq!(good, Ok(Prediction::default()), "{controller}");
        let child = judge(&of("golf", child("golf", "apis")));
        assert_eq!(child, Ok(Prediction::default()), "a parent may be where nobody has looked");
        let notes: Vec<String> = baseline.notes().map(ToString::to_string).collect();
        assert!(notes[0].contains("Gateway infra/edge was not read"), "{notes:?}");
    }
}

#[test]
fn what_nobody_has_read_is_no_mistake_where_the_profile_is_not_known_either() {
    for controller in BOTH {
        let baseline =
            Baseline::new(Snapshot::default()).beside(some(&with_foxtrot(controller)), None);
        for (name, rules, _) in mistakes() {
            let change = of("echo", route("echo", rules));
            let verdict = baseline.check(&[change.change()]).pop().expect("one verdict");
            assert_eq!(verdict, Ok(Prediction::default()), "{name} on {controller}");
        }
        let notes: Vec<String> = baseline.notes().map(ToString::to_string).collect();
        assert!(notes[0].ends_with("is not judged: it was not read"), "{notes:?}");
    }
}

#[test]
fn a_gateway_whose_class_was_not_read_is_judged_by_the_profile() {
    let mut snapshot = http_route_snapshot().of_what_is_read();
    for object in with_foxtrot(KGATEWAY).iter().filter(|it| it["kind"] != "GatewayClass") {
        assert!(snapshot.upsert(object));
    }
    for kind in ["HTTPRoute", "Service", "Gateway", "ReferenceGrant"] {
        snapshot.know(kind);
    }
    let bad = of("echo", route("echo", mistakes().remove(0).1)).change();
    let judge = |profile| {
        let baseline = Baseline::new(Snapshot::default()).beside(snapshot.clone(), profile);
        baseline.check(&[Arc::clone(&bad)]).pop().expect("one verdict")
    };
    let frozen = judge(Some(gateway_api::Profile::Portable));
    assert!(matches!(frozen, Err(Refusal::WholeConfiguration { .. })), "{frozen:?}");
    assert_eq!(judge(None), Ok(Prediction::default()));
}

#[test]
fn what_an_admitted_change_does_is_expected_and_nothing_else() {
    for controller in BOTH {
        let before = snapshot(&with_foxtrot(controller));
        let change = of("echo", route("echo", json!([rule("echo", "/echo")]))).change();
        let with = |objects: &[Value]| {
            let mut after = before.clone();
            objects.iter().for_each(|object| assert!(after.upsert(object)));
            http_routes_are_expected(&before, &after, std::slice::from_ref(&change))
        };
        let own = live(route("echo", json!([rule("echo", "/echo")])));
        assert!(with(&[]) && with(&[service("echo")]) && with(&[service("echo"), own.clone()]));
        let mut edited = own;
        edited["spec"]["rules"][0]["matches"][0]["path"]["value"] = json!("/other");
        assert!(!with(&[edited]), "not as it was admitted");
        assert!(!with(&[service("golf")]), "nobody's change");
        assert!(!with(&gateway("example.org/another")), "it may be of use to anybody");
        let mut gone = before.clone();
        assert!(gone.remove("HTTPRoute", "foxtrot", "foxtrot"));
        assert!(!http_routes_are_expected(&before, &gone, std::slice::from_ref(&change)));
        let mut read = before.clone();
        read.know("Secret");
        assert!(!http_routes_are_expected(&before, &read, &[change]), "more is known");
    }
}

/// What comes in one go with others may miss these for a moment, and is no less wrong for that where nothing can come.
#[test]
fn a_platform_may_write_what_misses_an_object_yet_and_no_other_mistake() {
    for (name, rules, by_implementation) in mistakes() {
        for (controller, expected) in BOTH.into_iter().zip(by_implementation) {
            let change = platform(route("echo", rules.clone()));
            let mut objects = with_foxtrot(controller);
            objects.push(service("echo"));
            let passes = expected.is_none() || ["missing Service", "no grant"].contains(&name);
            let verdict = judge(&objects, &change);
            assert_eq!(verdict.is_ok(), passes, "{name} on {controller}: {verdict:?}");
        }
    }
}
