//! Answers that no recording shows.

use serde_json::{Value, json};

use super::{Answer, Entry, Outcome, answer};
use crate::{Environment, Memory, Profile, Request, Snapshot, Validation, translate};

const KGATEWAY: Profile = Profile::Kgateway(Validation::Standard);

/// The answer where one rule with these filters leads to the Service `a`.
fn answered(profile: Profile, filters: &Value, request: &Request) -> Answer {
    let environment = Environment { profile, complete: true, ..Environment::default() };
    let mut snapshot = Snapshot::new(environment);
    let listener = json!({ "name": "http", "port": 8000, "protocol": "HTTP" });
    snapshot.upsert(&json!({
        "kind": "Gateway",
        "metadata": { "namespace": "echo", "name": "edge" },
        "spec": { "gatewayClassName": "edge", "listeners": [listener] },
    }));
    for name in ["a", "b"] {
        snapshot.upsert(&json!({
            "kind": "Service",
            "metadata": { "namespace": "echo", "name": name },
            "spec": { "ports": [{ "port": 80 }] },
        }));
        snapshot.upsert(&json!({
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": "echo",
                "name": name,
                "labels": { "kubernetes.io/service-name": name },
            },
            "endpoints": [{ "addresses": [name] }],
            "ports": [{ "name": "", "port": 8090 }],
        }));
    }
    let rule = json!({ "filters": filters, "backendRefs": [{ "name": "a", "port": 80 }] });
    snapshot.upsert(&json!({
        "kind": "HTTPRoute",
        "metadata": { "namespace": "echo", "name": "r" },
        "spec": { "parentRefs": [{ "name": "edge" }], "rules": [rule] },
    }));
    let translation = translate(&snapshot, &Memory::default());
    answer(&translation, &Entry::http("echo", "edge", 8000), request)
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Request {
        method: method.into(),
        host: "a.test:8000".into(),
        path: "/x".into(),
        headers: headers.collect(),
    }
}

#[test]
fn a_question_before_a_request_is_answered_for_allowed_origins() {
    let filter = json!([{ "type": "CORS", "cors": {
        "allowOrigins": ["https://*.b.test"], "allowMethods": ["GET", "PUT"], "allowHeaders": ["*"],
    }}]);
    let ask = |origin| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "x-a"),
        ];
        answered(KGATEWAY, &filter, &request("OPTIONS", &headers))
    };
    let allowed = ask("https://a.b.test");
    let status = Outcome::Status { status: 200, body: String::new(), location: None };
    assert_eq!(allowed.outcomes, [(status, 1.0)]);
    let expected = [
        ("access-control-allow-origin", "https://a.b.test"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "x-a"),
        ("access-control-max-age", "5"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(allowed.response_headers, expected);
    // All but the word that it is allowed (case 05-cors).
    assert_eq!(ask("https://b.test").response_headers, expected[1..]);
}

#[test]
fn a_copy_goes_out_with_another_host_by_kgateway_alone() {
    let filter = json!([{ "type": "RequestMirror", "requestMirror": {
        "backendRef": { "name": "b", "port": 80 }, "percent": 25,
    }}]);
    for (profile, host) in
        [(KGATEWAY, "a.test-shadow:8000"), (Profile::EnvoyGateway, "a.test:8000")]
    {
        let answer = answered(profile, &filter, &request("GET", &[]));
        let [copied] = answer.mirrors.as_slice() else { panic!("{answer:?}") };
        assert_eq!((copied.share, copied.host.as_str()), (0.25, host));
    }
}

#[test]
fn a_new_host_reaches_the_backend() {
    let filter = json!([{ "type": "URLRewrite", "urlRewrite": { "hostname": "new.test" } }]);
    for profile in [KGATEWAY, Profile::EnvoyGateway] {
        let answer = answered(profile, &filter, &request("GET", &[]));
        let (outcome, _) = &answer.outcomes[0];
        let forwarded = answer.forwarded_to(outcome).expect("a backend received it");
        assert_eq!((forwarded.host.as_str(), forwarded.path.as_str()), ("new.test", "/x"));
    }
}
