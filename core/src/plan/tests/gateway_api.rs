//! The order of steps for services in the Gateway API, and from one API to the other.

use super::*;
use crate::kind::RouteApi;
use crate::object_state::HttpRoute;

/// The route of a service in an API.
fn route(api: RouteApi) -> Manifest {
    match api {
        RouteApi::Gloo => manifest("RouteTable", "echo-routes"),
        RouteApi::GatewayApi => http_route(&[]),
    }
}

/// An HTTPRoute with rules that lead each to one version, by a path or by a header.
fn http_route(rules: &[(&str, bool)]) -> Manifest {
    let rules: Vec<_> =
        rules.iter().map(|(version, by_header)| rule(version, *by_header)).collect();
    let spec = json!({ "rules": rules });
    Manifest::new(object(Kind::HttpRoute, "echo", "echo-routes", spec)).expect("complete")
}

fn rule(version: &str, by_header: bool) -> serde_json::Value {
    let mut matcher = json!({"path": {"type": "PathPrefix", "value": "/echo"}});
    if by_header {
        matcher["headers"] = json!([{"type": "Exact", "name": "stage", "value": "canary"}]);
    }
    json!({"matches": [matcher], "backendRefs": [{"name": format!("echo-{version}")}]})
}

/// The service in one API.
fn in_api(api: RouteApi, versions: &[&str], routed: &[(&str, u64)]) -> Desired {
    let mut desired = service(versions, routed);
    desired.routes = vec![route(api)];
    if api == RouteApi::GatewayApi {
        desired.upstreams.clear();
        let services =
            versions.iter().map(|version| manifest("Service", &format!("echo-{version}")));
        desired.workloads.extend(services);
    }
    desired
}

/// The same routes, live and accepted.
fn live(route: &Manifest, routed: &[(&str, u64)]) -> Facts {
    let rules = route.object()["spec"]["rules"].as_array().cloned();
    let http_route = rules.map(|rules| HttpRoute { rules, ..HttpRoute::default() }.into());
    Facts { http_route, ..routes(routed, Some(Verdict::Accepted)) }
}

fn written(step: &Step) -> &[Manifest] {
    let Step::Route(routes) = step else { panic!("{step:?}") };
    routes
}

#[test]
fn services_of_new_versions_come_before_the_routes() {
    let desired = in_api(RouteApi::GatewayApi, &["v1", "v2"], &[("v1", 50), ("v2", 50)]);
    let mut seen = healthy(&["v1", "v2"], None);
    let id = desired.routes[0].id().clone();
    seen.objects.insert(id.clone(), live(&desired.routes[0], &[("v1", 100)]));
    let service = manifest("Service", "echo-v2").id().clone();
    seen.changed = changed(&[&service, &id]);
    let steps = plan(&desired, &seen);
    let [Step::Apply(first), Step::Route(_)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(first[0].id(), &service);
    // And the version is ready only once its own Service has its pods.
    seen.pods.addresses.remove("v2");
    let steps = plan(&desired, &seen);
    assert!(is_await(&steps[1]), "{steps:?}");
}

#[test]
fn a_new_api_gets_its_routes_before_the_old_ones_go_and_waits_for_every_version() {
    for (from, to) in
        [(RouteApi::Gloo, RouteApi::GatewayApi), (RouteApi::GatewayApi, RouteApi::Gloo)]
    {
        let routed = [("v1", 50), ("v2", 50)];
        let desired = in_api(to, &["v1", "v2"], &routed);
        let mut seen = healthy(&["v1", "v2"], None);
        let (old, new) = (route(from).id().clone(), desired.routes[0].id().clone());
        seen.objects.insert(old.clone(), live(&route(from), &routed));
        seen.changed = changed(&[&new]);
        seen.to_prune = changed(&[&old]);
        let steps = plan(&desired, &seen);
        let [Step::Route(_), Step::Delete(gone)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(gone.as_slice(), std::slice::from_ref(&old));
        // The shares are the same, and nobody is behind the new routes yet.
        fails(&mut seen, "v2");
        assert!(is_await(&plan(&desired, &seen)[0]), "{to:?}");
        // What goes has requests until every proxy follows the new routes.
        let mut seen = healthy(&["v1", "v2"], None);
        seen.objects.insert(old.clone(), live(&route(from), &routed));
        seen.objects.insert(new, live(&desired.routes[0], &routed));
        seen.to_prune = changed(&[&old]);
        seen.route_times.judged_at = at(99);
        let [Step::Await(wait), Step::Delete(_)] = &plan(&desired, &seen)[..] else { panic!() };
        assert_eq!(wait.until, Some(at(102)));
    }
}

#[test]
fn a_rule_is_prepared_and_gets_its_match_when_every_proxy_knows_it() {
    let (before, after) =
        (http_route(&[("v1", false)]), http_route(&[("v1", false), ("v2", true)]));
    let routed = [("v1", 100), ("v2", 0)];
    let mut desired = in_api(RouteApi::GatewayApi, &["v1", "v2"], &routed);
    desired.routes = vec![after.clone()];
    let mut seen = healthy(&["v1", "v2"], None);
    let id = after.id().clone();
    seen.objects.insert(id.clone(), live(&before, &[("v1", 100)]));
    seen.changed = changed(&[&id]);
    assert_eq!(written(&plan(&desired, &seen)[0]), std::slice::from_ref(&after), "kgateway");
    desired.is_staged = true;
    let prepared = written(&plan(&desired, &seen)[0])[0].clone();
    assert_eq!(prepared.object()["spec"]["rules"][0], before.object()["spec"]["rules"][0]);
    assert_eq!(
        prepared.object()["spec"]["rules"][1]["backendRefs"],
        rule("v2", true)["backendRefs"]
    );
    assert!(!Shares::read("echo", prepared.object()).is_header_target("v2"));
    // Not before the clusters are everywhere.
    seen.objects.insert(id.clone(), live(&prepared, &[("v1", 100)]));
    seen.route_times.changed_at = at(99);
    let steps = plan(&desired, &seen);
    let [Step::Await(wait), Step::Route(_)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(wait.until, Some(at(102)));
    seen.route_times.changed_at = at(0);
    assert_eq!(written(&plan(&desired, &seen)[0]), std::slice::from_ref(&after));
    // The reverse on the way back.
    desired.routes = vec![before.clone()];
    seen.objects.insert(id.clone(), live(&after, &[("v1", 100)]));
    let emptied = written(&plan(&desired, &seen)[0])[0].clone();
    assert_eq!(emptied.object()["spec"]["rules"].as_array().map(Vec::len), Some(2));
    seen.objects.insert(id, live(&emptied, &[("v1", 100)]));
    assert_eq!(written(&plan(&desired, &seen)[0]), std::slice::from_ref(&before));
}

#[test]
fn rules_are_written_where_they_go_before_they_leave_another_route() {
    let with = |name: &str, count: usize| {
        let rules: Vec<_> = (0..count).map(|_| rule("v1", false)).collect();
        let object = object(Kind::HttpRoute, "echo", name, json!({ "rules": rules }));
        Manifest::new(object).expect("complete")
    };
    let order = |before: [usize; 2], after: [usize; 2]| {
        let names = ["echo-routes", "echo-routes-2"];
        let routes = [with(names[0], after[0]), with(names[1], after[1])];
        let desired = Desired { routes: routes.to_vec(), ..service(&["v1"], &[("v1", 100)]) };
        let mut seen = healthy(&["v1"], None);
        for (name, count) in names.into_iter().zip(before).filter(|(_, count)| *count > 0) {
            let live = live(&with(name, count), &[("v1", 100)]);
            seen.objects.insert(with(name, count).id().clone(), live);
        }
        seen.changed = changed(&[routes[0].id(), routes[1].id()]);
        let steps = plan(&desired, &seen);
        let step = steps.iter().find(|step| matches!(step, Step::Route(_))).expect("routes");
        written(step).iter().map(|it| it.id().name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(order([16, 1], [16, 3]), ["echo-routes-2", "echo-routes"], "they move on");
    assert_eq!(order([16, 3], [16, 1]), ["echo-routes", "echo-routes-2"], "they move back");
    assert_eq!(order([0, 0], [16, 1]), ["echo-routes", "echo-routes-2"], "the first is the older");
}

#[test]
fn a_route_whose_clusters_go_with_it_is_emptied_before_it_is_deleted() {
    let desired = in_api(RouteApi::GatewayApi, &["v1"], &[("v1", 100)]);
    let mut seen = healthy(&["v1"], None);
    let new = desired.routes[0].clone();
    seen.objects.insert(new.id().clone(), live(&new, &[("v1", 100)]));
    let object = |rules: &[serde_json::Value]| {
        let object = object(Kind::HttpRoute, "elsewhere", "echo-routes", json!({ "rules": rules }));
        Manifest::new(object).expect("complete")
    };
    let old = object(&[rule("v1", false), rule("v1", true)]);
    let id = old.id().clone();
    seen.to_prune = changed(&[&id]);
    let goes = |route: &Manifest, by_rule: bool| {
        let http_route =
            HttpRoute { has_clusters_by_rule: by_rule, ..HttpRoute::of(route.object()) };
        Facts { http_route: Some(http_route.into()), ..live(route, &[("v1", 100)]) }
    };
    // With kgateway a cluster stays as long as its Service does.
    seen.objects.insert(id.clone(), goes(&old, false));
    assert_eq!(plan(&desired, &seen), [Step::Delete(vec![id.clone()])]);
    seen.objects.insert(id.clone(), goes(&old, true));
    let both = [Step::Empty(vec![id.clone()]), Step::Delete(vec![id.clone()])];
    assert_eq!(plan(&desired, &seen), both);
    // And not before every proxy has the routes that stay.
    seen.route_times.changed_at = at(99);
    assert!(is_await(&plan(&desired, &seen)[0]));
    // Once it is empty every proxy is given the time to know it, for a service that is removed as well.
    let rules = old.object()["spec"]["rules"].as_array().expect("some");
    let emptied = object(&crate::render::emptied(rules));
    seen.objects.insert(id.clone(), goes(&emptied, true));
    for desired in [desired, Desired::default()] {
        seen.route_times.changed_at = at(99);
        let steps = plan(&desired, &seen);
        let [Step::Await(wait), Step::Delete(_)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(wait.until, Some(at(102)));
        seen.route_times.changed_at = at(0);
        assert_eq!(plan(&desired, &seen), [Step::Delete(vec![id.clone()])]);
    }
}

/// A route that kgateway may have missed, live for ten seconds without any status.
fn missed(route: &Manifest) -> (Desired, Observation) {
    let mut desired = in_api(RouteApi::GatewayApi, &["v1"], &[("v1", 100)]);
    desired.routes = vec![route.clone()];
    desired.is_repeated = true;
    let mut seen = healthy(&["v1"], None);
    seen.objects.insert(route.id().clone(), unnoticed(route));
    seen.route_times = RouteTimes::since(at(90));
    (desired, seen)
}

fn unnoticed(route: &Manifest) -> Facts {
    let http_route = HttpRoute { is_unnoticed: true, ..HttpRoute::of(route.object()) };
    Facts { http_route: Some(http_route.into()), ..routes(&[("v1", 100)], None) }
}

#[test]
fn a_route_without_any_status_is_written_again_in_other_words() {
    let route = http_route(&[("v1", false), ("v1", true)]);
    let (desired, mut seen) = missed(&route);
    let repeated = |seen: &Observation| match &plan(&desired, seen)[0] {
        Step::Repeat(routes) => routes[0].clone(),
        other => panic!("{other:?}"),
    };
    let other = repeated(&seen);
    assert_eq!(other.object()["spec"]["rules"][0]["filters"], json!([]));
    assert_ne!(other.object()["spec"], route.object()["spec"], "else its generation stays");
    assert_eq!(other.digest(), route.digest(), "it is no drift");
    // Again, and it is the first wording: another one than the live one each time.
    seen.objects.insert(route.id().clone(), unnoticed(&other));
    assert_eq!(repeated(&seen), route);
    // A wait for the status until then, which the deadline ends.
    seen.route_times.repeated_at = at(99);
    let Step::Await(wait) = &plan(&desired, &seen)[0] else { panic!() };
    assert_eq!((wait.until, wait.interrupted_at), (None, Some(at(108))));
    seen.route_times.repeated_at = at(90);
    let id = route.id().clone();
    let waits = |seen: &Observation, desired: &Desired| match &plan(desired, seen)[0] {
        Step::Await(wait) => wait.interrupted_at.is_none(),
        _ => false,
    };
    let overdue = Some(crate::reason::Subject::Object(id.clone()));
    assert!(waits(&seen.clone().with_overdue(overdue), &desired));
    // Not what somebody else has changed, and not before a gateway that misses none.
    assert!(waits(&seen.clone().with_drift_left([id.clone()].into()), &desired));
    assert!(waits(&seen, &Desired { is_repeated: false, ..desired.clone() }));
    // Nor one that has been noticed: its verdict comes by itself.
    seen.objects
        .insert(id, Facts { http_route: live(&route, &[]).http_route, ..unnoticed(&route) });
    assert!(waits(&seen, &desired));
}

#[test]
fn a_route_is_written_again_by_a_list_that_it_does_not_have() {
    let filters = json!([{"type": "RequestHeaderModifier"}]);
    let full = json!({"filters": filters, "backendRefs": [{"name": "echo-v1", "filters": filters}],
        "matches": [{"headers": [{"name": "stage"}], "queryParams": [{"name": "dry-run"}]}]});
    let route = |rules: serde_json::Value| {
        let object = object(Kind::HttpRoute, "echo", "echo-routes", json!({ "rules": rules }));
        Manifest::new(object).expect("complete")
    };
    let repeated = |rules: serde_json::Value| {
        let (desired, seen) = missed(&route(rules));
        match &plan(&desired, &seen)[0] {
            Step::Repeat(routes) => Some(routes[0].object()["spec"]["rules"].clone()),
            _ => None,
        }
    };
    for place in
        ["/filters", "/backendRefs/0/filters", "/matches/0/headers", "/matches/0/queryParams"]
    {
        let (holder, list) = place.rsplit_once('/').expect("one");
        let mut rule = full.clone();
        rule.pointer_mut(holder).and_then(|it| it.as_object_mut()).expect("there").remove(list);
        let written = repeated(json!([full, rule])).expect(place);
        assert_eq!(written.pointer(&format!("/1{place}")), Some(&json!([])), "{place}");
        // Also where the API server fills in the rest.
        assert_eq!(written[0], full);
    }
    assert_eq!(repeated(json!([full])), None, "there is nothing to write it by");
    assert_eq!(repeated(json!([])), None);
}

#[test]
fn all_routes_without_a_status_are_written_again_at_once() {
    let named = |name: &str| {
        let object = object(Kind::HttpRoute, "echo", name, json!({"rules": [rule("v1", false)]}));
        Manifest::new(object).expect("complete")
    };
    let (mut desired, mut seen) = missed(&named("echo-routes"));
    for name in ["echo-routes-2", "echo-routes-3"] {
        desired.routes.push(named(name));
    }
    seen.objects.insert(named("echo-routes-2").id().clone(), live(&named("echo-routes-2"), &[]));
    seen.objects.insert(named("echo-routes-3").id().clone(), unnoticed(&named("echo-routes-3")));
    let Step::Repeat(routes) = &plan(&desired, &seen)[0] else { panic!() };
    let names: Vec<_> = routes.iter().map(|it| it.id().name.as_str()).collect();
    assert_eq!(names, ["echo-routes", "echo-routes-3"]);
}

proptest! {
    /// Whatever differs and whatever is left over, in whatever API it was and is to be, the order is safe.
    #[test]
    fn the_order_is_safe_in_every_api(
        to_gateway_api in any::<bool>(),
        live_api in prop::option::of(any::<bool>()),
        differs in prop::collection::vec(any::<bool>(), 8),
        left_over in prop::collection::vec(any::<bool>(), 5),
        failing in prop::collection::vec(any::<bool>(), 3),
        is_staged in any::<bool>(),
        share in 0_u64..=100,
    ) {
        let api = |is_new: bool| if is_new { RouteApi::GatewayApi } else { RouteApi::Gloo };
        let mut desired = in_api(api(to_gateway_api), &["v2", "v3"], &[("v2", 100 - share), ("v3", share)]);
        desired.is_staged = is_staged;
        let before = [("v1", 50), ("v2", 50)];
        let mut seen = healthy(&["v1", "v2", "v3"], None);
        for (version, fail) in ["v1", "v2", "v3"].into_iter().zip(failing) {
            if fail {
                fails(&mut seen, version);
            }
        }
        let pick = |ids: Vec<ObjectId>, picked: &[bool]| -> BTreeSet<ObjectId> {
            ids.into_iter().zip(picked).filter(|(_, take)| **take).map(|(id, _)| id).collect()
        };
        seen.changed = pick(desired.manifests().map(|m| m.id().clone()).collect(), &differs);
        let old = ["Deployment", "Upstream", "RouteTable", "VirtualService", "HTTPRoute"];
        seen.to_prune = pick(old.iter().map(|kind| manifest(kind, "old").id().clone()).collect(), &left_over);
        if let Some(is_new) = live_api {
            let route = route(api(is_new));
            seen.objects.insert(route.id().clone(), live(&route, &before));
            if is_new != to_gateway_api {
                seen.to_prune.insert(route.id().clone());
                seen.changed.insert(desired.routes[0].id().clone());
            }
        }
        let steps = plan(&desired, &seen);

        let by_the_same = live_api == Some(to_gateway_api);
        in_safe_order(&steps, &desired, &seen, by_the_same.then_some(&before[..]))?;
        let deleted: BTreeSet<ObjectId> = steps.iter().flat_map(|step| match step {
            Step::Delete(ids) => ids.clone(),
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!(deleted, seen.to_prune);
    }
}
