//! The objects of every recorded case, written again.

use std::fs;
use std::path::Path;

use gloo::api::{
    GatewaySpec, RouteTableSpec, SettingsSpec, UpstreamGroupSpec, UpstreamSpec, VirtualServiceSpec,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::there_and_back;

/// Cases with objects whose fields Gloo does not know; they are not written again.
const UNKNOWN_FIELDS: &[&str] = &["04-legacy-fields-2019", "13-unknown-field"];

/// What a choice among names is where nothing is said.
const DEFAULTS: &[&str] = &["Equals", "ANY_ENDPOINT", "MOVED_PERMANENTLY"];

/// Documents of a case's objects.
fn objects(case: &Path) -> Vec<Value> {
    let files = fs::read_dir(case).expect("a case").map(|file| file.expect("a file").path());
    let mut objects = Vec::new();
    for file in files.filter(|f| f.extension().is_some_and(|e| e == "yaml")) {
        let text = fs::read_to_string(&file).expect("a file of a case");
        let options = serde_yaml::options! { strict_booleans: true };
        let documents = text.split("\n---\n").map(|document| {
            serde_yaml::from_str_with_options(document, options.clone())
                .unwrap_or_else(|e| panic!("{}: {e}", file.display()))
        });
        objects.extend(documents.filter(|object: &Value| object.get("kind").is_some()));
    }
    objects
}

/// The same without what says no more than its absence.
fn without_defaults(value: &Value) -> Value {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || DEFAULTS.contains(&text.as_str()),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), without_defaults(value)));
            Value::Object(fields.filter(|(_, value)| !says_nothing(value)).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

/// Where the two differ; a duration may be written in another notation.
fn differences(path: &str, given: &Value, written: &Value, found: &mut Vec<String>) {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            let names =
                given.keys().chain(written.keys().filter(|name| !given.contains_key(*name)));
            for name in names {
                let field =
                    |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                differences(&format!("{path}.{name}"), &field(given), &field(written), found);
            }
        }
        (Value::Array(given), Value::Array(written)) if given.len() == written.len() => {
            for (index, (given, written)) in given.iter().zip(written).enumerate() {
                differences(&format!("{path}[{index}]"), given, written, found);
            }
        }
        (given, written) if given == written || same_duration(given, written) => {}
        (Value::Number(given), Value::Number(written)) if given.as_f64() == written.as_f64() => {}
        (given, written) => found.push(format!("{path}: given {given}, written {written}")),
    }
}

fn same_duration(given: &Value, written: &Value) -> bool {
    let duration =
        |value: &Value| serde_json::from_value::<gloo::api::Duration>(value.clone()).ok();
    duration(given).is_some_and(|given| duration(written) == Some(given))
}

/// Where the spec is written otherwise than it was given; `None` if Gloo cannot decode it.
fn rewritten<S: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    spec: &Value,
) -> Option<Vec<String>> {
    let read: S = serde_json::from_value(without_defaults(spec)).ok()?;
    let (written, again) = there_and_back(&read);
    assert_eq!(again, read);
    let mut found = Vec::new();
    differences("spec", &without_defaults(spec), &without_defaults(&written), &mut found);
    Some(found)
}

#[test]
fn every_recorded_object_is_written_as_it_was_given() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases");
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in fs::read_dir(cases).expect("the recordings").map(|e| e.expect("a case")) {
        let name = case.file_name().to_string_lossy().into_owned();
        for object in objects(&case.path()) {
            let spec = &object["spec"];
            let found = match object["kind"].as_str() {
                Some("Upstream") => rewritten::<UpstreamSpec>(spec),
                Some("UpstreamGroup") => rewritten::<UpstreamGroupSpec>(spec),
                Some("VirtualService") => rewritten::<VirtualServiceSpec>(spec),
                Some("RouteTable") => rewritten::<RouteTableSpec>(spec),
                Some("Gateway") => rewritten::<GatewaySpec>(spec),
                Some("Settings") => rewritten::<SettingsSpec>(spec),
                _ => continue,
            };
            count += usize::from(found.is_some());
            let unknown = UNKNOWN_FIELDS.contains(&name.as_str());
            if let Some(found) = found.filter(|found| !found.is_empty() && !unknown) {
                wrong.push(format!("{name}, {} {}: {found:?}", object["kind"], object["metadata"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 300, "only {count} objects: the recordings are not where they should be");
}
