//! Goes through the steps of a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gloo::{Code, Edition, Environment, Memory, ResourceRef, Secret, Snapshot, translate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::compare::Expected;
use crate::{compare, probes};

#[derive(Deserialize)]
struct Case {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    apply: Option<String>,
    #[serde(default)]
    delete: Vec<String>,
    #[serde(default)]
    settings: Value,
    restart: Option<String>,
    /// Objects that Gloo is not meant to see; the Settings of the step see to that.
    #[serde(default)]
    unwatched: Vec<String>,
    /// `vanilla-refuses`: the recording's Envoy lacks an extension that Gloo's own has, so that its
    /// configuration and its answers say nothing.
    envoy: Option<String>,
    /// `gloo`: it died in this step.
    crash: Option<String>,
    expect: String,
}

/// The cluster and Gloo as the recording found them.
struct State {
    objects: BTreeMap<String, Value>,
    memory: Memory,
    /// What was wrong at any time.
    codes: BTreeSet<Code>,
}

/// What came of playing a case again.
pub(crate) struct Replayed {
    /// Where it differs from what was recorded, one line each.
    pub(crate) differences: Vec<String>,
    /// What was wrong with any object in any step.
    pub(crate) codes: BTreeSet<Code>,
}

/// Plays a case again.
pub(crate) fn replay(case: &Path) -> Replayed {
    let read = |name: &str| {
        let path = case.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
    };
    let parsed: Case = serde_yaml::from_str(&read("case.yaml"))
        .unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    let mut state =
        State { objects: BTreeMap::new(), memory: Memory::default(), codes: BTreeSet::new() };
    for object in [settings(), gateway()] {
        state.objects.insert(key(&object), object);
    }
    let mut found = Vec::new();
    for (index, step) in parsed.steps.iter().enumerate() {
        let expected: Value = serde_json::from_str(&read(&step.expect)).expect("expect.json");
        let applied = step.apply.as_deref().map(|name| documents(&read(name))).unwrap_or_default();
        state.advance(step, applied, &expected);
        let differences = state.compare(step, &expected);
        let number = index + 1;
        let line = |difference| format!("step {number} ({}): {difference}", step.name);
        found.extend(differences.into_iter().map(line));
    }
    Replayed { differences: found, codes: state.codes }
}

impl State {
    fn advance(&mut self, step: &Step, applied: Vec<Value>, expected: &Value) {
        for name in &step.delete {
            assert!(self.objects.remove(name).is_some(), "{name} is not there to be deleted");
        }
        if let Some(settings) = self.objects.get_mut("Settings gloo-system/default") {
            merge(&mut settings["spec"], &step.settings);
        }
        if step.restart.is_some() {
            self.memory = std::mem::take(&mut self.memory).gloo_restarted();
        }
        for mut object in applied {
            let key = key(&object);
            if expected["apply_errors"].get(&key).is_some() {
                continue;
            }
            if let Some(stored) = expected["stored"].get(&key) {
                object["spec"] = stored.clone();
            }
            self.objects.insert(key, object);
        }
    }

    fn compare(&mut self, step: &Step, expected: &Value) -> Vec<String> {
        let environment =
            Environment { edition: Edition::OpenSource, plain_envoy: true, nothing_outside: true };
        let mut snapshot = Snapshot::default().within(environment);
        for kind in Snapshot::FURTHER.iter().map(|kind| kind.kind).chain(["Secret"]) {
            snapshot.know(kind);
        }
        for object in self.objects.values().chain(&endpoints(expected)) {
            match object["kind"] == "Secret" {
                true => put_secret(object, &mut snapshot),
                false => drop(snapshot.upsert(object)),
            }
        }
        let translation = translate(&snapshot, &self.memory);
        self.memory = translation.memory.clone();
        self.codes.extend(translation.findings.iter().map(|finding| finding.code));
        self.codes.extend(snapshot.undecodable().iter().map(|_| Code::Undecodable));
        let expected = Expected(expected);
        let mut found = compare::statuses(&translation, &expected);
        if translation.crashed != step.crash.is_some() {
            found.push(format!("crash: expected {:?}, got {}", step.crash, translation.crashed));
        }
        for name in &step.unwatched {
            if translation.statuses.keys().any(|object| object.to_string() == *name) {
                found.push(format!("{name} is not watched and has a status"));
            }
        }
        if step.envoy.is_none() {
            found.extend(compare::translation(&translation, &expected));
            found.extend(probes::differences(&translation, &expected));
        }
        found
    }
}

/// The recording tells of its keys only whether they fit.
fn put_secret(object: &Value, snapshot: &mut Snapshot) {
    let mut object = object.clone();
    match object["data"]["tls.key"].as_str() {
        Some("@key-of-the-certificate-beside-it") => {
            object["stringData"] = json!({ "tls.key": "-----BEGIN PRIVATE KEY-----" });
        }
        Some("@key-of-another-certificate") => {
            let metadata = &object["metadata"];
            let text = |name: &str| metadata[name].as_str().expect("a name").to_owned();
            let reference = ResourceRef::new(text("namespace"), text("name"));
            let reason = "tls: private key does not match public key".to_owned();
            snapshot.put_secret(reference, Secret::Broken(reason));
            return;
        }
        _ => {}
    }
    snapshot.upsert(&object);
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| {
            // The recording took `y` and `n` for strings.
            let options = serde_yaml::options! { strict_booleans: true };
            serde_yaml::from_str_with_options(document, options)
                .unwrap_or_else(|e| panic!("{e}: {document}"))
        })
        .filter(|document: &Value| !document.is_null())
        .collect()
}

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    format!("{} {namespace}/{name}", text(&object["kind"]))
}

fn settings() -> Value {
    json!({
        "kind": "Settings",
        "metadata": { "namespace": "gloo-system", "name": "default" },
        "spec": { "gloo": { "removeUnusedFilters": true, "disableKubernetesDestinations": true } },
    })
}

fn gateway() -> Value {
    json!({
        "kind": "Gateway",
        "metadata": { "namespace": "gloo-system", "name": "gateway-proxy" },
        "spec": {
            "bindAddress": "127.0.0.1",
            "bindPort": 8080,
            "httpGateway": {},
            "proxyNames": ["gateway-proxy"],
        },
    })
}

/// A JSON merge patch.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else { return };
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.as_object_mut().map(|fields| fields.remove(key));
            }
            Value::Object(_) => {
                if !target[key].is_object() {
                    target[key] = json!({});
                }
                merge(&mut target[key], value);
            }
            value => target[key] = value.clone(),
        }
    }
}

/// The recorded endpoints as Endpoints objects; a pod's address is its name.
fn endpoints(expected: &Value) -> Vec<Value> {
    let mut objects = Vec::new();
    for (service, entries) in expected["endpoints"].as_object().into_iter().flatten() {
        let (namespace, name) = service.split_once('/').expect("namespace/name");
        let mut subsets = Vec::new();
        for entry in entries.as_array().into_iter().flatten() {
            let pod = entry["pod"].as_str().expect("a pod");
            let (pod_namespace, pod_name) = pod.split_once('/').expect("namespace/name");
            let address = json!([{
                "ip": pod,
                "targetRef": { "kind": "Pod", "namespace": pod_namespace, "name": pod_name },
            }]);
            let list = if entry["ready"] == true { "addresses" } else { "notReadyAddresses" };
            let port = json!([{ "name": entry["port_name"], "port": entry["port"] }]);
            subsets.push(json!({ list: address, "ports": port }));
        }
        objects.push(json!({
            "kind": "Endpoints",
            "metadata": { "namespace": namespace, "name": name },
            "subsets": subsets,
        }));
    }
    objects
}
