use super::*;

#[test]
fn a_new_service_beside_another_harms_nobody_and_its_upstream_will_be_judged() {
    let wish = echo(table("echo", "/echo", single("echo")));
    let prediction = judge(&cluster_with_foxtrot(), &wish).expect("harmless");
    assert_eq!(prediction.judged_upstreams.len(), 1);
}

#[test]
fn without_any_virtual_service_no_upstream_is_judged() {
    let wish = echo(table("echo", "/echo", single("echo")));
    let prediction = judge(&settings(), &wish).expect("harmless");
    assert!(prediction.judged_upstreams.is_empty());
}

#[test]
fn a_total_weight_of_zero_would_freeze_every_team_and_is_refused() {
    let nothing =
        json!({"multi": {"destinations": [{"destination": destination("echo"), "weight": 0}]}});
    let wish = echo(table("echo", "/echo", nothing));
    let refusal = judge(&cluster_with_foxtrot(), &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::WholeConfiguration { .. }), "{refusal}");
}

#[test]
fn a_subset_key_that_no_selector_has_is_refused_although_every_status_stays_accepted() {
    let mut action = single("echo");
    action["single"]["subset"]["values"] = json!({"stage": "v1"});
    let wish = echo(table("echo", "/echo", action));
    let refusal = judge(&cluster_with_foxtrot(), &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::Route { .. }), "{refusal}");
}

#[test]
fn a_path_that_another_table_has_is_refused_and_its_owner_named() {
    let wish = echo(table("echo", "/foxtrot", single("echo")));
    let refusal = judge(&cluster_with_foxtrot(), &wish).expect_err("a conflict");
    assert!(refusal.to_string().contains("RouteTable foxtrot/foxtrot-routes"), "{refusal}");
}

#[test]
fn a_domain_that_another_virtual_service_has_is_refused() {
    let own = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": "echo", "namespace": "echo"},
        "spec": {"virtualHost": {"domains": ["*"], "routes": [
            {"matchers": [{"prefix": "/"}], "routeAction": single("echo")}]}}});
    let wish = echo(own);
    let refusal = judge(&cluster_with_foxtrot(), &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::Verdict { .. }), "{refusal}");
}

#[test]
fn a_path_outside_the_delegating_prefix_is_refused() {
    let mut narrow = app();
    narrow["spec"]["virtualHost"]["routes"][0]["matchers"][0]["prefix"] = "/api".into();
    let objects: Vec<Value> = settings().into_iter().chain([narrow]).collect();
    let wish = echo(table("echo", "/echo", single("echo")));
    let refusal = judge(&objects, &wish).expect_err("it would not be served");
    assert!(matches!(refusal, Refusal::Verdict { .. }), "{refusal}");
}

#[test]
fn an_option_that_gloo_cannot_decode_is_refused() {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"][0]["options"] = json!({"timeout": "soon"});
    let wish = echo(routes);
    let refusal = judge(&cluster_with_foxtrot(), &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::Undecodable { .. }), "{refusal}");
}

#[test]
fn what_another_owner_broke_before_blocks_nobody_else() {
    let mut objects = cluster_with_foxtrot();
    let mut typo = table("golf", "/golf", single("golf"));
    typo["spec"]["routes"][0]["routeAction"]["single"]["upstream"]["name"] = "typo".into();
    objects.push(typo);
    let wish = echo(table("echo", "/echo", single("echo")));
    judge(&objects, &wish).expect("echo does no harm");
}

#[test]
fn the_last_service_can_go_although_the_virtual_service_then_selects_nothing() {
    let objects = cluster_with_foxtrot();
    let wish = ProposedChange { service: "foxtrot".into(), ..ProposedChange::default() }
        .without(&objects[3..]);
    judge(&objects, &wish).expect("foxtrot may go");
}

/// echo as it is in the cluster, with a table of this group, and as it is to be.
fn echo_moves(group: &str, routes: &Value) -> (Vec<Value>, ProposedChange) {
    let mut objects = cluster_with_foxtrot();
    let mut live = table("echo", "/echo", single("echo"));
    live["metadata"]["labels"]["apiGroup"] = group.into();
    objects.extend([service("echo"), upstream("echo"), live]);
    (objects, echo(routes.clone()))
}

#[test]
fn an_api_group_that_nobody_selects_would_leave_the_service_without_requests() {
    let mut typo = table("echo", "/echo", single("echo"));
    typo["metadata"]["labels"]["apiGroup"] = "exmaple".into();
    let (objects, wish) = echo_moves("example", &typo);
    let refusal = judge(&objects, &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::Unserved(_)), "{refusal}");
    // A service that nobody has selected so far loses nothing.
    let (objects, wish) = echo_moves("nobody", &typo);
    judge(&objects, &wish).expect("harmless");
}

#[test]
fn another_owners_broken_route_that_only_moves_is_no_new_harm() {
    let mut objects = cluster_with_foxtrot();
    let mut broken = table("alpha", "/alpha", single("foxtrot"));
    broken["spec"]["routes"][0]["routeAction"]["single"]["subset"]["values"] = json!({"x": "1"});
    objects.push(broken);
    let wish = echo(table("echo", "/echo", single("echo")));
    judge(&objects, &wish).expect("echo does no harm");
    // The very same mistake once more is one.
    let mut mistake = table("echo", "/echo", single("echo"));
    mistake["spec"]["routes"][0]["routeAction"]["single"]["subset"]["values"] = json!({"x": "1"});
    let wish = echo(mistake);
    let refusal = judge(&objects, &wish).expect_err("harmful");
    assert!(matches!(refusal, Refusal::Route { .. }), "{refusal}");
}

#[test]
fn a_domain_moves_to_a_virtual_service_for_which_the_one_before_makes_room() {
    let owner = |namespace: &str| {
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
            "metadata": {"name": "echo", "namespace": namespace},
            "spec": {"virtualHost": {"domains": ["echo.example"], "routes": [
                {"matchers": [{"prefix": "/"}], "routeAction": single("echo")}]}}})
    };
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("echo"), upstream("echo"), owner("old")]);
    let refusal = judge(&objects, &echo(owner("echo"))).expect_err("both would be there");
    assert!(matches!(refusal, Refusal::Verdict { .. }), "{refusal}");
    // What has the domain goes right before.
    let wish = echo(owner("echo")).without(&[owner("old")]);
    judge(&objects, &wish).expect("never both");
    let mut other = owner("old");
    other["spec"]["virtualHost"]["domains"] = json!(["echo.example", "other.example"]);
    other["metadata"]["name"] = "other".into();
    objects.push(other);
    judge(&objects, &wish).expect_err("a third one stays");
}

#[test]
fn a_platform_that_selects_nothing_any_more_is_refused_although_warnings_are_tolerated() {
    let objects = cluster_with_foxtrot();
    let mut typo = app();
    typo["spec"]["virtualHost"]["routes"][0]["delegateAction"]["selector"]["labels"]["apiGroup"] =
        "exmaple".into();
    let judged = judge(&objects, &platform(typo));
    let refusal = judged.expect_err("every team would be offline");
    assert!(matches!(refusal, Refusal::Verdict { .. }), "{refusal}");
}

/// A table of foxtrot with these paths and services, in this order.
fn several(paths: &[(&str, &str)]) -> Value {
    let mut routes = table("foxtrot", "/foxtrot", single("foxtrot"));
    let route = |(path, name): &(&str, &str)| json!({"matchers": [{"prefix": path}], "routeAction": single(name)});
    routes["spec"]["routes"] = paths.iter().map(route).collect();
    routes
}

/// The cluster with such a table of foxtrot, and with golf's Upstream.
fn cluster_with_several(paths: &[(&str, &str)]) -> Vec<Value> {
    let mut objects = cluster_with_foxtrot();
    *objects.last_mut().expect("foxtrot's table") = several(paths);
    objects.extend([service("golf"), upstream("golf")]);
    objects
}

#[test]
fn an_upstream_may_come_that_a_route_of_another_owner_waits_for() {
    let mut objects =
        cluster_with_several(&[("/foxtrot/a", "golf"), ("/foxtrot", "foxtrot"), ("/e", "echo")]);
    let wish = echo(table("echo", "/echo", single("echo")));
    judge(&objects, &wish).expect("foxtrot's route to echo leads nowhere until now");
    objects.extend([service("echo"), upstream("echo")]);
    let taken = echo(table("echo", "/echo", single("echo"))).without(&[upstream("golf")]);
    let refusal = refused(&objects, &taken);
    let is_warned = matches!(refusal, Refusal::Verdict { state: State::Warning, .. });
    assert!(is_warned, "foxtrot's route to golf would lead nowhere: {refusal}");
}

#[test]
fn routes_of_other_owners_may_shadow_each_other_in_a_virtual_host_of_ours() {
    let objects = cluster_with_several(&[("/foxtrot", "foxtrot"), ("/foxtrot/a", "golf")]);
    let mut another = app();
    another["metadata"]["name"] = "another".into();
    another["spec"]["virtualHost"]["domains"] = json!(["another.example"]);
    let own = json!({"matchers": [{"exact": "/healthz"}], "directResponseAction": {"status": 200}});
    another["spec"]["virtualHost"]["routes"].as_array_mut().expect("routes").insert(0, own);
    judge(&objects, &platform(another)).expect("that is foxtrot's affair");
}

#[test]
fn requests_that_two_shared_before_are_no_reason_to_refuse_anything_else() {
    let mut objects = cluster_with_foxtrot();
    let mut shared = table("echo", "/foxtrot", single("echo"));
    objects.extend([service("echo"), upstream("echo"), shared.clone()]);
    shared["spec"]["routes"]
        .as_array_mut()
        .expect("routes")
        .push(json!({"matchers": [{"prefix": "/echo"}], "routeAction": single("echo")}));
    judge(&objects, &echo(shared)).expect("the conflict is an old one");
    let refusal =
        refused(&cluster_with_foxtrot(), &echo(table("echo", "/foxtrot", single("echo"))));
    let Refusal::Conflict(conflict) = &refusal else { panic!("a new one is refused: {refusal}") };
    assert_eq!([&conflict.ours, &conflict.theirs], ["/foxtrot"; 2]);
}

#[test]
fn a_route_of_another_owner_that_fitted_nowhere_may_come_to_be_served() {
    let mut objects = cluster_with_several(&[("/foxtrot/a", "golf"), ("/foxtrot", "foxtrot")]);
    let mut child = table("golf", "/golf", single("golf"));
    child["metadata"]["labels"] = json!({});
    objects.push(child);
    let handing_on = |prefix: &str| {
        let mut hub = table("echo", "/echo", single("echo"));
        let to = json!({"ref": {"name": "golf-routes", "namespace": "golf"}});
        hub["spec"]["routes"] = json!([{"matchers": [{"prefix": prefix}], "delegateAction": to}]);
        hub
    };
    objects.extend([service("echo"), upstream("echo"), handing_on("/narrow")]);
    judge(&objects, &echo(handing_on("/golf"))).expect("golf's route was left out until now");
    *objects.last_mut().expect("echo's table") = handing_on("/golf");
    let refusal = refused(&objects, &echo(handing_on("/narrow")));
    assert!(refusal.to_string().contains("golf-routes"), "it would be left out: {refusal}");
}

#[test]
fn a_mistake_of_ours_that_was_there_is_no_excuse_for_another() {
    let lost = |routes: &[(&str, &str)]| {
        let mut table = table("echo", "/echo", single("echo"));
        let route = |(path, name): &(&str, &str)| json!({"matchers": [{"prefix": path}], "routeAction": single(name)});
        table["spec"]["routes"] = routes.iter().map(route).collect();
        table
    };
    let before = [("/echo", "typo")];
    let mut objects = cluster_with_foxtrot();
    objects.extend([service("echo"), upstream("echo"), lost(&before)]);
    judge(&objects, &echo(lost(&before))).expect("nothing is worse");
    for after in [&[("/echo", "other")][..], &[("/echo", "typo"), ("/more", "typo")]] {
        let refusal = refused(&objects, &echo(lost(after)));
        let is_warned = matches!(refusal, Refusal::Verdict { state: State::Warning, .. });
        assert!(is_warned, "{after:?}: {refusal}");
    }
}
