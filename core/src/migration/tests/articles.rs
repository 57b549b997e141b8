//! What the articles write by hand.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::Cause;
use super::{Kind, kinds, migrated, object};
use crate::values::Profile;

pub(super) const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: echo}
spec:
  ports: [{port: 80, targetPort: 8080, protocol: TCP}]
  selector: {app: echo}
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: echo, namespace: gloo-system}
spec:
  kube:
    selector: {app: echo}
    serviceName: echo
    serviceNamespace: echo
    servicePort: 80
    subsetSpec: {selectors: [{keys: [version]}]}
---
";

/// The canary of the first article, in the middle of its second phase.
pub(super) const CANARY: &str = "
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: echo, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers:
      - headers: [{name: stage, value: canary}]
        prefix: /
      routeAction:
        single:
          upstream: {name: echo, namespace: gloo-system}
          subset: {values: {version: v2}}
    - matchers: [{prefix: /}]
      routeAction:
        multi:
          destinations:
          - destination:
              upstream: {name: echo, namespace: gloo-system}
              subset: {values: {version: v1}}
            weight: 75
          - destination:
              upstream: {name: echo, namespace: gloo-system}
              subset: {values: {version: v2}}
            weight: 25
";

#[test]
fn the_first_articles_canary_becomes_an_http_route_and_a_service_per_version() {
    let migration = migrated(&format!("{SERVICE}{CANARY}"), Profile::Kgateway);
    assert_eq!(migration.not_carried, []);
    let version = object(&migration, "Service", "echo-v2");
    assert_eq!(version["spec"]["selector"], json!({"app": "echo", "version": "v2"}));
    assert_eq!(version["metadata"]["namespace"], "echo");
    let rules = &object(&migration, "HTTPRoute", "echo")["spec"]["rules"];
    assert_eq!(rules[0]["backendRefs"][0]["name"], "echo-v2");
    let weights = |index: usize| rules[1]["backendRefs"][index]["weight"].clone();
    assert_eq!([weights(0), weights(1)], [75, 25]);
    object(&migration, "ReferenceGrant", "from-gloo");
    assert!(migration.requests >= 20, "{}", migration.requests);
}

#[test]
fn only_missing_pods_tell_the_first_articles_canary_from_gloos() {
    for profile in Profile::ALL {
        let migration = migrated(&format!("{SERVICE}{CANARY}"), profile);
        assert_eq!(
            kinds(&migration),
            [Kind::MissingPods, Kind::Slashes],
            "{:#?}",
            migration.differences
        );
    }
}

#[test]
fn a_prefix_by_letters_is_named_by_a_request_that_shows_it() {
    let canary = CANARY.replace("prefix: /", "prefix: /echo");
    let migration = migrated(&format!("{SERVICE}{canary}"), Profile::EnvoyGateway);
    assert_eq!(kinds(&migration), [Kind::PrefixByElement, Kind::MissingPods, Kind::Slashes]);
    let first = &migration.differences[0];
    assert!(first.request.ends_with("'http://anything.example/echomore'"), "{}", first.request);
    assert_eq!(first.after, "404");
}

/// The objects of each step of a recorded case.
macro_rules! steps {
    ($case:literal: $($number:literal)*) => {
        ($case, &[$(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/../gloo/conformance/cases/", $case, "/", $number, ".yaml"
        ))),*])
    };
}

/// The hand-written objects of the five articles, step by step, as they were recorded with Gloo.
const ARTICLES: [(&str, &[&str]); 6] = [
    steps!("01-two-phased-part1": 1 2 3 4 5 6 7 8),
    steps!("02-two-teams-part2": 1 2 3 4 5),
    steps!("02-two-teams-part2": 1 2 3 4 7 8 9),
    steps!("02-part2-first-table-as-printed": 1),
    steps!("03-chart-part3": 1 2 3 4 5 6 7),
    steps!("04-petstore-2019": 1 2 3 4 5 6 7),
];

/// A step's objects take the place of those of the same kind and name.
fn apply(known: &mut BTreeMap<String, String>, step: &str) {
    for document in step.split("\n---\n") {
        let value: serde_json::Value = serde_yaml::from_str(document).unwrap();
        let metadata = &value["metadata"];
        let name = format!("{} {} {}", value["kind"], metadata["namespace"], metadata["name"]);
        known.insert(name, document.to_owned());
    }
}

#[test]
fn every_step_of_the_articles_is_carried_over_and_answered_alike_but_for_what_is_known() {
    const KNOWN: [Kind; 5] =
        [Kind::PrefixByElement, Kind::MissingPods, Kind::Port, Kind::Slashes, Kind::Path];
    for (case, steps) in ARTICLES {
        let mut objects = BTreeMap::new();
        for (index, step) in steps.iter().enumerate() {
            apply(&mut objects, step);
            let documents: Vec<String> = objects.values().cloned().collect();
            let text = documents.join("\n---\n");
            for profile in Profile::ALL {
                let migration = migrated(&text, profile);
                let at = format!("{case}, step {}, {profile}", index + 1);
                // One step writes an Upstream's name wrong, and the page says what comes of it.
                let lacks = migration.not_carried.iter();
                let lacks: Vec<&str> = lacks.map(|it| it.object.as_str()).collect();
                let is_typo = text.contains("echo-typo");
                let expected: &[&str] =
                    if is_typo { &["Upstream gloo-system/echo-typo"] } else { &[] };
                assert_eq!(lacks, expected, "{at}");
                if is_typo {
                    continue;
                }
                let other = migration.differences.iter().find(|it| !KNOWN.contains(&it.kind));
                assert_eq!(other, None, "{at}");
            }
        }
    }
}

#[test]
fn the_port_that_the_first_article_prints_is_named() {
    let text = format!("{SERVICE}{CANARY}").replace("servicePort: 80", "servicePort: 8080");
    let migration = migrated(&text, Profile::Kgateway);
    let lack = migration.not_carried.iter().find(|it| it.code == Cause::Backend).unwrap();
    assert_eq!(
        (lack.object.as_str(), lack.field.as_str()),
        ("Upstream gloo-system/echo", "spec.kube.servicePort")
    );
}

#[test]
fn functions_and_the_field_names_of_2019_are_named_and_nothing_is_written_of_them() {
    let mut objects = BTreeMap::new();
    for step in steps!("04-rest-function": 1 2 3).1 {
        apply(&mut objects, step);
    }
    let documents: Vec<String> = objects.values().cloned().collect();
    let migration = migrated(&documents.join("\n---\n"), Profile::Kgateway);
    let lack = migration.not_carried.iter().find(|it| it.why.starts_with("functions"));
    assert!(lack.is_some(), "{:#?}", migration.not_carried);

    let mut objects = BTreeMap::new();
    for step in steps!("04-legacy-fields-2019": 1 2).1 {
        apply(&mut objects, step);
    }
    let documents: Vec<String> = objects.values().cloned().collect();
    let migration = migrated(&documents.join("\n---\n"), Profile::Kgateway);
    let fields: Vec<&str> = migration.not_carried.iter().map(|it| it.field.as_str()).collect();
    assert!(fields.iter().any(|field| field.ends_with(".matcher")), "{fields:?}");
    assert!(migration.objects.iter().all(|it| it["kind"] != "HTTPRoute"));
}
