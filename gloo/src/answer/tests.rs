use serde_json::{Value, json};

use crate::{Entry, Memory, Outcome, Request, Snapshot, answer, translate};

/// A route to `echo` (10.0.0.1 and 10.0.0.2) with these options.
fn with(options: Value) -> Value {
    json!({ "routeAction": { "single": { "upstream": { "name": "echo" } } }, "options": options })
}

/// What may happen to a request that this one route takes, `/` of `app.example:80`.
fn answered(route: &Value) -> crate::Answer {
    asked(route, "GET", &[("Cluster", "idle_gloo-system")])
}

/// The same, with another method and other headers.
fn asked(route: &Value, method: &str, headers: &[(&str, &str)]) -> crate::Answer {
    let mut snapshot = Snapshot::default();
    let mut put = |kind: &str, name: &str, spec: Value| {
        let metadata = json!({ "namespace": "gloo-system", "name": name });
        snapshot.upsert(&json!({ "kind": kind, "metadata": metadata, "spec": spec }));
    };
    let host = |addr: &str, weight: u32| json!({ "addr": addr, "port": 80, "loadBalancingWeight": weight });
    put("Gateway", "gateway-proxy", json!({ "httpGateway": {} }));
    put("VirtualService", "app", json!({ "virtualHost": { "routes": [route] } }));
    put(
        "Upstream",
        "echo",
        json!({ "static": { "hosts": [host("10.0.0.1", 1), host("10.0.0.2", 3)] } }),
    );
    put("Upstream", "idle", json!({ "static": { "hosts": [host("10.0.0.3", 0)] } }));
    let request = Request {
        method: method.into(),
        host: "app.example:80".into(),
        path: "/".into(),
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    };
    answer(&translate(&snapshot, &Memory::default()), &Entry::http(0), &request)
}

/// Who answers, how likely in percent: a status, or an address.
fn shares(outcomes: &[(Outcome, f64)]) -> Vec<(String, f64)> {
    let name = |outcome: &Outcome| match outcome {
        Outcome::Refused => "refused".to_owned(),
        other @ (Outcome::Closed | Outcome::TlsFailed | Outcome::Unknown) => format!("{other:?}"),
        Outcome::Status { status, body, .. } => format!("{status} {body}").trim_end().to_owned(),
        Outcome::Endpoint { address, .. } => address.clone(),
    };
    outcomes.iter().map(|(outcome, share)| (name(outcome), share * 100.0)).collect()
}

fn expected(shares: &[(&str, f64)]) -> Vec<(String, f64)> {
    shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect()
}

#[test]
fn a_made_up_answer_takes_its_share_of_the_requests() {
    let faulty = |percentage: u32| {
        let abort = json!({ "percentage": percentage, "httpStatus": 418 });
        shares(&answered(&with(json!({ "faults": { "abort": abort } }))).outcomes)
    };
    let echo = [("10.0.0.1", 25.0), ("10.0.0.2", 75.0)];
    assert_eq!(faulty(0), expected(&echo));
    let made_up = ("418 fault filter abort", 50.0);
    assert_eq!(faulty(50), expected(&[made_up, ("10.0.0.1", 12.5), ("10.0.0.2", 37.5)]));
    assert_eq!(faulty(100), expected(&[("418 fault filter abort", 100.0)]));
    assert_eq!(faulty(200), faulty(100), "more than all is all");
}

#[test]
fn a_mirror_gets_its_share_of_copies() {
    let copies = |percentage: f64| {
        let upstream = json!({ "name": "echo", "namespace": "gloo-system" });
        let shadowing = json!({ "upstream": upstream, "percentage": percentage });
        answered(&with(json!({ "shadowing": shadowing }))).mirrors
    };
    assert_eq!(copies(0.0), []);
    let half = copies(50.0);
    assert_eq!(half.len(), 1);
    assert!((half[0].0 - 0.5).abs() < f64::EPSILON, "{half:?}");
    assert_eq!(shares(&half[0].1), expected(&[("10.0.0.1", 25.0), ("10.0.0.2", 75.0)]));
    assert!((copies(0.0001)[0].0 - 1e-6).abs() < f64::EPSILON);
}

#[test]
fn weights_share_requests_and_equal_outcomes_are_one() {
    let to = |upstream: &str, weight: u32| json!({ "destination": { "upstream": { "name": upstream } }, "weight": weight });
    let destinations = [to("echo", 2), to("idle", 0), to("gone", 1), to("lost", 1)];
    let route = json!({ "routeAction": { "multi": { "destinations": destinations } } });
    let echo = [("10.0.0.1", 12.5), ("10.0.0.2", 37.5)];
    assert_eq!(shares(&answered(&route).outcomes), expected(&[echo[0], echo[1], ("503", 50.0)]));
}

#[test]
fn a_header_may_name_the_cluster() {
    let by = |header: &str| {
        shares(&answered(&json!({ "routeAction": { "clusterHeader": header } })).outcomes)
    };
    assert_eq!(by("cluster"), expected(&[("503 no healthy upstream", 100.0)]));
    assert_eq!(by("other"), expected(&[("503", 100.0)]));
}

#[test]
fn a_redirect_drops_the_port_where_it_no_longer_fits() {
    let location = |action: Value| match &answered(&json!({ "redirectAction": action })).outcomes[..]
    {
        [(Outcome::Status { location: Some(location), .. }, _)] => location.clone(),
        other => panic!("no redirect: {other:?}"),
    };
    assert_eq!(location(json!({})), "http://app.example:80/");
    assert_eq!(location(json!({ "httpsRedirect": true })), "https://app.example/");
    assert_eq!(location(json!({ "portRedirect": 8443 })), "http://app.example:8443/");
    assert_eq!(location(json!({ "hostRedirect": "b:80", "httpsRedirect": true })), "https://b:80/");
}

#[test]
fn a_browsers_preflight_is_answered_for_allowed_origins_only() {
    const METHOD: (&str, &str) = ("Access-Control-Request-Method", "PUT");
    let is_answered = |method: &str, cors: Value, headers: &[(&str, &str)]| {
        let answer = asked(&with(json!({ "cors": cors })), method, headers);
        let own = shares(&answer.outcomes) == expected(&[("200", 100.0)]);
        assert_eq!(answer.forwarded.is_none(), own, "{method} {cors} {headers:?}");
        own
    };
    let from = |origin| [("Origin", origin), METHOD];
    let named = || json!({ "allowOrigin": ["https://a.example", "https://b.example"] });
    assert!(is_answered("OPTIONS", named(), &from("https://a.example")));
    assert!(is_answered("OPTIONS", named(), &from("https://b.example")));
    assert!(!is_answered("OPTIONS", named(), &from("https://c.example")));
    assert!(!is_answered("GET", named(), &from("https://a.example")));
    assert!(!is_answered("OPTIONS", named(), &[("Origin", "https://a.example")]));
    assert!(!is_answered("OPTIONS", named(), &from("")));
    assert!(!is_answered("OPTIONS", named(), &[METHOD]));
    assert!(is_answered("OPTIONS", json!({ "allowOrigin": ["*"] }), &from("https://c.example")));
    let regex = || json!({ "allowOriginRegex": ["https://[ab].example"] });
    assert!(is_answered("OPTIONS", regex(), &from("https://b.example")));
    assert!(!is_answered("OPTIONS", regex(), &from("https://c.example")));
    let mut disabled = named();
    disabled["disableForRoute"] = true.into();
    assert!(!is_answered("OPTIONS", disabled, &from("https://a.example")));
}

#[test]
fn a_backend_gets_the_host_that_the_route_says() {
    let host = |route: &Value, headers: &[(&str, &str)]| {
        asked(route, "GET", headers).forwarded.expect("forwarded").host
    };
    let app = Some("app.example:80".to_owned());
    assert_eq!(host(&with(json!({})), &[]), app);
    let auto = |route: &mut Value| route["options"] = json!({ "autoHostRewrite": true });
    let mut named = with(json!({}));
    auto(&mut named);
    assert_eq!(host(&named, &[]), None, "that of the static Upstream's endpoint");
    let to = |name: &str| json!({ "destination": { "upstream": { "name": name } }, "weight": 1 });
    let mut several =
        json!({ "routeAction": { "multi": { "destinations": [to("idle"), to("echo")] } } });
    auto(&mut several);
    assert_eq!(host(&several, &[]), None);
    let mut by_header = json!({ "routeAction": { "clusterHeader": "cluster" } });
    auto(&mut by_header);
    assert_eq!(host(&by_header, &[]), app, "nothing tells the endpoint's name");
    let header = with(json!({ "hostRewriteHeader": "X-Host" }));
    assert_eq!(host(&header, &[("x-host", "b.example")]).as_deref(), Some("b.example"));
    assert_eq!(host(&header, &[("x-host", "")]), app);
    assert_eq!(host(&header, &[]), app);
    let literal = with(json!({ "hostRewrite": "c.example" }));
    assert_eq!(host(&literal, &[]).as_deref(), Some("c.example"));
}

#[test]
fn a_direct_answer_with_the_status_of_a_redirect_leads_to_the_request_itself() {
    let location = |status: u32| {
        let route = json!({ "directResponseAction": { "status": status, "body": "" } });
        match &answered(&route).outcomes[..] {
            [(Outcome::Status { location, .. }, _)] => location.clone(),
            other => panic!("no answer: {other:?}"),
        }
    };
    let own = Some("http://app.example:80/".to_owned());
    assert_eq!([299, 300, 399, 400].map(location), [None, own.clone(), own, None]);
}
