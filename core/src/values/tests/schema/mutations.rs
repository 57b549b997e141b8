//! Right files, changed in one place or in several.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::differences::{is_known, none};
use super::{Sides, examples, key_paths};
use crate::values::tests::properties::valid_values;

/// A value of every JSON type, and of every type of its items.
fn of_each_type() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(1),
        json!(1.5),
        json!("v1"),
        json!([]),
        json!(["a"]),
        json!([1]),
        json!([null]),
        json!([{}]),
        json!({}),
        json!({"a": "b"}),
        json!({"a": null}),
    ]
}

/// Numbers at the ends of ranges, and texts that are right for some key.
fn scalars() -> Vec<Value> {
    let texts = [
        "", " ", "Upper", "UPPER", "a b", "-a", "a.b", "10", "true", "null", "/a", "/a//b",
        "/a/..", "a/b", "*", "a*b", "5s", "0s", "1500ms", "61m", "(", "Always", "subset",
        "upstream", "any", "none", "repair",
    ];
    let long = ["a".repeat(63), "a".repeat(64), "a".repeat(254)].map(Value::from);
    let counts = [0, 100, 101, 65535, 65536, u64::from(u32::MAX), u64::from(u32::MAX) + 1];
    let others = [json!(false), json!(-1), json!(3.0)];
    let scalars = texts.map(Value::from).into_iter().chain(counts.map(Value::from));
    scalars.chain(long).chain(others).collect()
}

/// All places of a file, as JSON pointers.
fn places(file: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let mut add = |key: &str, below: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        places.extend(self::places(below).into_iter().map(|place| format!("/{key}{place}")));
    };
    match file {
        Value::Object(map) => map.iter().for_each(|(key, below)| add(key, below)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| add(&index.to_string(), item));
        }
        _ => {}
    }
    places
}

/// The file with another value at a place.
fn replaced(file: &Value, place: &str, value: Value) -> Value {
    let mut file = file.clone();
    *file.pointer_mut(place).expect("a place of the file") = value;
    file
}

/// The files in which one value is one of `values`, or a scalar one of `scalars`; in which one key is gone; and in
/// which one of `keys` is more.
fn mutations<'a>(
    file: &'a Value,
    values: &'a [Value],
    scalars: &'a [Value],
    keys: &'a [Added],
) -> impl Iterator<Item = Value> + 'a {
    places(file).into_iter().flat_map(move |place| {
        let before = file.pointer(&place).expect("a place of the file");
        let collection = before.is_object() || before.is_array();
        let values = values.iter().chain(if collection { &[][..] } else { scalars });
        let mut mutations: Vec<_> =
            values.map(|value| replaced(file, &place, value.clone())).collect();
        let Some(map) = before.as_object() else { return mutations };
        let changed = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut map = map.clone();
            change(&mut map);
            replaced(file, &place, map.into())
        };
        mutations.extend(map.keys().map(|key| changed(&|map| drop(map.remove(key)))));
        let added = keys.iter().filter(|(key, _)| !map.contains_key(key));
        mutations.extend(
            added.map(|(key, value)| changed(&|map| drop(map.insert(key.clone(), value.clone())))),
        );
        mutations
    })
}

/// A key that is added to a mapping, with its value.
type Added = (String, Value);

/// What is added to mappings: the names of all keys, without a value, which is right for each that may be absent;
/// keys that are wrong or reserved in some mapping; and one that is no key at all.
fn added_keys(sides: &Sides) -> Vec<Added> {
    let named = key_paths(&sides.schema).into_iter().filter_map(|path| path.into_iter().last());
    let named = named.filter(|key| !["*", "[]"].contains(&key.as_str())).collect::<BTreeSet<_>>();
    let named = named.into_iter().map(|key| (key, Value::Null));
    let more = ["colour", "a b", "app", "coalmine.dev/service", "kind", "kube", "shadowing"];
    let more = more
        .into_iter()
        .flat_map(|key| [json!("v1"), json!(null)].map(|value| (key.to_owned(), value)));
    named.chain(more).collect()
}

/// How the two sides differ about a file, if they do in a way that no difference explains.
fn disagreement(sides: &Sides, file: &Value) -> Option<String> {
    match (sides.read(file), sides.validator.is_valid(file)) {
        (Ok(()), false) => {
            Some(format!("the reader takes what the schema refuses: {:?}", sides.fits(file)))
        }
        (Err(problems), true) => {
            let unknown: Vec<_> =
                problems.iter().filter(|it| !is_known(it)).map(ToString::to_string).collect();
            let message = || format!("the schema takes what the reader refuses: {unknown:#?}");
            (!unknown.is_empty()).then(message)
        }
        _ => None,
    }
}

#[track_caller]
fn agree_on(sides: &Sides, files: impl Iterator<Item = Value>) {
    let disagreement = |file| Some(format!("{}\n  {file}", disagreement(sides, &file)?));
    let disagreements: Vec<_> = files.filter_map(disagreement).collect();
    let shown = &disagreements[..disagreements.len().min(40)];
    assert!(shown.is_empty(), "{} disagreements:\n{}", disagreements.len(), shown.join("\n"));
}

#[test]
fn both_sides_judge_a_changed_service_alike() {
    let sides = Sides::of_service(none());
    let (values, scalars, keys) = (of_each_type(), scalars(), added_keys(&sides));
    let files = examples::services();
    agree_on(&sides, files.iter().flat_map(|file| mutations(file, &values, &scalars, &keys)));
}

#[test]
fn both_sides_judge_a_service_alike_that_leaves_something_to_the_defaults() {
    let sides = Sides::of_service(examples::defaults());
    let files = examples::services();
    agree_on(&sides, files.iter().flat_map(|file| mutations(file, &[Value::Null], &[], &[])));
}

#[test]
fn both_sides_judge_changed_settings_alike() {
    let sides = Sides::of_settings();
    let (values, scalars, keys) = (of_each_type(), scalars(), added_keys(&sides));
    // The defaults are read as a service is, to whose values every scalar was tried.
    let scalars = |file: &Value| if file.get("defaults").is_none() { &scalars[..] } else { &[] };
    let files = examples::settings();
    agree_on(&sides, files.iter().flat_map(|file| mutations(file, &values, scalars(file), &keys)));
}

/// Some values that are put in the place of others: those of [`of_each_type`] and [`scalars`], and parts of right files.
fn any_part() -> impl Strategy<Value = Value> {
    let parts = examples::services().into_iter().chain(examples::settings()).flat_map(|file| {
        places(&file).into_iter().filter_map(move |place| file.pointer(&place).cloned())
    });
    select(parts.chain(of_each_type()).chain(scalars()).collect::<Vec<_>>())
}

fn changed(mut file: Value, changes: Vec<(Index, Value)>) -> Value {
    for (index, value) in changes {
        let places = places(&file);
        file = replaced(&file, &places[index.index(places.len())], value);
    }
    file
}

#[test]
fn both_sides_judge_any_service_alike() {
    let sides = [none(), examples::defaults()].map(Sides::of_service);
    let files = prop_oneof![select(examples::services()), valid_values()];
    let changes = vec((any::<Index>(), any_part()), 1..4);
    let judged = TestRunner::default().run(
        &(files, any::<bool>(), changes),
        |(file, beside_defaults, changes)| {
            let file = changed(file, changes);
            let found = disagreement(&sides[usize::from(beside_defaults)], &file);
            prop_assert!(found.is_none(), "{}\n{file}", found.unwrap_or_default());
            Ok(())
        },
    );
    judged.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn both_sides_judge_any_settings_alike() {
    let sides = Sides::of_settings();
    let changes = vec((any::<Index>(), any_part()), 1..4);
    let judged =
        TestRunner::default().run(&(select(examples::settings()), changes), |(file, changes)| {
            let file = changed(file, changes);
            let found = disagreement(&sides, &file);
            prop_assert!(found.is_none(), "{}\n{file}", found.unwrap_or_default());
            Ok(())
        });
    judged.unwrap_or_else(|error| panic!("{error}"));
}
