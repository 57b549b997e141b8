//! What one version of a service is made of.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::check_label;
use super::reader::{Entry, Fields, Problems};
use super::yaml::{Data, Scalar};
use crate::inventory;
use crate::problem::Problem;

/// The port of a container whose values name none.
pub const DEFAULT_PORT: u16 = 8080;

/// Where the pods of a version come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// We own its Deployment.
    Deployed(Box<Deployment>),
    /// `external: true`: somebody else runs pods with our labels `app` and `version`.
    External,
    /// `external.upstream`: it is an Upstream that exists already.
    Upstream(UpstreamRef),
}

/// An Upstream by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRef {
    /// The Upstream's name.
    pub name: String,
    /// The Upstream's namespace.
    pub namespace: String,
}

/// The settings of one Deployment. What is `None` is left to the default that its field names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployment {
    /// How many pods; when absent the field is not ours (an autoscaler's, or Kubernetes' 1).
    pub replicas: Option<u32>,
    /// The image; `hashicorp/http-echo` answering `version:<service>-<version>`.
    pub image: Option<String>,
    /// The container's arguments; none, or those of the default image.
    pub args: Option<Vec<String>>,
    /// The environment, as Kubernetes' list of name and value or source.
    pub env: Vec<Value>,
    /// The port the container listens on; [`DEFAULT_PORT`].
    pub port: Option<u16>,
    /// `Always`, `IfNotPresent` or `Never`; Kubernetes' choice.
    pub image_pull_policy: Option<String>,
    /// Kubernetes' resource requirements.
    pub resources: Option<Map<String, Value>>,
    /// Kubernetes' probes.
    pub probes: Probes,
    /// More labels, for the Deployment and its pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations, for the Deployment and its pods.
    pub annotations: BTreeMap<String, String>,
    /// The pods' service account; the namespace's default one.
    pub service_account_name: Option<String>,
    /// A JSON merge patch (RFC 7386) on the rendered Deployment.
    pub patch: Option<Map<String, Value>>,
}

impl Deployment {
    /// The port the container listens on.
    pub fn container_port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }
}

/// The probes of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probes {
    /// When a pod gets requests; by default when its port takes connections.
    pub readiness: Probe,
    /// When a pod is restarted; never by default.
    pub liveness: Probe,
    /// When the other probes begin; at once by default.
    pub startup: Probe,
}

/// One probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Probe {
    /// Nothing is said.
    #[default]
    Default,
    /// `false`: no such probe.
    Off,
    /// Kubernetes' probe.
    Given(Map<String, Value>),
}

/// The keys of a version's settings, apart from `external`.
const SETTINGS: [&str; 12] = [
    "replicas",
    "image",
    "args",
    "env",
    "port",
    "imagePullPolicy",
    "resources",
    "probes",
    "labels",
    "annotations",
    "serviceAccountName",
    "patch",
];

/// Whether a key below `deployment` can be a version's setting rather than a version.
pub(super) fn is_setting(key: &str) -> bool {
    key == "external" || SETTINGS.contains(&key)
}

/// Reads what stands below `deployment.<version>`.
pub(super) fn read(entry: &Entry, namespace: &str, problems: &mut Problems) -> Option<Workload> {
    let mut fields = entry.fields(problems)?;
    if let Some(external) = fields.take("external")
        && external.node.scalar() != Some(Scalar::Bool(false))
    {
        let workload = read_external(&external, namespace, problems);
        for setting in SETTINGS {
            if let Some(entry) = fields.take_even_null(setting) {
                let message = "has no effect: the version is external, its Deployment is not ours";
                problems.push(entry.problem(message).help("remove it, or remove `external`"));
            }
        }
        fields.finish(problems);
        return workload;
    }
    Some(Workload::Deployed(Box::new(read_deployment(fields, problems))))
}

fn read_external(entry: &Entry, namespace: &str, problems: &mut Problems) -> Option<Workload> {
    if entry.node.scalar().is_some() {
        return entry.boolean(problems).map(|_| Workload::External);
    }
    let mut fields = entry.fields(problems)?;
    let upstream = fields.take("upstream");
    if upstream.is_none() {
        problems.push(fields.missing("upstream", "write `external: {upstream: {name: ...}}`"));
    }
    fields.finish(problems);
    let mut fields = upstream?.fields(problems)?;
    let name = fields.take("name");
    if name.is_none() {
        problems.push(fields.missing("name", "name the Upstream that exists already"));
    }
    let namespace = match fields.take("namespace") {
        Some(entry) => read_label(&entry, "a namespace", problems),
        None => Some(namespace.to_owned()),
    };
    fields.finish(problems);
    let name = name?.text(problems)?;
    Some(Workload::Upstream(UpstreamRef { name, namespace: namespace? }))
}

fn read_deployment(mut fields: Fields, problems: &mut Problems) -> Deployment {
    let mut text = |fields: &mut Fields, name| fields.take(name)?.text(problems);
    let image = text(&mut fields, "image");
    let service_account_name = text(&mut fields, "serviceAccountName");
    let deployment = Deployment {
        replicas: fields.take("replicas").and_then(|entry| entry.whole(0..=u32::MAX, problems)),
        image,
        args: fields.take("args").and_then(|entry| entry.texts(problems)),
        env: fields.take("env").map(|entry| read_env(&entry, problems)).unwrap_or_default(),
        port: fields.take("port").and_then(|entry| read_port(&entry, problems)),
        image_pull_policy: fields
            .take("imagePullPolicy")
            .and_then(|entry| read_pull_policy(&entry, problems)),
        resources: fields.take("resources").and_then(|entry| entry.object(problems)),
        probes: fields
            .take("probes")
            .map(|entry| read_probes(&entry, problems))
            .unwrap_or_default(),
        labels: read_own_map(fields.take("labels"), problems),
        annotations: read_own_map(fields.take("annotations"), problems),
        service_account_name,
        patch: fields.take("patch").and_then(|entry| read_patch(&entry, problems)),
    };
    fields.finish(problems);
    deployment
}

/// A port number.
pub(super) fn read_port(entry: &Entry, problems: &mut Problems) -> Option<u16> {
    entry.whole(1..=65535, problems).and_then(|port| port.try_into().ok())
}

/// A DNS label, for example a namespace.
pub(super) fn read_label(entry: &Entry, what: &str, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    match check_label(what, &text) {
        Ok(()) => Some(text),
        Err(message) => {
            problems.push(entry.problem(message));
            None
        }
    }
}

/// The environment: a mapping of names to values or sources, or Kubernetes' own list.
fn read_env(entry: &Entry, problems: &mut Problems) -> Vec<Value> {
    if let Value::Array(list) = entry.node.to_json() {
        let named = |item: &Value| item["name"].is_string();
        if !list.iter().all(named) {
            problems.push(entry.problem("every item needs a `name`").help("or write a mapping"));
        }
        return list;
    }
    // By name: a mapping has no order, and what is rendered must not depend on the file's.
    let variables: BTreeMap<_, _> =
        entry.entries(problems).unwrap_or_default().into_iter().collect();
    variables
        .into_iter()
        .filter_map(|(name, entry)| match entry.node.to_json() {
            Value::Object(source) => {
                let mut variable = Map::from_iter([("name".to_owned(), name.into())]);
                variable.extend(source);
                Some(variable.into())
            }
            _ => Some(json!({"name": name, "value": entry.text(problems)?})),
        })
        .collect()
}

fn read_pull_policy(entry: &Entry, problems: &mut Problems) -> Option<String> {
    let policy = entry.text(problems)?;
    if ["Always", "IfNotPresent", "Never"].contains(&policy.as_str()) {
        return Some(policy);
    }
    problems.push(entry.expected("Always, IfNotPresent or Never"));
    None
}

fn read_probes(entry: &Entry, problems: &mut Problems) -> Probes {
    let Some(mut fields) = entry.fields(problems) else { return Probes::default() };
    let mut read = |name| match fields.take(name) {
        None => Probe::Default,
        Some(probe) if probe.node.scalar() == Some(Scalar::Bool(false)) => Probe::Off,
        Some(probe) => probe.object(problems).map_or(Probe::Default, Probe::Given),
    };
    let (readiness, liveness, startup) = (read("readiness"), read("liveness"), read("startup"));
    fields.finish(problems);
    Probes { readiness, liveness, startup }
}

/// Labels or annotations that do not take the place of ours.
fn read_own_map(entry: Option<Entry>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(entry) = entry else { return BTreeMap::new() };
    for (key, entry) in entry.entries(&mut Vec::new()).unwrap_or_default() {
        if is_reserved(&key) {
            let problem = Problem::new(&entry.key_at, &entry.path, "the key is coalmine's own");
            problems.push(problem.help("choose another one"));
        }
    }
    entry.text_map(problems).unwrap_or_default()
}

fn is_reserved(key: &str) -> bool {
    ["app", "version", inventory::MANAGED_BY].contains(&key) || key.starts_with("coalmine.dev/")
}

/// What a patch leaves alone, because the other objects and the inventory hold on to it.
const IDENTITY: [&[&str]; 8] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "labels"],
    &["metadata", "annotations"],
    &["spec", "selector"],
    &["spec", "template", "metadata", "labels"],
];

fn read_patch(entry: &Entry, problems: &mut Problems) -> Option<Map<String, Value>> {
    let patch = entry.object(problems)?;
    let before = problems.len();
    for path in IDENTITY {
        refuse_patched(entry, path, problems);
    }
    (problems.len() == before).then_some(patch)
}

/// Follows a path into a patch and notes a problem where the patch would change what is there.
fn refuse_patched(entry: &Entry, path: &[&str], problems: &mut Problems) {
    // `null` and anything else that is no mapping removes all that stands below.
    let below = match &entry.node.data {
        Data::Mapping(_) => entry.entries(problems).unwrap_or_default(),
        _ => return refuse(entry, problems),
    };
    let shared_map = entry.path.ends_with(".labels") || entry.path.ends_with(".annotations");
    match path.split_first() {
        None if shared_map => {
            let reserved = below.iter().filter(|(key, _)| is_reserved(key));
            reserved.for_each(|(_, entry)| refuse(entry, problems));
        }
        None => refuse(entry, problems),
        Some((first, rest)) => {
            if let Some((_, entry)) = below.iter().find(|(key, _)| key == first) {
                refuse_patched(entry, rest, problems);
            }
        }
    }
}

fn refuse(entry: &Entry, problems: &mut Problems) {
    let message = "a patch does not change an object's identity";
    let problem = Problem::new(&entry.key_at, &entry.path, message)
        .help("names, namespace, selector and coalmine's labels come from the values");
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}
