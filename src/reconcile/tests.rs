//! What a pass asks and says before it writes anything.

use std::time::Duration;

use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::live::Kind;
use crate::render::Owner;
use crate::source::Tree;
use crate::values::Repository;

/// The Gateway and the VirtualService that all share.
fn platform() -> [Value; 2] {
    let object = |kind: &str, spec: Value| {
        json!({"apiVersion": "gateway.solo.io/v1", "kind": kind, "spec": spec,
            "metadata": {"name": "app", "namespace": "gloo-system", "resourceVersion": "1"}})
    };
    let all = json!({"selector": {"labels": {"apiGroup": "a"}, "namespaces": ["*"]}});
    [
        object(
            "Gateway",
            json!({"bindAddress": "::", "bindPort": 8080, "httpGateway": {},
            "proxyNames": ["gateway-proxy"]}),
        ),
        object(
            "VirtualService",
            json!({"virtualHost": {"domains": ["*"], "routes": [
            {"matchers": [{"prefix": "/"}], "delegateAction": all}]}}),
        ),
    ]
}

/// A cluster with nothing but the platform, and an API server that never answers.
fn reconciler() -> Reconciler {
    let (live, _) = Live::new("default", Arc::new(|_, _| ()));
    for kind in Kind::of_services() {
        live.receive(&kind, Event::Init);
        let objects = platform().into_iter().filter(|object| object["kind"] == kind.kind);
        objects.for_each(|object| live.receive(&kind, Event::InitApply(object)));
        live.receive(&kind, Event::InitDone);
    }
    let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
        std::future::pending::<Result<http::Response<kube::client::Body>, kube::Error>>()
    });
    Reconciler {
        cluster: Cluster::behind(kube::Client::new(silent, "default")),
        admission: Admission::new(live.clone()),
        live,
        instance: "default".into(),
        clock: Timestamp::now,
    }
}

fn job(name: &str, paths: &str) -> Job {
    let values = format!(
        "deployment: {{v1: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}, paths: {paths}}}\n"
    );
    let files = [(format!("services/{name}.yaml"), values.as_str().into())].into();
    let read = Repository::parse(&Tree { revision: "r".into(), files });
    let service = read.services.into_values().next().expect("one").expect("valid");
    Job::for_service(&service, &Owner { instance: "default".into(), revision: "r".into() })
}

#[tokio::test]
async fn nobody_reckons_with_a_change_that_was_let_through_and_is_not_wanted_any_more() {
    let reconciler = reconciler();
    let conduct = Conduct {
        timing: Timing { deadline: Duration::ZERO, settle: Duration::ZERO },
        gloo_namespace: "gloo-system".into(),
        policy: Policy::default(),
        drift: Drift::Repair,
    };
    let asked = async |job: &Job| {
        reconciler.admission.ask(job, &BTreeSet::new(), &conduct.gloo_namespace).await
    };
    let (echo, foxtrot) =
        (job("echo", "[{prefix: /common}]"), job("foxtrot", "[{prefix: /common}]"));
    let mut memory = Memory::new(Timestamp::now());
    asked(&echo).await.expect("alone");
    memory.admitted = Some((echo.digest(), 0));
    asked(&foxtrot).await.expect_err("echo is about to have these requests");
    // The next values wait, and are not asked for yet.
    let later = job("echo", "[{prefix: /echo}]");
    let standing = reconciler.pass(&later, &conduct, &mut memory, &|| true, &|_| ()).await;
    assert_eq!(standing, Standing::Superseded);
    asked(&foxtrot).await.expect("nobody else wants them");
}
