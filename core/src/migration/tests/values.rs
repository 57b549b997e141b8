//! Values that render what Gloo's objects mean.

use serde_json::json;

use super::super::{Cause, Kind, Migration};
use super::articles::{CANARY, SERVICE};
use super::carried::TEAMS;
use super::{kinds, valued};
use crate::values::Profile;

const DEPLOYMENT: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo-v2, namespace: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo, version: v2}}
  template:
    metadata: {labels: {app: echo, version: v2}}
    spec:
      containers:
      - name: echo-v2
        image: hashicorp/http-echo
        args: ['-text=version:v2', '-listen=:8080']
        imagePullPolicy: Always
        ports: [{containerPort: 8080}]
";

fn file<'a>(migration: &'a Migration, path: &str) -> &'a serde_json::Value {
    migration.files.get(path).unwrap_or_else(|| panic!("no {path} in {:?}", migration.files))
}

#[test]
fn the_first_articles_canary_becomes_values() {
    let migration = valued(&format!("{SERVICE}{CANARY}{DEPLOYMENT}"), Profile::Kgateway);
    assert_eq!(migration.not_carried, []);
    let echo = file(&migration, "services/echo.yaml");
    assert_eq!(
        echo["routes"],
        json!({
            "domains": ["*"],
            "paths": [{"prefix": "/"}],
            "primary": {"version": "v1"},
            "canary": {"version": "v2", "headers": {"stage": {"value": "canary"}}, "weight": 25},
        })
    );
    assert_eq!(echo["service"], json!({"port": 80, "targetPort": 8080}));
    assert_eq!(echo["deployment"]["v1"], json!({"external": true}));
    let v2 = &echo["deployment"]["v2"];
    assert_eq!((&v2["replicas"], &v2["image"]), (&json!(2), &json!("hashicorp/http-echo")));
    let settings = file(&migration, "coalmine.yaml");
    assert_eq!(settings["gateway"]["gateways"], json!([{"name": "edge", "namespace": "infra"}]));
    assert_eq!(
        kinds(&migration),
        [Kind::MissingPods, Kind::Slashes],
        "{:#?}",
        migration.differences
    );
}

#[test]
fn a_deployment_of_which_values_say_less_stays_its_owners() {
    let sidecar = DEPLOYMENT.replace("replicas: 2", "replicas: 2\n  minReadySeconds: 5");
    let migration = valued(&format!("{SERVICE}{CANARY}{sidecar}"), Profile::Kgateway);
    let echo = file(&migration, "services/echo.yaml");
    assert_eq!(echo["deployment"]["v2"], json!({"external": true}));
    let note =
        migration.notes.iter().find(|note| note.contains("Deployment echo/echo-v2")).unwrap();
    assert!(note.ends_with("values do not say its spec.minReadySeconds"), "{note}");
}

#[test]
fn two_teams_become_services_below_a_parent_with_kgateway() {
    let migration = valued(
        &TEAMS.replace("options: {retries: {retryOn: 5xx, numRetries: 2}}", "name: f"),
        Profile::Kgateway,
    );
    let parent = file(&migration, "platform/gloo-system-app.yaml");
    assert_eq!(parent["spec"]["hostnames"], json!(["app.example.com"]));
    // The two routes of echo have other options for requests with the header: values have one set of them.
    let lack =
        migration.not_carried.iter().find(|it| it.object == "RouteTable echo/echo-routes").unwrap();
    assert_eq!(lack.code, Cause::Route);
    let same = TEAMS.replace("prefixRewrite: /, timeout: 5s", "prefixRewrite: /");
    let migration = valued(&same, Profile::Kgateway);
    let echo = file(&migration, "services/echo.yaml");
    assert_eq!(echo["routes"]["apiGroup"], "example");
    assert_eq!(
        echo["routes"]["paths"],
        json!([{"prefix": "/echo", "options": {"prefixRewrite": "/"}}])
    );
    assert_eq!(echo["routes"]["canary"]["weight"], 0);
    // The table that is named by the VirtualService is below the same parent.
    let foxtrot = file(&migration, "services/foxtrot.yaml");
    assert_eq!(foxtrot["routes"]["apiGroup"], "app");
    let parent = file(&migration, "platform/gloo-system-app.yaml");
    assert_eq!(parent["spec"]["rules"].as_array().map(Vec::len), Some(2));
    assert!(!kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}

#[test]
fn what_values_cannot_say_is_named_and_what_becomes_of_its_requests_is_shown() {
    let several = TEAMS.replace("selector: {app: echo}", "selector: {name: echo}");
    let migration = valued(&several, Profile::EnvoyGateway);
    let lack =
        migration.not_carried.iter().find(|it| it.object == "RouteTable echo/echo-routes").unwrap();
    assert!(lack.why.starts_with("Service echo/echo selects pods by `name: echo`"), "{}", lack.why);
    assert!(!migration.files.contains_key("services/echo.yaml"));
    assert!(kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}

#[test]
fn what_the_reader_of_values_refuses_is_named_with_its_words() {
    // Two services with one domain: values give it to one of them.
    let migration = valued(
        &TEAMS.replace("prefixRewrite: /, timeout: 5s", "prefixRewrite: /"),
        Profile::EnvoyGateway,
    );
    let refused = migration.not_carried.iter().find(|it| it.code == Cause::Refused).unwrap();
    assert!(refused.why.starts_with("values cannot say it: "), "{}", refused.why);
    assert!(refused.at.as_deref().unwrap().starts_with("gloo.yaml:"), "{refused:?}");
}

#[test]
fn services_of_every_host_need_no_parent_with_another_profile_than_kgateway() {
    let same = TEAMS.replace("prefixRewrite: /, timeout: 5s", "prefixRewrite: /");
    let migration = valued(&same.replace("app.example.com", "'*'"), Profile::EnvoyGateway);
    for name in ["echo", "foxtrot"] {
        let values = file(&migration, &format!("services/{name}.yaml"));
        assert_eq!(values["routes"]["apiGroup"], "app");
    }
    assert!(migration.files.keys().all(|path| !path.starts_with("platform/")));
    assert!(!kinds(&migration).contains(&Kind::Answer), "{:#?}", migration.differences);
}
