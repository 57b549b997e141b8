//! The Deployments that values can render as they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{World, Written, tree};
use crate::kind::Kind;
use crate::migration::source::Source;
use crate::proposal::Expected;
use crate::values::{Version, object_name};

/// Writes the settings of each version whose Deployment the values render with everything that it says now. The others
/// stay `external`, and a note says what values do not say of them.
pub(super) fn fill(world: &World<'_>, written: &mut Written) {
    let services: Vec<String> =
        written.files.keys().filter(|file| file.starts_with("services/")).cloned().collect();
    for file in services {
        let name = file.trim_start_matches("services/").trim_end_matches(".yaml").to_owned();
        let Some(values) = written.files.get(&file) else { continue };
        let namespace = values["namespace"].as_str().unwrap_or(&name).to_owned();
        let versions: Vec<String> =
            values["deployment"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        for version in versions {
            let deployment = world.sources.of_kind("apps", "Deployment").find(|source| {
                source.namespace() == namespace && source.name() == object_name(&name, &version)
            });
            let Some(deployment) = deployment else { continue };
            let mut files = written.files.clone();
            if let Some(values) = files.get_mut(&file) {
                values["deployment"][&version] = settings(&deployment.value).into();
            }
            match unsaid(&files, &name, &version, deployment) {
                None => written.files = files,
                Some(field) => written.notes.push(format!(
                    "{} stays its owner's, and the version `external`: values do not say its {field}",
                    deployment.reference()
                )),
            }
        }
    }
}

/// The settings of a version.
fn settings(deployment: &Value) -> Map<String, Value> {
    let template = &deployment["spec"]["template"];
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    let mut settings = Map::new();
    let mut put = |key: &str, value: &Value| {
        if !value.is_null() {
            settings.insert(key.to_owned(), value.clone());
        }
    };
    put("replicas", &deployment["spec"]["replicas"]);
    for key in ["image", "args", "env", "imagePullPolicy", "resources", "securityContext"] {
        put(key, &container[key]);
    }
    put("port", &container["ports"][0]["containerPort"]);
    put("serviceAccountName", &pod["serviceAccountName"]);
    put("podSecurityContext", &pod["securityContext"]);
    put("annotations", &template["metadata"]["annotations"]);
    let labels = template["metadata"]["labels"].as_object().into_iter().flatten();
    let labels: Map<String, Value> = labels
        .filter(|(key, _)| !matches!(key.as_str(), "app" | "version"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !labels.is_empty() {
        put("labels", &labels.into());
    }
    let mut probes = Map::new();
    for (key, field) in [
        ("readiness", "readinessProbe"),
        ("liveness", "livenessProbe"),
        ("startup", "startupProbe"),
    ] {
        if !container[field].is_null() {
            probes.insert(key.to_owned(), container[field].clone());
        }
    }
    if !probes.is_empty() {
        put("probes", &probes.into());
    }
    settings
}

/// The first field of the Deployment that the values do not render; none where they render all.
fn unsaid(
    files: &BTreeMap<String, Value>,
    service: &str,
    version: &str,
    deployment: &Source,
) -> Option<String> {
    let expected = Expected::of(&tree(files));
    let Some(service) = expected.service(service) else {
        return Some("settings as values take them".to_owned());
    };
    let Ok(version) = Version::new(version) else { return Some("version".to_owned()) };
    let name = service.version_name(&version);
    let manifests = expected.job(service.name.as_str())?.desired.manifests();
    let mut rendered = manifests.filter(|it| it.id().is(Kind::Deployment) && it.id().name == name);
    let Some(rendered) = rendered.next() else { return Some("Deployment".to_owned()) };
    let mut said = deployment.value["spec"].clone();
    // What the API server fills in, and what is about updates and not about pods.
    for key in ["strategy", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        said.as_object_mut().map(|fields| fields.remove(key));
    }
    differs("spec", &said, &rendered.object()["spec"])
}

/// The path of a field that has another value on the other side, or none.
fn differs(path: &str, said: &Value, rendered: &Value) -> Option<String> {
    match (said, rendered) {
        (Value::Object(fields), Value::Object(others)) => fields.iter().find_map(|(key, value)| {
            let other = others.get(key).unwrap_or(&Value::Null);
            // A version drains before that, so that the rendered time is longer.
            let is_grace = key == "terminationGracePeriodSeconds" && *value == 30;
            match is_grace || other.is_null() && is_default(key, value) {
                true => None,
                false => differs(&format!("{path}.{key}"), value, other),
            }
        }),
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter().zip(others).enumerate().find_map(|(index, (item, other))| {
                differs(&format!("{path}[{index}]"), item, other)
            })
        }
        (Value::Null, _) => None,
        (one, other) => (one != other).then(|| path.to_owned()),
    }
}

/// Whether the API server fills in this value by itself.
fn is_default(key: &str, value: &Value) -> bool {
    let defaults = json!({
        "creationTimestamp": null,
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "protocol": "TCP",
    });
    value.is_null() || defaults.get(key) == Some(value)
}
