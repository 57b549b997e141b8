//! What `glooctl gateway-api convert` 1.22.1 gets wrong, each done right or named.

use serde_json::Value;

use super::super::{Cause, Migration};
use super::articles::{CANARY, SERVICE};
use super::carried::TEAMS;
use super::{migrated, object};
use crate::values::Profile;

fn article(profile: Profile) -> Migration {
    migrated(&format!("{SERVICE}{CANARY}"), profile)
}

fn rules<'a>(migration: &'a Migration, name: &str) -> &'a Vec<Value> {
    object(migration, "HTTPRoute", name)["spec"]["rules"].as_array().unwrap()
}

#[test]
fn subsets_become_services_of_their_own() {
    let migration = article(Profile::Kgateway);
    let rules = rules(&migration, "echo");
    let backend = |rule: usize, index: usize| rules[rule]["backendRefs"][index]["name"].clone();
    assert_eq!([backend(0, 0), backend(1, 0), backend(1, 1)], ["echo-v2", "echo-v1", "echo-v2"]);
}

#[test]
fn no_rule_is_without_backends() {
    for migration in [article(Profile::Kgateway), migrated(TEAMS, Profile::EnvoyGateway)] {
        for route in migration.objects.iter().filter(|it| it["kind"] == "HTTPRoute") {
            for rule in route["spec"]["rules"].as_array().unwrap() {
                assert!(!rule["backendRefs"].as_array().unwrap().is_empty(), "{route}");
            }
        }
    }
}

#[test]
fn an_inverted_header_becomes_no_positive_one() {
    let text = TEAMS.replace("value: canary}", "value: canary, invertMatch: true}");
    let migration = migrated(&text, Profile::Kgateway);
    let written = serde_json::to_string(&migration.objects).unwrap();
    assert!(!written.contains("canary"), "{written}");
    let lack = migration.not_carried.iter().find(|it| it.field == "spec.routes[0]").unwrap();
    assert_eq!(lack.code, Cause::Route);
    assert!(lack.next.starts_with("turn the two routes round"), "{}", lack.next);
}

#[test]
fn every_host_is_no_hostname() {
    let migration = article(Profile::Portable);
    assert_eq!(object(&migration, "HTTPRoute", "echo")["spec"]["hostnames"], Value::Null);
}

#[test]
fn only_kinds_are_written_that_current_definitions_have_and_take() {
    for profile in Profile::ALL {
        for migration in [article(profile), migrated(TEAMS, profile)] {
            for it in &migration.objects {
                let kind = it["kind"].as_str().unwrap();
                assert!(["Service", "ReferenceGrant", "HTTPRoute"].contains(&kind), "{it}");
                if kind == "HTTPRoute" {
                    gateway_api::admit(it, gateway_api::Channel::Standard, true).unwrap();
                }
            }
        }
    }
}
