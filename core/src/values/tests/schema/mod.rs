//! The schemas and the reader hold the same to be right.
//!
//! That every key which is read stands in the schema, and every key of the schema is read, is the compiler's to see
//! (`schema/mapping.rs`). These tests show that the keys stand at the same places on both sides, with the same
//! values.

mod differences;
mod examples;
mod mutations;

use std::cell::RefCell;
use std::collections::BTreeSet;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

use super::properties::valid_values;
use crate::problem::Problem;
use crate::tree::Tree;
use crate::values::{Reader, schema};

/// A file's schema and its reader.
struct Sides {
    schema: Value,
    validator: Validator,
    /// Reads `coalmine.yaml`, which changes seldom, once.
    reader: RefCell<Reader>,
    /// The `coalmine.yaml` beside a service; nothing for the schema of `coalmine.yaml` itself.
    settings: Option<Value>,
}

impl Sides {
    /// A service's file beside this `coalmine.yaml`.
    fn of_service(settings: Value) -> Self {
        Self::new(schema::service(), Some(settings))
    }

    /// `coalmine.yaml`.
    fn of_settings() -> Self {
        Self::new(schema::settings(), None)
    }

    fn new(schema: Value, settings: Option<Value>) -> Self {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        Self { schema, validator, reader: RefCell::default(), settings }
    }

    /// Whether a file fits the schema.
    fn fits(&self, file: &Value) -> Result<(), String> {
        self.validator.validate(file).map_err(|error| format!("{}: {error}", error.instance_path()))
    }

    /// Whether the reader takes a file. JSON is YAML.
    fn read(&self, file: &Value) -> Result<(), Vec<Problem>> {
        let mut files = vec![("coalmine.yaml", self.settings.as_ref().unwrap_or(file))];
        if self.settings.is_some() {
            files.push(("services/echo.yaml", file));
        }
        let files = files.into_iter();
        let files =
            files.map(|(path, file)| (path.to_owned(), file.to_string().into_bytes().into()));
        let tree = Tree { revision: "local".into(), files: files.collect() };
        let mut repository = self.reader.borrow_mut().read(&tree);
        if self.settings.is_none() {
            return if repository.problems.is_empty() { Ok(()) } else { Err(repository.problems) };
        }
        assert_eq!(repository.problems, [], "coalmine.yaml");
        repository.services.pop_first().expect("the service").1.map(drop)
    }
}

/// The paths of all keys in a schema: `*` stands for a free key, `[]` for an item.
fn key_paths(schema: &Value) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    add_key_paths(schema, schema, &[], &[], &mut found);
    found
}

/// `within` are the definitions around the schema: one that stands within itself has the same keys again.
fn add_key_paths(
    root: &Value,
    schema: &Value,
    path: &[String],
    within: &[&str],
    found: &mut BTreeSet<Vec<String>>,
) {
    if let Some(reference) = schema["$ref"].as_str().filter(|it| !within.contains(it)) {
        let definition = root.pointer(&reference[1..]).expect("a definition");
        add_key_paths(root, definition, path, &[within, &[reference]].concat(), found);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for schema in schema[choice].as_array().into_iter().flatten() {
            add_key_paths(root, schema, path, within, found);
        }
    }
    let named = schema["properties"].as_object().into_iter().flatten();
    let named = named.map(|(name, schema)| (name.as_str(), schema));
    for (name, schema) in
        named.chain([("*", &schema["additionalProperties"]), ("[]", &schema["items"])])
    {
        // `false` forbids the key; nothing and `true` say nothing about it.
        if schema.is_object() {
            let path = [path, &[name.to_owned()]].concat();
            add_key_paths(root, schema, &path, within, found);
            found.insert(path);
        }
    }
}

/// Whether a file has a value at a path of [`key_paths`].
fn has(file: &Value, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return !file.is_null() };
    match first.as_str() {
        "*" => file.as_object().is_some_and(|map| map.values().any(|below| has(below, rest))),
        "[]" => file.as_array().is_some_and(|list| list.iter().any(|item| has(item, rest))),
        key => file.get(key).is_some_and(|below| has(below, rest)),
    }
}

fn published(name: &str) -> &'static str {
    match name {
        "service" => include_str!("../../../../../docs/schemas/service.json"),
        _ => include_str!("../../../../../docs/schemas/settings.json"),
    }
}

#[test]
fn the_published_schemas_are_those_of_this_version() {
    for (name, schema) in [("service", schema::service()), ("settings", schema::settings())] {
        let now = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        let command = format!("coalmine schema {name} > docs/schemas/{name}.json");
        assert_eq!(published(name), now, "run `{command}`");
    }
}

#[test]
fn a_key_that_is_no_key_does_not_fit() {
    let values = |text: &str| -> Value { serde_yaml::from_str(text).expect("YAML") };
    let service = Sides::of_service(Value::Null);
    let good = values(
        "deployment: {v1: , v2: {replicas: 2}}\nroutes: {apiGroup: a, primary: {version: 1}}",
    );
    assert_eq!(service.fits(&good), Ok(()));
    for bad in [
        "deployment: {v1: {}}\nroute: {apiGroup: a, primary: {version: v1}}",
        "deployment: {v1: {replica: 1}}\nroutes: {apiGroup: a, primary: {version: v1}}",
        "deployment: {v1: {}}\nroutes: {primary: {version: v1}, canary: {weight: 101}}",
        "deployment: {v1: {}}\nroutes: {primary: {version: v1}, split: half}",
    ] {
        assert!(service.fits(&values(bad)).is_err(), "{bad}");
    }
    let settings = Sides::of_settings();
    assert_eq!(settings.fits(&values("policy: {maxStep: 20}\ntiming: {settle: 3s}")), Ok(()));
    assert!(settings.fits(&values("timings: {}")).is_err());
}

#[test]
fn every_key_of_the_schemas_stands_in_a_file_that_both_sides_take() {
    for (sides, files) in [
        (Sides::of_service(Value::Null), examples::services()),
        (Sides::of_settings(), examples::settings()),
    ] {
        for file in &files {
            assert_eq!(sides.fits(file), Ok(()), "{file}");
            assert_eq!(sides.read(file), Ok(()), "{file}");
        }
        // A canary that is held is one service's, and the schema of routes that of the defaults too.
        let is_no_default = |path: &[String]| *path == ["defaults", "routes", "canary", "held"];
        let missing =
            |path: &Vec<String>| !is_no_default(path) && !files.iter().any(|file| has(file, path));
        let missing: Vec<_> = key_paths(&sides.schema).into_iter().filter(missing).collect();
        assert_eq!(missing, [[""; 0]; 0], "keys without an example");
    }
}

proptest! {
    #[test]
    fn what_is_valid_fits(values in valid_values()) {
        prop_assert_eq!(Sides::of_service(Value::Null).fits(&values), Ok(()));
    }
}
