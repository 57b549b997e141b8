//! What holds for any values, and for any bytes.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{outcome, service};
use crate::problem::Problem;
use crate::tree::Tree;
use crate::values::Repository;

/// Any values of a service that are right.
pub(crate) fn valid_values() -> impl Strategy<Value = Value> {
    let versions = subsequence(vec!["v1", "v2.0-RC1", "1.10", "10"], 1..=4).prop_shuffle();
    (versions, routes(), canary(), any::<bool>(), vec(settings(), 4)).prop_map(
        |(versions, mut routes, canary, by_upstream, mut settings)| {
            routes["primary"] = json!({"version": versions[0]});
            if let (Some(mut canary), Some(version)) = (canary, versions.get(1)) {
                canary["version"] = (*version).into();
                routes["canary"] = canary;
            }
            if by_upstream {
                routes["split"] = "upstream".into();
            } else {
                // A version that is an Upstream of its own has no subset.
                for settings in &mut settings {
                    if settings.pointer("/external/upstream").is_some() {
                        *settings = Value::Null;
                    }
                }
            }
            let deployment: Map<_, _> =
                versions.iter().map(|it| (*it).to_owned()).zip(settings).collect();
            json!({"deployment": deployment, "routes": routes})
        },
    )
}

fn settings() -> impl Strategy<Value = Value> {
    let labels = btree_map("team|tier", "[a-z]{1,8}", 0..2);
    let env = btree_map("[A-Z]{1,8}", "[ -~]{0,12}", 0..3);
    let drain = select(vec!["0s", "7s", "1m 30s"]);
    let own = (0..5_u32, 1..=65535_u16, drain, labels, env).prop_map(
        |(replicas, port, drain, labels, env)| {
            json!({"replicas": replicas, "port": port, "drain": drain, "labels": labels, "env": env})
        },
    );
    prop_oneof![
        3 => Just(Value::Null),
        3 => own,
        1 => Just(json!({"external": true})),
        1 => Just(json!({"external": {"upstream": {"name": "vm", "namespace": "edge"}}})),
    ]
}

fn routes() -> impl Strategy<Value = Value> {
    let binding = prop_oneof![
        Just(("apiGroup", json!("example"))),
        Just(("domains", json!(["echo.example", "*.echo.example"]))),
    ];
    let texts = btree_set("/|(/[a-z]{1,6}){1,3}", 1..4);
    let kinds = vec(select(vec!["prefix", "exact", "regex"]), 4);
    let methods = vec(subsequence(vec!["GET", "POST", "PUT"], 0..=3), 4);
    let paths = (texts, kinds, methods).prop_map(|(texts, kinds, methods)| {
        let path = |((text, kind), methods): ((String, &str), Vec<&str>)| {
            json!({kind: text, "methods": methods})
        };
        texts.into_iter().zip(kinds).zip(methods).map(path).collect::<Value>()
    });
    let fallback = select(vec![None, Some("none")]);
    (binding, proptest::option::of(paths), fallback).prop_map(|((key, value), paths, fallback)| {
        let options = json!({"timeout": "5s", "retries": {"retryOn": "5xx", "numRetries": 2}});
        json!({key: value, "paths": paths, "fallback": fallback, "options": options})
    })
}

fn canary() -> impl Strategy<Value = Option<Value>> {
    let header = prop_oneof![
        "[a-z]{1,8}".prop_map(Value::from),
        Just(json!({"regex": "a|b"})),
        Just(json!({"present": true, "invert": true})),
    ];
    let headers = btree_map("x-[a-z]{1,6}", header, 0..3);
    proptest::option::of((0..=100_u32, 0..=100_u32, headers).prop_map(
        |(weight, shadow, headers)| json!({"weight": weight, "shadow": shadow, "headers": headers}),
    ))
}

/// The same values with the keys of every mapping in another order.
pub(crate) fn reordered(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().rev().map(|(key, value)| (key.clone(), reordered(value))).collect()
        }
        Value::Array(items) => items.iter().map(reordered).collect(),
        other => other.clone(),
    }
}

/// Parses a repository of these bytes and shows everything that is wrong with it.
fn show_all(bytes: &[u8]) {
    let paths = ["coalmine.yaml", "platform/a.yaml", "services/echo.yaml"];
    for path in paths {
        let files = [(path.to_owned(), bytes.to_vec().into())].into();
        let repository = Repository::parse(&Tree { revision: "local".into(), files });
        let services = repository.services.into_values().filter_map(Result::err).flatten();
        let problems: Vec<Problem> =
            repository.problems.into_iter().chain(repository.platform.problems.clone()).collect();
        for problem in problems.into_iter().chain(services) {
            assert!(problem.at.line > 0 && problem.at.column > 0, "{problem}");
            assert!(!problem.to_string().contains('\n'), "{problem}");
            let _shown = problem.annotated(Some(bytes)).to_string();
        }
    }
}

proptest! {
    #[test]
    fn right_values_are_read(values in valid_values()) {
        let yaml = serde_yaml::to_string(&values).unwrap();
        let outcome = outcome(yaml.as_str());
        prop_assert!(outcome.is_ok(), "{yaml}\n{outcome:#?}");
    }

    #[test]
    fn the_order_of_keys_means_nothing(values in valid_values()) {
        let yaml = serde_yaml::to_string(&values).unwrap();
        let other = serde_yaml::to_string(&reordered(&values)).unwrap();
        prop_assert_eq!(service(&yaml), service(&other));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        show_all(&bytes);
    }

    #[test]
    fn any_text_of_yaml_signs_is_read_or_refused(text in "[ \t\r\na1:,&*!|>?%@~<#'\"{}\\[\\]\u{feff}é-]{0,120}") {
        show_all(text.as_bytes());
    }

    #[test]
    fn values_with_any_damage_are_read_or_refused(
        values in valid_values(),
        damages in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = serde_yaml::to_string(&values).unwrap().into_bytes();
        for (index, byte) in damages {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        show_all(&bytes);
    }
}
