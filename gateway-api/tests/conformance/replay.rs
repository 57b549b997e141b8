//! Goes through the steps of a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gateway_api::{
    Channel, Code, Environment, Memory, Profile, Snapshot, Validation, admit, translate,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{compare, envoy, probes};

#[derive(Deserialize)]
struct Case {
    steps: Vec<Step>,
    /// By implementation, `strict`.
    #[serde(default)]
    mode: BTreeMap<String, String>,
    crds: Option<String>,
    /// By implementation, kinds that its API server does not have.
    #[serde(default)]
    kinds_unknown: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    apply: Option<String>,
    apply_kgateway: Option<String>,
    apply_envoy_gateway: Option<String>,
    #[serde(default)]
    delete: Vec<String>,
    restart: Option<String>,
    field_validation: Option<String>,
    expect: String,
}

/// What came of playing a case again.
pub(crate) struct Replayed {
    /// Where it differs from what was recorded, one line each.
    pub(crate) differences: Vec<String>,
    /// What was wrong with any object in any step.
    pub(crate) codes: BTreeSet<Code>,
}

/// The cluster, the controller and the Envoys as the recording found them.
struct State {
    environment: Environment,
    unknown: Vec<String>,
    objects: BTreeMap<String, Value>,
    memory: Memory,
    codes: BTreeSet<Code>,
}

/// Whether a folder holds a case of this model: its observations are made per implementation.
pub(crate) fn is_case(path: &Path) -> bool {
    std::fs::read_to_string(path.join("case.yaml"))
        .is_ok_and(|text| text.contains("<implementation>"))
}

/// Plays a case again, as far as it was recorded with the implementation.
pub(crate) fn replay(case: &Path, implementation: &str, profile: Profile) -> Option<Replayed> {
    let read = |name: &str| {
        let path = case.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
    };
    let parsed: Case = serde_yaml::from_str(&read("case.yaml"))
        .unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    let strict = parsed.mode.get(implementation).is_some_and(|mode| mode == "strict");
    let profile = if strict { Profile::Kgateway(Validation::Strict) } else { profile };
    let experimental = parsed.crds.as_deref() == Some("experimental");
    let channel = if experimental { Channel::Experimental } else { Channel::Standard };
    let mut state = State {
        environment: Environment { profile, channel, complete: true },
        unknown: parsed.kinds_unknown.get(implementation).cloned().unwrap_or_default(),
        objects: BTreeMap::new(),
        memory: Memory::default(),
        codes: BTreeSet::new(),
    };
    for object in initial(profile) {
        state.put(object, 0);
    }
    let mut differences = Vec::new();
    let mut recorded = false;
    for (index, step) in parsed.steps.iter().enumerate() {
        let path = case.join(step.expect.replace("<implementation>", implementation));
        if !path.is_file() {
            continue;
        }
        recorded = true;
        let text = std::fs::read_to_string(&path).expect("an observation");
        let expected: Value = serde_json::from_str(&text).expect("an observation is JSON");
        let own = match profile {
            Profile::EnvoyGateway => &step.apply_envoy_gateway,
            Profile::Kgateway(_) | Profile::Portable => &step.apply_kgateway,
        };
        let files = [&step.apply, own].into_iter().flatten();
        let applied = files.flat_map(|name| documents(&read(name))).collect();
        let number = index + 1;
        let mut found = state.advance(step, number, applied, &expected);
        found.extend(state.compare(&expected));
        let line = |difference| format!("step {number} ({}): {difference}", step.name);
        differences.extend(found.into_iter().map(line));
    }
    recorded.then_some(Replayed { differences, codes: state.codes })
}

impl State {
    /// Says where the API server refuses otherwise than recorded.
    fn advance(
        &mut self,
        step: &Step,
        number: usize,
        applied: Vec<Value>,
        expected: &Value,
    ) -> Vec<String> {
        for name in &step.delete {
            self.objects.remove(name);
        }
        match step.restart.as_deref() {
            Some("controller") => {
                self.memory = std::mem::take(&mut self.memory).controller_restarted();
            }
            Some("envoy") => self.memory = std::mem::take(&mut self.memory).envoys_restarted(),
            _ => {}
        }
        let strict = step.field_validation.as_deref() != Some("Ignore");
        let mut refused = BTreeSet::new();
        for object in applied {
            let kind = object["kind"].as_str().expect("a kind");
            if kind == "Pod" || self.unknown.iter().any(|it| it == kind) {
                continue;
            }
            match admit(&object, self.environment.channel, strict) {
                Ok(admitted) => self.put(admitted.object, number),
                Err(_) => drop(refused.insert(key(&object))),
            }
        }
        let wanted = expected["apply_errors"].as_object().into_iter().flatten();
        let wanted: BTreeSet<String> = wanted.map(|(name, _)| name.clone()).collect();
        let differs = wanted != refused;
        differs
            .then(|| format!("apply_errors: expected {wanted:?}, got {refused:?}"))
            .into_iter()
            .collect()
    }

    /// Stores an object as the API server does.
    fn put(&mut self, mut object: Value, step: usize) {
        let name = key(&object);
        let known = self.objects.get(&name);
        let created = known.map_or_else(
            || json!(format!("{step:04}")),
            |known| known["metadata"]["creationTimestamp"].clone(),
        );
        let generation = known.map_or(1, |known| {
            let before = known["metadata"]["generation"].as_i64().unwrap_or_default();
            before + i64::from(known["spec"] != object["spec"])
        });
        object["metadata"]["creationTimestamp"] = created;
        object["metadata"]["generation"] = json!(generation);
        if object["kind"] == "Secret"
            && object["metadata"]["annotations"]["conformance/tls"].is_string()
        {
            object["stringData"] = json!({
                "tls.crt": "-----BEGIN CERTIFICATE-----",
                "tls.key": "-----BEGIN PRIVATE KEY-----",
            });
        }
        self.objects.insert(name, object);
    }

    fn compare(&mut self, expected: &Value) -> Vec<String> {
        let mut snapshot = Snapshot::new(self.environment);
        for object in self.objects.values().chain(&slices(expected)) {
            snapshot.upsert(object);
        }
        let translation = translate(&snapshot, &self.memory);
        self.memory = translation.memory.clone();
        self.codes.extend(translation.findings.iter().map(|finding| finding.code));
        let mut found = compare::statuses(&translation, &self.objects, expected);
        found.extend(envoy::differences(&translation, self.environment.profile, expected));
        found.extend(probes::differences(&translation, expected));
        found
    }
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| {
            let options = serde_yaml::options! { strict_booleans: true };
            serde_yaml::from_str_with_options(document, options)
                .unwrap_or_else(|e| panic!("{e}: {document}"))
        })
        .filter(|document: &Value| !document.is_null())
        .collect()
}

fn key(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

/// What was there before every case.
fn initial(profile: Profile) -> Vec<Value> {
    let mut objects = vec![
        json!({
            "kind": "GatewayClass",
            "metadata": { "name": "edge" },
            "spec": { "controllerName": profile.controller() },
        }),
        json!({
            "kind": "Gateway",
            "metadata": { "namespace": "infra", "name": "edge" },
            "spec": {
                "gatewayClassName": "edge",
                "listeners": [{
                    "name": "http",
                    "port": 8000,
                    "protocol": "HTTP",
                    "allowedRoutes": { "namespaces": { "from": "All" } },
                }],
            },
        }),
    ];
    let labels =
        [("echo", "echo"), ("foxtrot", "foxtrot"), ("team-a", "a"), ("team-b", "b"), ("infra", "")];
    for (name, team) in labels {
        let labels = if team.is_empty() { json!({}) } else { json!({ "team": team }) };
        objects
            .push(json!({ "kind": "Namespace", "metadata": { "name": name, "labels": labels } }));
    }
    objects
}

/// The recorded endpoints as EndpointSlices; a pod's address is its name.
fn slices(expected: &Value) -> Vec<Value> {
    let mut objects = Vec::new();
    for (service, entries) in expected["endpoints"].as_object().into_iter().flatten() {
        let (namespace, name) = service.split_once('/').expect("namespace/name");
        for (index, entry) in entries.as_array().into_iter().flatten().enumerate() {
            let pod = entry["pod"].as_str().expect("a pod");
            let (pod_namespace, pod_name) = pod.split_once('/').expect("namespace/name");
            objects.push(json!({
                "kind": "EndpointSlice",
                "metadata": {
                    "namespace": namespace,
                    "name": format!("{name}-{index}"),
                    "labels": { "kubernetes.io/service-name": name },
                },
                "endpoints": [{
                    "addresses": [pod],
                    "conditions": { "ready": entry["ready"] },
                    "targetRef": { "kind": "Pod", "namespace": pod_namespace, "name": pod_name },
                }],
                "ports": [{ "name": entry["port_name"], "port": entry["port"] }],
            }));
        }
    }
    objects
}
