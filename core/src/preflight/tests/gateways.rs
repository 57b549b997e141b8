//! Several Gateways: what is wrong on one is no matter of the others, and what is not modelled is no harm.

use super::*;

fn gateway(name: &str, port: u16, spec: Value) -> Value {
    let mut object = json!({"apiVersion": "gateway.solo.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": "gloo-system"}, "spec": spec});
    object["spec"]["bindAddress"] = json!("127.0.0.1");
    object["spec"]["bindPort"] = json!(port);
    object
}

fn host(name: &str, domain: &str, team: &str, action: Value) -> Value {
    let mut route = action;
    route["matchers"] = json!([{"prefix": "/"}]);
    json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "teams", "labels": {"gw": team}},
        "spec": {"virtualHost": {"domains": [domain], "routes": [route]}}})
}

fn direct(status: u16) -> Value {
    json!({"directResponseAction": {"status": status, "body": "here"}})
}

fn with_tls(mut object: Value, names: &[&str]) -> Value {
    object["spec"]["sslConfig"] =
        json!({"secretRef": {"name": "cert", "namespace": "teams"}, "sniDomains": names});
    object
}

/// The usual installation: a plain Gateway and an ssl one; and a private one by labels.
fn ordinary() -> Vec<Value> {
    let private = json!({"httpGateway": {"virtualServiceSelector": {"gw": "private"}}});
    let public = json!({"httpGateway": {"virtualServiceExpressions": {"expressions": [
        {"key": "gw", "operator": "NotIn", "values": ["private"]}]}}});
    let mut objects = cluster_with_foxtrot();
    objects.retain(|object| object["kind"] != "Gateway");
    objects.extend([
        gateway("gateway-proxy", 8080, public),
        gateway("gateway-proxy-ssl", 8443, json!({"ssl": true, "httpGateway": {}})),
        gateway("private", 8081, private),
    ]);
    objects
}

fn echo_comes() -> ProposedChange {
    echo(table("echo", "/echo", single("echo")))
}

#[test]
fn a_virtual_service_with_tls_holds_nobody_up() {
    let mut objects = ordinary();
    objects.push(with_tls(host("secure", "a.example", "x", direct(200)), &["a.example"]));
    objects.push(host(
        "plain",
        "a.example",
        "x",
        json!({"redirectAction": {"httpsRedirect": true}}),
    ));
    let prediction = judge(&objects, &echo_comes()).expect("harmless");
    assert_eq!(prediction.blocked_by, None);
}

#[test]
fn what_freezes_one_gateway_holds_up_what_it_serves_and_nothing_else() {
    let mut objects = ordinary();
    objects.push(host("bad", "a.example", "private", direct(600)));
    let prediction = judge(&objects, &echo_comes()).expect("harmless");
    assert_eq!(prediction.blocked_by, None, "echo is served by another Gateway");
    objects.pop();
    objects.push(host("bad", "a.example", "public", direct(600)));
    let prediction = judge(&objects, &echo_comes()).expect("harmless");
    let blocker = prediction.blocked_by.expect("frozen").to_string();
    assert!(blocker.contains("Gateway gloo-system/gateway-proxy"), "{blocker}");
}

#[test]
fn names_that_overlap_freeze_the_ssl_gateway_alone() {
    let mut objects = ordinary();
    let mut other =
        with_tls(host("two", "b.example", "x", direct(200)), &["b.example", "a.example"]);
    other["spec"]["sslConfig"]["secretRef"]["name"] = json!("other");
    objects.push(with_tls(host("one", "a.example", "x", direct(200)), &["a.example"]));
    objects.push(other);
    let baseline = Baseline::new(cluster(&objects));
    let blocks: Vec<Blocks> = baseline.broken().into_iter().map(|it| it.blocks).collect();
    let ssl = ObjectRef::new("Gateway", "gloo-system", "gateway-proxy-ssl");
    assert!(!blocks.is_empty() && blocks.iter().all(|it| *it == Blocks::Gateway(ssl.clone())));
    assert_eq!(judge(&objects, &echo_comes()).expect("harmless").blocked_by, None);
}

#[test]
fn one_domain_on_two_gateways_is_no_conflict() {
    let objects: Vec<Value> =
        ordinary().into_iter().chain([host("one", "a.example", "private", direct(200))]).collect();
    let own = host("two", "a.example", "public", direct(200));
    judge(&objects, &platform(own)).expect("another Gateway serves it");
    let refusal = refused(&objects, &platform(host("two", "a.example", "private", direct(200))));
    assert!(matches!(refusal, Refusal::Verdict { .. }), "{refusal}");
}

#[test]
fn options_and_kinds_that_are_not_modelled_are_no_harm() {
    for (option, value) in [
        ("extauth", json!({"disable": true})),
        ("jwt", json!({})),
        ("ratelimitBasic", json!({})),
        ("stagedTransformations", json!({"regular": {}})),
        ("bufferPerRoute", json!({"disabled": true})),
        ("csrf", json!({})),
        ("waf", json!({"disabled": true})),
    ] {
        let mut routes = table("echo", "/echo", single("echo"));
        routes["spec"]["routes"][0]["options"] = json!({ option: value });
        judge(&ordinary(), &echo(routes)).unwrap_or_else(|refusal| panic!("{option}: {refusal}"));
    }
    for (part, value) in [
        ("sslConfig", json!({"secretRef": {"name": "cert", "namespace": "echo"}})),
        (
            "healthChecks",
            json!([{"healthyThreshold": 1, "unhealthyThreshold": 1, "interval": "1s",
            "timeout": "1s", "tcpHealthCheck": {}}]),
        ),
        ("proxyProtocolVersion", json!("V1")),
    ] {
        let mut upstream = upstream("echo");
        upstream["spec"][part] = value;
        let mut wish = echo_comes();
        wish.desired.upstreams = vec![manifest(upstream)];
        judge(&ordinary(), &wish).unwrap_or_else(|refusal| panic!("{part}: {refusal}"));
    }
    for (name, spec) in [
        (
            "tcp",
            json!({"tcpGateway": {"tcpHosts": [{"destination": {"single": {"upstream":
            {"name": "foxtrot", "namespace": "foxtrot"}}}}]}}),
        ),
        ("hybrid", json!({"hybridGateway": {"delegatedHttpGateways": {}}})),
    ] {
        let objects: Vec<Value> =
            ordinary().into_iter().chain([gateway(name, 9000, spec)]).collect();
        let prediction = judge(&objects, &echo_comes()).expect("harmless");
        assert_eq!(prediction.blocked_by, None, "{name}");
    }
}

#[test]
fn protection_that_the_open_source_gloo_drops_is_told_before() {
    let mut routes = table("echo", "/echo", single("echo"));
    routes["spec"]["routes"][0]["options"] = json!({"waf": {}});
    let change = echo(routes).change();
    let judged = |edition| {
        let environment = gloo::Environment { edition, ..gloo::Environment::default() };
        let live = cluster(&ordinary()).within(environment);
        Baseline::new(live).check(std::slice::from_ref(&change)).remove(0)
    };
    let refusal = judged(gloo::Edition::OpenSource).expect_err("without the waf");
    assert!(matches!(refusal, Refusal::Route { .. }), "{refusal}");
    judged(gloo::Edition::Enterprise).expect("it has one");
    judged(gloo::Edition::Unknown).expect("nobody knows");
}

#[test]
fn an_upstream_that_envoy_refuses_would_freeze_everybody_and_is_refused() {
    let mut upstream = upstream("echo");
    upstream["spec"]["loadBalancerConfig"] = json!({"ringHash": {"ringHashConfig":
        {"minimumRingSize": 1024, "maximumRingSize": 64}}});
    let mut wish = echo_comes();
    wish.desired.upstreams = vec![manifest(upstream.clone())];
    let refusal = refused(&ordinary(), &wish);
    assert!(matches!(refusal, Refusal::Clusters { .. }), "{refusal}");
    // One that is there already holds everybody up.
    upstream["metadata"] = json!({"name": "ring", "namespace": "teams"});
    upstream["spec"]["kube"] = json!({"serviceName": "foxtrot", "serviceNamespace": "foxtrot",
        "servicePort": 80});
    let objects: Vec<Value> = ordinary().into_iter().chain([upstream]).collect();
    let prediction = judge(&objects, &echo_comes()).expect("harmless");
    assert!(matches!(prediction.blocked_by, Some(Blocker::Everything { .. })), "{prediction:?}");
}

#[test]
fn a_tcp_host_without_destination_would_end_gloo_and_is_refused() {
    let tcp = gateway("tcp", 9000, json!({"tcpGateway": {"tcpHosts": [{"name": "x"}]}}));
    let refusal = refused(&ordinary(), &platform(tcp));
    assert!(matches!(refusal, Refusal::Crash { .. }), "{refusal}");
}

#[test]
fn a_port_that_another_gateway_has_is_refused() {
    let second = gateway("second", 8080, json!({"httpGateway": {}}));
    let refusal = refused(&ordinary(), &platform(second));
    assert!(matches!(refusal, Refusal::Verdict { state: State::Rejected, .. }), "{refusal}");
}

#[test]
fn namespaces_that_gloo_may_not_look_at_hold_up_nobody() {
    let settings = |spec: Value| {
        json!({"apiVersion": "gloo.solo.io/v1", "kind": "Settings",
            "metadata": {"name": "default", "namespace": "gloo-system"}, "spec": spec})
    };
    let selectors = json!({"watchNamespaceSelectors": [{"matchLabels": {"gloo": "yes"}}]});
    let names = json!({"watchNamespaces": ["echo", "foxtrot"]});
    let mut undecodable = table("far", "/far", single("far"));
    undecodable["spec"] = json!("nothing that Gloo knows");
    for bad in [host("bad", "a.example", "public", direct(600)), undecodable] {
        let objects = |spec: &Value| -> Vec<Value> {
            ordinary().into_iter().chain([settings(spec.clone()), bad.clone()]).collect()
        };
        let everywhere = judge(&objects(&json!({})), &echo_comes()).expect("harmless");
        assert!(everywhere.blocked_by.is_some(), "{bad}");
        for spec in [&selectors, &names] {
            let prediction = judge(&objects(spec), &echo_comes()).expect("harmless");
            assert_eq!(prediction.blocked_by, None, "{spec}");
            let broken = Baseline::new(cluster(&objects(spec))).broken();
            assert!(broken.iter().all(|it| it.blocks == Blocks::Nothing), "{broken:?}");
        }
    }
}

#[test]
fn shared_options_are_judged_as_if_they_stood_where_they_are_used() {
    let option = |headers: Value| {
        json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteOption",
            "metadata": {"name": "shared", "namespace": "teams"},
            "spec": {"options": {"headerManipulation": {"requestHeadersToAdd": [headers]}}}})
    };
    let good = option(json!({"header": {"key": "x-team", "value": "a"}}));
    let mut using = table("foxtrot", "/foxtrot", single("foxtrot"));
    using["spec"]["routes"][0]["optionsConfigRefs"] =
        json!({"delegateOptions": [{"name": "shared", "namespace": "teams"}]});
    let objects: Vec<Value> = ordinary().into_iter().chain([using, good]).collect();
    judge(&objects, &platform(option(json!({"header": {"key": "x-other", "value": "a"}}))))
        .expect("harmless");
    let refusal = refused(&objects, &platform(option(json!({"header": {"key": "host"}}))));
    assert!(matches!(refusal, Refusal::Route { .. }), "{refusal}");
}

/// Secrets are not read, so that Gloo's own word on the Gateway is what tells of one that is missing.
#[test]
fn a_secret_that_gloo_misses_holds_up_what_the_gateway_serves_until_nothing_names_it() {
    let reason = "1 error occurred:\n\t* Listener Error: SSLConfigError. Reason: SSL secret not found: \
                  list did not find secret teams.cert\n\n";
    let ssl = |state: &str| {
        let mut ssl = gateway("gateway-proxy-ssl", 8443, json!({"ssl": true, "httpGateway": {}}));
        ssl["status"]["statuses"]["gloo-system"] = json!({"state": state, "reason": reason});
        ssl
    };
    let secure = with_tls(host("secure", "a.example", "x", direct(200)), &["a.example"]);
    let mut moved = secure.clone();
    moved["spec"]["virtualHost"]["routes"][0]["directResponseAction"]["status"] = json!(201);
    let blocked = |state: &str, wish: &ProposedChange| {
        let objects: Vec<Value> =
            ordinary().into_iter().chain([ssl(state), secure.clone()]).collect();
        judge(&objects, wish).expect("harmless").blocked_by.map(|it| it.to_string())
    };
    assert_eq!(blocked("Rejected", &echo_comes()), None, "another Gateway serves it");
    assert_eq!(blocked("Accepted", &platform(moved.clone())), None);
    let words = blocked("Rejected", &platform(moved.clone())).expect("frozen");
    for part in ["VirtualService teams/secure", "gateway-proxy-ssl", "find secret teams.cert"] {
        assert!(words.contains(part), "{words}");
    }
    moved["spec"]["sslConfig"]["secretRef"]["name"] = json!("other");
    assert_eq!(blocked("Rejected", &platform(moved)), None, "this repairs it");
    let objects: Vec<Value> =
        ordinary().into_iter().chain([ssl("Rejected"), secure.clone()]).collect();
    let broken = Baseline::new(cluster(&objects)).broken();
    let gateway = ObjectRef::new("Gateway", "gloo-system", "gateway-proxy-ssl");
    assert_eq!(broken[0].blocks, Blocks::Gateway(gateway), "{broken:?}");
}
