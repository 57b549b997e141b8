//! One test for each class of mistake of docs/preflight.md.

use super::*;

fn set(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).expect("there") = value;
    object
}

/// echo's table with another action.
fn acting(action: Value) -> Value {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"][0]["routeAction"] = action;
    routes
}

fn with_options(options: Value) -> Value {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"][0]["options"] = options;
    routes
}

fn multi(destinations: &[(Value, u32)]) -> Value {
    let weighted = |(destination, weight): &(Value, u32)| json!({"destination": destination, "weight": weight});
    json!({"multi": {"destinations": destinations.iter().map(weighted).collect::<Vec<_>>()}})
}

fn host(name: &str, domains: &[&str], routes: Value) -> Value {
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": name},
        "spec": {"virtualHost": {"domains": domains, "routes": routes}}})
}

/// A route of its own for everything to this service.
fn all_to(name: &str) -> Value {
    json!([{"matchers": [{"prefix": "/"}], "routeAction": single(name)}])
}

fn replacing(mut objects: Vec<Value>) -> Vec<Value> {
    objects[0]["spec"] = json!({"gloo": {"invalidConfigPolicy":
        {"replaceInvalidRoutes": true, "invalidRouteResponseCode": 404}}});
    objects
}

/// Refused, with `replaceInvalidRoutes` as without, and for the reason given.
fn always_refused(wish: &ProposedChange, expected: fn(&Refusal) -> bool) {
    for objects in [cluster_with_foxtrot(), replacing(cluster_with_foxtrot())] {
        let refusal = refused(&objects, wish);
        assert!(expected(&refusal), "{refusal}");
    }
}

fn is_rejected(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Verdict { state: State::Rejected, .. })
}

fn is_warned(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Verdict { state: State::Warning, .. })
}

fn is_frozen(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::WholeConfiguration { .. })
}

fn is_unserved(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Route { .. })
}

#[test]
fn a_delegating_route_must_have_one_prefix() {
    let exact = set(app(), "/spec/virtualHost/routes/0/matchers", json!([{"exact": "/"}]));
    let two = json!([{"prefix": "/"}, {"prefix": "/a"}]);
    let two = set(app(), "/spec/virtualHost/routes/0/matchers", two);
    for routes in [exact, two] {
        always_refused(&platform(routes), is_rejected);
    }
}

#[test]
fn tables_may_not_delegate_in_a_circle() {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"] = json!([{"matchers": [{"prefix": "/echo"}],
        "delegateAction": {"ref": {"name": "echo-routes", "namespace": "echo"}}}]);
    always_refused(&echo(routes), is_rejected);
}

#[test]
fn a_route_must_do_something() {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"][0].as_object_mut().unwrap().remove("routeAction");
    always_refused(&echo(routes), is_rejected);
}

#[test]
fn an_expression_must_be_one_that_go_compiles() {
    let routes = table("echo", "/echo", single("echo"));
    let routes = set(routes, "/spec/routes/0/matchers", json!([{"regex": "/echo("}]));
    always_refused(&echo(routes), |refusal| is_rejected(refusal) || is_frozen(refusal));
}

#[test]
fn a_domain_is_claimed_once() {
    let mut objects = cluster_with_foxtrot();
    objects.push(host("foxtrot", &["a.example"], all_to("foxtrot")));
    let refusal = refused(&objects, &echo(host("echo", &["a.example"], all_to("echo"))));
    assert!(is_rejected(&refusal), "{refusal}");
    let refusal =
        refused(&objects, &echo(host("echo", &["b.example", "b.example"], all_to("echo"))));
    assert!(is_rejected(&refusal), "{refusal}");
    let refusal = refused(&objects, &echo(host("echo", &["A.example"], all_to("echo"))));
    assert!(is_frozen(&refusal), "{refusal}");
}

#[test]
fn a_domain_must_not_be_empty() {
    always_refused(&echo(host("echo", &["", "b.example"], all_to("echo"))), is_rejected);
}

#[test]
fn no_domain_at_all_is_every_domain() {
    always_refused(&echo(host("echo", &[], all_to("echo"))), is_rejected);
}

#[test]
fn a_domain_below_another_owners_wildcard_is_that_owners() {
    let mut objects = cluster_with_foxtrot();
    objects.push(host("foxtrot", &["*.example"], all_to("foxtrot")));
    let refusal = refused(&objects, &echo(host("echo", &["a.example"], all_to("echo"))));
    assert!(matches!(refusal, Refusal::Domain { .. }), "{refusal}");
    judge(&objects, &echo(host("echo", &["a.other"], all_to("echo")))).expect("nobody's");
}

/// Envoy looks for those with the `*` at the beginning first, and some hosts fit both.
#[test]
fn a_wildcard_at_the_beginning_takes_hosts_of_another_owners_wildcard_at_the_end() {
    let mut objects = cluster_with_foxtrot();
    objects.push(host("foxtrot", &["a.*"], all_to("foxtrot")));
    let refusal = refused(&objects, &echo(host("echo", &["*.example"], all_to("echo"))));
    assert!(matches!(&refusal, Refusal::Domain { wildcard, .. } if wildcard == "a.*"), "{refusal}");
    judge(&objects, &echo(host("echo", &["b.*"], all_to("echo")))).expect("nobody's");
    objects.pop();
    objects.push(host("foxtrot", &["*.example"], all_to("foxtrot")));
    judge(&objects, &echo(host("echo", &["a.*"], all_to("echo")))).expect("it comes behind");
}

#[test]
fn a_virtual_host_that_gloo_keeps_in_memory_keeps_its_domains() {
    let mut objects = cluster_with_foxtrot();
    objects.push(host("foxtrot", &["a.example"], all_to("foxtrot")));
    let good = Baseline::new(cluster(&objects));
    objects.pop();
    objects.push(host("foxtrot", &["b.example"], json!([{"matchers": [{"prefix": "/"}]}])));
    let broken = good.follow(cluster(&objects));
    let claim = echo(host("echo", &["a.example"], all_to("echo")));
    let refusal = broken.check(&[claim.change()]).remove(0).expect_err("frozen");
    assert!(is_frozen(&refusal), "{refusal}");
}

#[test]
fn the_key_of_a_subset_is_one_of_the_upstreams() {
    let action = set(single("echo"), "/single/subset/values", json!({"stage": "v1"}));
    always_refused(&echo(acting(action)), is_unserved);
}

#[test]
fn weights_have_a_sum_that_envoy_takes() {
    let of = |weights: &[u32]| {
        multi(&weights.iter().map(|weight| (destination("echo"), *weight)).collect::<Vec<_>>())
    };
    for weights in [&[0, 0][..], &[], &[u32::MAX, 1]] {
        always_refused(&echo(acting(of(weights))), is_frozen);
    }
}

#[test]
fn a_matcher_has_a_path() {
    let headers = json!([{"headers": [{"name": "stage"}]}]);
    let routes = set(table("echo", "/echo", single("echo")), "/spec/routes/0/matchers", headers);
    // Under a parent with a path such a route is left out with a warning; by itself Envoy refuses it.
    always_refused(&echo(routes.clone()), is_warned);
    let routes = routes["spec"]["routes"].clone();
    always_refused(&echo(host("echo", &["echo.example"], routes)), is_frozen);
}

#[test]
fn a_path_has_only_what_gloo_allows() {
    always_refused(&echo(table("echo", "/echo//x", single("echo"))), is_unserved);
}

#[test]
fn options_are_such_as_gloo_applies() {
    for options in [
        json!({"retries": {"retryOn": "5xx", "retryBackOff": {"maxInterval": "1s"}}}),
        json!({"headerManipulation": {"requestHeadersToAdd": [{"header": {"key": ":x", "value": "y"}}]}}),
        json!({"shadowing": {"upstream": {"name": "echo", "namespace": "echo"}, "percentage": 101}}),
        json!({"faults": {"delay": {"fixedDelay": "0.5s", "percentage": 10}}}),
        json!({"cors": {}}),
    ] {
        always_refused(&echo(with_options(options)), |it| is_unserved(it) || is_frozen(it));
    }
}

#[test]
fn options_are_such_as_envoy_takes() {
    for options in [
        json!({"timeout": "-1s"}),
        json!({"prefixRewrite": "/a", "regexRewrite": {"pattern": {"regex": "a"}}}),
        json!({"lbHash": {"hashPolicies": [{}]}}),
    ] {
        always_refused(&echo(with_options(options)), is_frozen);
    }
}

#[test]
fn options_are_such_as_gloo_decodes() {
    let decodes = |refusal: &Refusal| matches!(refusal, Refusal::Undecodable { .. });
    always_refused(&echo(with_options(json!({"timeout": "soon"}))), decodes);
    let mut typo = app();
    typo["spec"]["virtualHost"]["routes"][0]["delegateAction"]["selector"] =
        json!({"expressions": [{"key": "a", "operator": "Is", "values": ["b"]}]});
    always_refused(&platform(typo), decodes);
}

#[test]
fn a_destination_is_an_upstream_that_is_there() {
    let action = set(single("echo"), "/single/upstream/name", json!("typo"));
    always_refused(&echo(acting(action)), is_warned);
}

#[test]
fn a_destination_that_cuts_the_list_short_is_refused() {
    let nowhere = set(destination("echo"), "/upstream/name", json!("typo"));
    always_refused(&echo(acting(multi(&[(nowhere, 20), (destination("echo"), 30)]))), |it| {
        is_warned(it) || is_unserved(it)
    });
    let mut objects = cluster_with_foxtrot();
    let mut plain = upstream("plain");
    plain["spec"]["kube"].as_object_mut().unwrap().remove("subsetSpec");
    objects.extend([service("plain"), plain]);
    let cut =
        multi(&[(destination("echo"), 10), (destination("plain"), 20), (destination("echo"), 30)]);
    refused(&objects, &echo(acting(cut)));
}

#[test]
fn delegation_leads_to_tables_that_are_there() {
    let mut dead = host(
        "echo",
        &["echo.example"],
        json!([{"matchers": [{"prefix": "/"}],
        "delegateAction": {"ref": {"name": "typo", "namespace": "echo"}}}]),
    );
    always_refused(&echo(dead.clone()), is_warned);
    dead["spec"]["virtualHost"]["routes"][0]["delegateAction"] =
        json!({"selector": {"labels": {"apiGroup": "typo"}}});
    always_refused(&echo(dead.clone()), is_warned);
    dead["spec"]["virtualHost"]["routes"][0]["delegateAction"] = json!({"selector": {
        "labels": {"apiGroup": "example"}, "namespaces": ["*"],
        "expressions": [{"key": "a", "operator": "Exists"}]}});
    always_refused(&echo(dead), is_warned);
}

#[test]
fn a_child_route_fits_its_parent() {
    let narrow = set(app(), "/spec/virtualHost/routes/0/matchers/0/prefix", json!("/foxtrot"));
    let mut objects = cluster_with_foxtrot();
    objects[2] = narrow;
    let refusal = refused(&objects, &echo(table("echo", "/echo", single("echo"))));
    assert!(is_warned(&refusal), "{refusal}");
}

#[test]
fn an_upstream_is_one_that_works() {
    for (pointer, value) in [
        ("/spec/kube/serviceName", json!("typo")),
        ("/spec", json!({"static": {"hosts": []}})),
        ("/spec", json!({"kube": upstream("echo")["spec"]["kube"], "outlierDetection": {}})),
    ] {
        let mut wish = echo(table("echo", "/echo", single("echo")));
        wish.desired.upstreams = vec![manifest(set(upstream("echo"), pointer, value))];
        always_refused(&wish, |it| is_warned(it) || is_unserved(it));
    }
}

#[test]
fn an_upstream_names_a_port_of_its_service() {
    let mut wish = echo(table("echo", "/echo", single("echo")));
    wish.desired.upstreams =
        vec![manifest(set(upstream("echo"), "/spec/kube/servicePort", json!(8080)))];
    always_refused(&wish, |it| matches!(it, Refusal::Port { port: 8080, .. }));
}

#[test]
fn an_upstream_that_another_owner_uses_stays_what_it_is() {
    let mut objects = cluster_with_foxtrot();
    let borrower =
        table("golf", "/golf", json!({"single": {"upstream": destination("echo")["upstream"]}}));
    objects.extend([
        service("echo"),
        upstream("echo"),
        table("echo", "/echo", single("echo")),
        borrower,
    ]);
    let same = echo(table("echo", "/echo", single("echo")));
    judge(&objects, &same).expect("nothing changes");
    let mut wish = echo(table("echo", "/echo", single("echo")));
    let none = json!({"selectors": [{"keys": ["version"]}], "fallbackPolicy": "NO_FALLBACK"});
    wish.desired.upstreams = vec![manifest(set(upstream("echo"), "/spec/kube/subsetSpec", none))];
    let refusal = refused(&objects, &wish);
    assert!(refusal.to_string().contains("golf-routes"), "{refusal}");
    let gone = ProposedChange { service: "echo".into(), ..ProposedChange::default() }
        .without(&objects[6..9]);
    refused(&objects, &gone);
}

#[test]
fn a_service_that_another_owners_upstream_uses_stays_what_it_is() {
    let mut objects = cluster_with_foxtrot();
    let strange = set(upstream("golf"), "/spec/kube/serviceName", json!("echo"));
    let strange = set(strange, "/spec/kube/serviceNamespace", json!("echo"));
    objects.extend([service("echo"), strange]);
    let mut wish = echo(table("echo", "/echo", single("echo")));
    wish.desired.workloads =
        vec![manifest(set(service("echo"), "/spec/selector", json!({"app": "other"})))];
    let refusal = refused(&objects, &wish);
    assert!(refusal.to_string().contains("Upstream golf/golf"), "{refusal}");
}

#[test]
fn a_route_before_another_owners_does_not_take_its_requests() {
    let mut first = table("echo", "/foxtrot", single("echo"));
    first["spec"]["weight"] = json!(-1);
    first["spec"]["routes"][0]["matchers"] =
        json!([{"prefix": "/foxtrot", "headers": [{"name": "stage", "value": "canary"}]}]);
    let refusal = refused(&cluster_with_foxtrot(), &echo(first.clone()));
    assert!(matches!(&refusal, Refusal::Conflict(it) if it.ours_is_first), "{refusal}");
    first["spec"]["routes"][0]["matchers"] = json!([{"regex": "/.*/x"}]);
    let refusal = refused(&cluster_with_foxtrot(), &echo(first.clone()));
    assert!(matches!(&refusal, Refusal::Conflict(it) if it.ours_is_first), "{refusal}");
    first["spec"]["routes"][0]["matchers"] = json!([{"prefix": "/foxtrot/x"}]);
    judge(&cluster_with_foxtrot(), &echo(first)).expect("a longer path");
}

#[test]
fn a_header_route_behind_one_that_takes_all_is_of_no_use() {
    let mut routes = table("echo", "/echo", single("echo"));
    let header = json!({"matchers": [{"prefix": "/echo", "headers": [{"name": "stage"}]}],
        "routeAction": set(single("echo"), "/single/subset/values/version", json!("v2"))});
    routes["spec"]["routes"].as_array_mut().unwrap().push(header);
    always_refused(&echo(routes.clone()), |it| matches!(it, Refusal::Shadowed { .. }));
    routes["spec"]["routes"].as_array_mut().unwrap().reverse();
    judge(&cluster_with_foxtrot(), &echo(routes)).expect("the header route is first");
}

#[test]
fn a_second_table_does_not_turn_the_order_of_the_first() {
    let mut objects = cluster_with_foxtrot();
    let routes = json!([
        {"matchers": [{"prefix": "/foxtrot"}], "routeAction": single("foxtrot")},
        {"matchers": [{"prefix": "/foxtrot/x"}], "directResponseAction": {"status": 204}},
    ]);
    objects[5]["spec"]["routes"] = routes;
    let refusal = refused(&objects, &echo(table("echo", "/echo", single("echo"))));
    assert!(matches!(refusal, Refusal::Reordered { .. }), "{refusal}");
    let mut later = table("echo", "/echo", single("echo"));
    later["spec"]["weight"] = json!(1);
    judge(&objects, &echo(later)).expect("tables of other weights are not sorted");
    // Where the two have no request in common their order does not matter.
    let apart = json!([
        {"matchers": [{"prefix": "/a"}], "routeAction": single("foxtrot")},
        {"matchers": [{"prefix": "/b"}], "directResponseAction": {"status": 204}},
    ]);
    objects[5]["spec"]["routes"] = apart;
    judge(&objects, &echo(table("echo", "/echo", single("echo")))).expect("harmless");
}

#[test]
fn a_platform_that_selects_only_some_of_its_tables_any_more_is_refused() {
    let mut objects = cluster_with_foxtrot();
    let mut golf = table("golf", "/golf", single("foxtrot"));
    golf["metadata"]["labels"]["team"] = json!("golf");
    objects.push(golf);
    let mut some = app();
    some["spec"]["virtualHost"]["routes"][0]["delegateAction"]["selector"]["labels"] =
        json!({"team": "golf"});
    let refusal = refused(&objects, &platform(some));
    assert!(refusal.to_string().contains("foxtrot-routes"), "{refusal}");
}

#[test]
fn mending_one_of_two_broken_routes_must_not_replace_the_other() {
    // With `replaceInvalidRoutes` Gloo replaces a route in error if it is the only one.
    let mut objects = replacing(cluster_with_foxtrot());
    let bad = |name: &str| {
        let bad = table(name, &format!("/{name}"), single(name));
        set(bad, "/spec/routes/0/routeAction/single/subset/values", json!({"x": "1"}))
    };
    objects.extend([service("golf"), upstream("golf"), bad("golf")]);
    objects.extend([service("echo"), upstream("echo"), bad("echo")]);
    let refusal = refused(&objects, &echo(table("echo", "/echo", single("echo"))));
    assert!(matches!(refusal, Refusal::RouteChanged { .. }), "{refusal}");
}

#[test]
fn routes_that_move_to_another_namespace_may_stand_beside_the_old_ones() {
    let old = [service("echo"), upstream("echo"), table("echo", "/echo", single("echo"))];
    let objects: Vec<Value> =
        settings().into_iter().chain([app()]).chain(old.iter().cloned()).collect();
    let moved = wish("edge", table("edge", "/echo", single("edge")));
    assert!(judge(&objects, &moved.clone().without(&old)).is_ok());
    assert!(matches!(refused(&objects, &moved), Refusal::Conflict(_)), "the old ones stay");
}

#[test]
fn a_service_may_take_requests_of_one_that_goes_once_it_is_live() {
    let old = table("echo", "/echo", single("echo"));
    let objects: Vec<Value> = settings()
        .into_iter()
        .chain([app(), service("echo"), upstream("echo"), old.clone()])
        .collect();
    let golf = wish("golf", table("golf", "/echo", single("golf")));
    assert!(matches!(refused(&objects, &golf), Refusal::Conflict(_)));
    let departing = manifest(old);
    let change = Change::new("golf", &golf.desired, &golf.to_prune).beside([departing.id()]);
    let verdicts = Baseline::new(cluster(&objects)).check(&[Arc::new(change)]);
    assert!(verdicts[0].is_ok(), "{verdicts:?}");
}
