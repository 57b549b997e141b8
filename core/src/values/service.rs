//! One service's values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::deployment::{self, DEFAULT_PORT, Workload};
use super::drift::{self, Drift};
use super::entry::{Entry, Fields, Problems};
use super::names::{ServiceName, Version, Weight};
use super::node::{Data, Extent, Node, Scalar};
use super::routes::{self, Routes};
use super::settings::Defaults;
use super::yaml::MAX_EXTENT;
use crate::problem::{Location, Problem};

/// A service as its file and the repository's defaults describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The file's stem.
    pub name: ServiceName,
    /// Where its objects live; the service's name by default.
    pub namespace: String,
    /// The file it was read from, relative to the tree.
    pub file: String,
    /// Its versions, at least one.
    pub versions: BTreeMap<Version, Workload>,
    /// The port of its Kubernetes Service; 80 by default.
    pub port: u16,
    /// Where its Kubernetes Service sends to.
    pub target_port: TargetPort,
    /// Who gets its requests.
    pub routes: Routes,
    /// More of its Upstreams' spec.
    pub upstream: Map<String, Value>,
    /// Whether objects that exist without our labels are taken over.
    pub adopt: bool,
    /// Whether its objects stay when its file goes.
    pub keep: bool,
    /// What is done when somebody else changes its objects; what the daemon does when absent.
    pub drift: Option<Drift>,
}

/// Where a Service sends to: a port of the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By number.
    Number(u16),
    /// By the name of a container port.
    Name(String),
}

/// The name of the container port that a version listens on.
pub const PORT_NAME: &str = "http";

impl Service {
    /// `<service>-<version>`: the name of the version's Deployment, and of its Upstream where
    /// it has its own.
    pub fn version_name(&self, version: &Version) -> String {
        format!("{}-{version}", self.name)
    }

    /// The versions that a route names, whatever their share: those that must be ready before
    /// the routes are written.
    pub fn routed_versions(&self) -> Vec<&Version> {
        let canary = self.routes.canary.as_ref().map(|canary| &canary.version);
        [&self.routes.primary].into_iter().chain(canary).collect()
    }

    /// What is legal here but probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(canary) = &self.routes.canary
            && canary.headers.is_empty()
            && canary.weight == Weight::ZERO
            && canary.shadow == Weight::ZERO
        {
            warnings.push(format!(
                "routes.canary: {} gets no requests: it has no headers, weight or shadow",
                canary.version
            ));
        }
        for version in self.routed_versions() {
            if let Some(Workload::Deployed(deployment)) = self.versions.get(version)
                && deployment.replicas == Some(0)
            {
                warnings.push(format!(
                    "deployment.{version}.replicas: 0, but a route names {version}: \
                     the routes wait for a ready pod"
                ));
            }
        }
        warnings
    }
}

/// Reads a service's file over the defaults.
pub(super) fn read(
    name: &ServiceName,
    root: &Arc<Node>,
    defaults: Option<&Defaults>,
) -> Result<Service, Problems> {
    let mut problems = Problems::new();
    if extent(root, defaults).exceeds(MAX_EXTENT) {
        return Err(vec![too_much(root)]);
    }
    let defaults = defaults.map(|defaults| &defaults.node);
    let own = Entry::root(root.clone());
    let nested = nested_deployment(&own);
    let entry = Entry::root(with_defaults(root, defaults));
    let Some(mut fields) = entry.fields_like(FILE, &mut problems) else { return Err(problems) };

    let namespace = match fields.take("namespace") {
        Some(entry) => deployment::read_label(&entry, "a namespace", &mut problems),
        None => Some(name.to_string()),
    };
    let namespace = namespace.unwrap_or_else(|| name.to_string());
    let versions = match (fields.take_even_null("deployment"), nested) {
        (_, Some(problem)) => {
            problems.push(problem);
            None
        }
        (Some(entry), None) => read_versions(name, &namespace, &entry, &mut problems),
        (None, None) => {
            problems.push(missing_deployment(&fields));
            None
        }
    };
    let (port, target_port) = read_ports(&mut fields, &mut problems);
    let routes = match fields.take("routes") {
        Some(entry) => routes::read(name, &entry, versions.as_ref(), &mut problems),
        None => {
            problems.push(fields.missing("routes", ROUTES));
            None
        }
    };
    let upstream = fields.take("upstream").and_then(|entry| read_upstream(&entry, &mut problems));
    let mut flag = |fields: &mut Fields, key| fields.take(key)?.boolean(&mut problems);
    let (adopt, keep) = (flag(&mut fields, "adopt"), flag(&mut fields, "keep"));
    let drift = fields.take("drift").and_then(|entry| drift::read(&entry, &mut problems));
    fields.finish(&mut problems);

    match (versions, routes) {
        (Some(versions), Some(routes)) if problems.is_empty() => Ok(Service {
            target_port: target_port.unwrap_or_else(|| default_target_port(&versions)),
            name: name.clone(),
            namespace,
            file: root.at.file.to_string(),
            versions,
            port: port.unwrap_or(80),
            routes,
            upstream: upstream.unwrap_or_default(),
            adopt: adopt.unwrap_or(false),
            keep: keep.unwrap_or(false),
            drift,
        }),
        _ => Err(problems),
    }
}

/// More of the Upstreams' spec; not where the endpoints come from.
pub(super) fn read_upstream(entry: &Entry, problems: &mut Problems) -> Option<Map<String, Value>> {
    const SOURCES: [&str; 10] = [
        "kube",
        "static",
        "pipe",
        "aws",
        "azure",
        "consul",
        "awsEc2",
        "gcp",
        "ai",
        "discoveryMetadata",
    ];
    let object = entry.object(problems)?;
    if let Some(source) = SOURCES.iter().find(|source| object.contains_key(**source)) {
        let message = format!("`{source}` cannot stand here");
        let help = "the endpoints are the service's pods; an Upstream of another kind belongs to platform/";
        problems.push(entry.problem(message).help(help));
        return None;
    }
    Some(object)
}

const FILE: &str = "a service's file starts with the keys `deployment:` and `routes:`";
const VERSIONS: &str = "name the versions to run, for example `deployment: {v1: {}}`";
pub(super) const ROUTES: &str = "for example `routes: {apiGroup: example, primary: {version: v1}}`";

/// The problem of a file in which nothing stands.
pub(super) fn empty_file(at: &Location) -> Problem {
    Problem::new(at, "deployment", "the key is required, and the file is empty").help(format!(
        "{VERSIONS}, and who gets the requests, {ROUTES}; to remove the service remove its file"
    ))
}

fn missing_deployment(fields: &Fields) -> Problem {
    fields.missing("deployment", VERSIONS)
}

/// The slip `deployment: {deployment: {v1: {}}}`, which would run a version called `deployment`.
fn nested_deployment(root: &Entry) -> Option<Problem> {
    let outer = below(root, "deployment")?;
    let inner = below(&outer, "deployment")?;
    let Data::Mapping(entries) = &inner.node.data else { return None };
    let names: Vec<_> = entries.iter().map(|(key, _)| key.name.as_str()).collect();
    if names.is_empty() || names.iter().any(|name| deployment::is_setting(name)) {
        return None;
    }
    let versions: Vec<_> = names.iter().take(3).map(|name| format!("{name}: {{}}")).collect();
    let message = "`deployment` is nested once too often";
    Some(Problem::new(&inner.key_at, &inner.path, message).help(format!(
        "write the versions directly below the first one: `deployment: {{{}}}`",
        versions.join(", ")
    )))
}

fn below(entry: &Entry, name: &str) -> Option<Entry> {
    let entries = entry.entries(&mut Problems::new())?;
    entries.into_iter().find(|(key, _)| key == name).map(|(_, entry)| entry)
}

fn read_versions(
    name: &ServiceName,
    namespace: &str,
    entry: &Entry,
    problems: &mut Problems,
) -> Option<BTreeMap<Version, Workload>> {
    let entries = entry.entries(problems)?;
    if entries.is_empty() {
        problems.push(entry.problem("no version is listed").help(VERSIONS));
        return None;
    }
    let mut versions = BTreeMap::new();
    let mut complete = true;
    for (key, entry) in entries {
        let version = Version::new(&key).and_then(|version| {
            version.check_with(name)?;
            Ok(version)
        });
        let workload = deployment::read(&entry, namespace, problems);
        match version {
            // A version with mistakes still counts as listed, so that `routes` may name it.
            Ok(version) => drop(versions.insert(version, workload.unwrap_or(Workload::External))),
            Err(message) => {
                complete = false;
                problems.push(Problem::new(&entry.key_at, &entry.path, message));
            }
        }
    }
    complete.then_some(versions)
}

fn read_ports(fields: &mut Fields, problems: &mut Problems) -> (Option<u16>, Option<TargetPort>) {
    let Some(mut fields) = fields.take("service").and_then(|entry| entry.fields(problems)) else {
        return (None, None);
    };
    let port = fields.take("port").and_then(|entry| deployment::read_port(&entry, problems));
    let target = fields.take("targetPort").and_then(|entry| match entry.node.scalar() {
        Some(Scalar::Text(_)) => {
            deployment::read_label(&entry, "a port's name", problems).map(TargetPort::Name)
        }
        _ => deployment::read_port(&entry, problems).map(TargetPort::Number),
    });
    fields.finish(problems);
    (port, target)
}

/// The container's port by its name, which every pod resolves for itself: so a version with another
/// port, or another port of the same version, cuts off nobody. Pods that somebody else runs need not
/// have that name; with those it is the number that the others use.
fn default_target_port(versions: &BTreeMap<Version, Workload>) -> TargetPort {
    if !versions.values().any(|workload| *workload == Workload::External) {
        return TargetPort::Name(PORT_NAME.to_owned());
    }
    let ports = versions.values().find_map(|workload| match workload {
        Workload::Deployed(deployment) => Some(deployment.container_port()),
        Workload::External | Workload::Upstream(_) => None,
    });
    TargetPort::Number(ports.unwrap_or(DEFAULT_PORT))
}

/// How much a service holds at most, the defaults in it counted for each of its versions.
pub(super) fn extent(root: &Node, defaults: Option<&Defaults>) -> Extent {
    let mut extent = root.extent();
    if let Some(defaults) = defaults {
        let versions = match root.get("deployment").map(|node| &node.data) {
            Some(Data::Mapping(versions)) => versions.len(),
            _ => 0,
        };
        extent += defaults.extent.times(versions + 1);
    }
    extent
}

fn too_much(root: &Node) -> Problem {
    let Extent { nodes, text } = MAX_EXTENT;
    let message = format!(
        "with the defaults of coalmine.yaml for each version there are more than {nodes} values or \
         {text} bytes of text"
    );
    Problem::new(&root.at, "", message).help("list fewer versions, or shorten the defaults")
}

/// The service's own values over the defaults, key by key.
fn with_defaults(own: &Arc<Node>, defaults: Option<&Arc<Node>>) -> Arc<Node> {
    let (Some(defaults), Data::Mapping(entries)) = (defaults, &own.data) else {
        return own.clone();
    };
    let mut entries = entries.clone();
    for (key, node) in &mut entries {
        let Some(defaults) = defaults.get(&key.name) else { continue };
        *node = match key.name.as_str() {
            "deployment" => with_version_defaults(node, defaults),
            "routes" => routes::with_defaults(node, defaults),
            "service" | "drift" | "upstream" => Node::merge(defaults, node),
            _ => continue,
        };
    }
    if let Data::Mapping(defaults) = &defaults.data {
        for (key, node) in defaults.iter().filter(|(key, _)| own.get(&key.name).is_none()) {
            match key.name.as_str() {
                "routes" => entries.push((key.clone(), routes::without_canary(node))),
                "service" | "drift" | "upstream" => entries.push((key.clone(), node.clone())),
                _ => {}
            }
        }
    }
    Arc::new(Node { at: own.at.clone(), data: Data::Mapping(entries) })
}

fn with_version_defaults(deployment: &Arc<Node>, defaults: &Arc<Node>) -> Arc<Node> {
    let Data::Mapping(versions) = &deployment.data else { return deployment.clone() };
    let merged = versions.iter().map(|(key, node)| {
        let external = node.get("external").is_some_and(|external| !external.is_null());
        let node = if external { node.clone() } else { Node::merge(defaults, node) };
        (key.clone(), node)
    });
    let data = Data::Mapping(merged.collect());
    Arc::new(Node { at: deployment.at.clone(), data })
}
