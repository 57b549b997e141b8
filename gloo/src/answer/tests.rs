use serde_json::{Value, json};

use crate::{Memory, Outcome, Request, Snapshot, answer, translate};

/// A route to `echo` (10.0.0.1 and 10.0.0.2) with these options.
fn with(options: Value) -> Value {
    json!({ "routeAction": { "single": { "upstream": { "name": "echo" } } }, "options": options })
}

/// What may happen to a request that this one route takes, `/` of `app.example:80`.
fn answered(route: &Value) -> crate::Answer {
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
        method: "GET".into(),
        host: "app.example:80".into(),
        path: "/".into(),
        headers: vec![("Cluster".into(), "idle_gloo-system".into())],
    };
    answer(&translate(&snapshot, &Memory::default()), &request)
}

/// Who answers, how likely in percent: a status, or an address.
fn shares(outcomes: &[(Outcome, f64)]) -> Vec<(String, f64)> {
    let name = |outcome: &Outcome| match outcome {
        Outcome::Refused => "refused".to_owned(),
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
