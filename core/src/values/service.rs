//! Reads one service's values.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::defaults::{Defaults, extent, with_defaults};
use super::entry::{Entry, Fields, Problems};
use super::model::{
    DEFAULT_PORT, Grants, PORT_NAME, PathMatch, RoutePlaces, Service, TargetPort, Workload,
};
use super::names::{ServiceName, Version, object_name};
use super::node::{Data, Extent, Node, Scalar};
use super::passed::Passed;
use super::places::Places;
use super::routes::ROUTES;
use super::scalars::{read_label, read_port};
use super::schema::{self, ENDPOINT_SOURCES};
use super::yaml::MAX_EXTENT;
use super::{autopilot, deployment, drift, gateway_api, routes};
use crate::problem::{Location, Problem};

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
    let choice = defaults.map(|defaults| defaults.gateway.clone()).unwrap_or_default();
    let context = autopilot::Context {
        is_own: root.get("autopilot").is_some_and(|node| !node.is_null()),
        max_step: defaults.and_then(|defaults| defaults.max_step),
    };
    let defaults = defaults.map(|defaults| &defaults.node);
    let own = Entry::root(root.clone());
    let nested = nested_deployment(&own);
    let entry = Entry::root(with_defaults(root, defaults));
    let Some(mut fields) = entry.fields_like::<schema::ServiceFile>(FILE, &mut problems) else {
        return Err(problems);
    };

    let namespace = match fields.take(schema::ServiceFile::namespace()) {
        Some(entry) => read_label(&entry, "a namespace", &mut problems),
        None => Some(name.to_string()),
    };
    let namespace = namespace.unwrap_or_else(|| name.to_string());
    let versions = match (fields.take_even_null(schema::ServiceFile::deployment()), nested) {
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
    let routes = match fields.take(schema::ServiceFile::routes()) {
        Some(entry) => routes::read(name, &entry, versions.as_ref(), choice, &mut problems),
        None => {
            problems.push(fields.missing(schema::ServiceFile::routes(), ROUTES));
            None
        }
    };
    let upstream = fields
        .take(schema::ServiceFile::upstream())
        .and_then(|entry| read_upstream(&entry, &mut problems));
    let mut flag = |key| fields.take(key)?.boolean(&mut problems);
    let adopt = flag(schema::ServiceFile::adopt());
    let keep = flag(schema::ServiceFile::keep());
    let drift = fields
        .take(schema::ServiceFile::drift())
        .and_then(|entry| drift::read(&entry, &mut problems));
    let autopilot = fields
        .take(schema::ServiceFile::autopilot())
        .and_then(|entry| autopilot::read(&entry, context, &mut problems));
    fields.finish(&mut problems);

    match (versions, routes) {
        (Some(versions), Some(routes)) if problems.is_empty() => {
            let written = Places::new(entry.node.clone());
            let paths = routes.paths.iter().map(|PathMatch { path, .. }| {
                let keys = written.path(path);
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                (path.text().to_owned(), written.of(&keys))
            });
            let places = RoutePlaces::new(written.of(&["routes"]), paths.collect());
            let service = Service {
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
                autopilot,
                grants: Grants::default(),
                places,
            };
            let mut unsaid = gateway_api::problems(&service, &written);
            unsaid.extend(autopilot::problems(&service, context.max_step, &written));
            unsaid.sort_by_key(|problem| (problem.at.line, problem.at.column));
            if unsaid.is_empty() { Ok(service) } else { Err(unsaid) }
        }
        _ => Err(problems),
    }
}

/// More of the Upstreams' spec; not where the endpoints come from.
pub(super) fn read_upstream(entry: &Entry, problems: &mut Problems) -> Option<Map<String, Value>> {
    let object = entry.object(Passed::Gloo, problems)?;
    if let Some(source) = ENDPOINT_SOURCES.iter().find(|source| object.contains_key(**source)) {
        let message = format!("`{source}` cannot stand here");
        let help = "the endpoints are the service's pods; an Upstream of another kind belongs to platform/";
        problems.push(entry.problem(message).help(help));
        return None;
    }
    Some(object)
}

const FILE: &str = "a service's file starts with the keys `deployment:` and `routes:`";
const VERSIONS: &str = "name the versions to run, for example `deployment: {v1: {}}`";

/// The problem of a file in which nothing stands.
pub(super) fn empty_file(at: &Location) -> Problem {
    Problem::new(at, "deployment", "the key is required, and the file is empty").help(format!(
        "{VERSIONS}, and who gets the requests, {ROUTES}; to remove the service remove its file"
    ))
}

fn missing_deployment(fields: &Fields<schema::ServiceFile>) -> Problem {
    fields.missing(schema::ServiceFile::deployment(), VERSIONS)
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
    let mut named = HashMap::new();
    let mut complete = true;
    for (key, entry) in entries {
        let version = read_version_name(name, &key, &entry, &mut named);
        let workload = deployment::read(&entry, namespace, problems);
        match version {
            // A version with mistakes still counts as listed, so that `routes` may name it.
            Ok(version) => drop(versions.insert(version, workload.unwrap_or(Workload::External))),
            Err(problem) => {
                complete = false;
                problems.push(problem);
            }
        }
    }
    complete.then_some(versions)
}

/// Reads a version's name. `named` has the names of the objects of those before, with the version and its
/// line: two versions never share an object.
fn read_version_name(
    service: &ServiceName,
    key: &str,
    entry: &Entry,
    named: &mut HashMap<String, (String, usize)>,
) -> Result<Version, Problem> {
    let problem = |message| Problem::new(&entry.key_at, &entry.path, message);
    let version = Version::new(key).map_err(|message| match Version::resembled(key) {
        Some(meant) => problem(message).help(format!("for example `{meant}`")),
        None => problem(message),
    })?;
    version.check_with(service).map_err(problem)?;
    let object = object_name(service.as_str(), key);
    if let Some((other, line)) = named.get(&object) {
        let message = format!(
            "the objects of {key} would be called `{object}`, as those of {other} on line {line}"
        );
        return Err(problem(message).help(
            "rename one of the two: in names of objects letters are lower-case, and `.` and `_` are `-`",
        ));
    }
    named.insert(object, (key.to_owned(), entry.key_at.line));
    Ok(version)
}

fn read_ports(
    fields: &mut Fields<schema::ServiceFile>,
    problems: &mut Problems,
) -> (Option<u16>, Option<TargetPort>) {
    let service = fields.take(schema::ServiceFile::service());
    let Some(mut fields) = service.and_then(|entry| entry.fields(problems)) else {
        return (None, None);
    };
    let port = fields.take(schema::Service::port()).and_then(|entry| read_port(&entry, problems));
    let target =
        fields.take(schema::Service::target_port()).and_then(|entry| match entry.node.scalar() {
            Some(Scalar::Text(_)) => {
                read_label(&entry, "a port's name", problems).map(TargetPort::Name)
            }
            _ => read_port(&entry, problems).map(TargetPort::Number),
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

fn too_much(root: &Node) -> Problem {
    let Extent { nodes, text } = MAX_EXTENT;
    let message = format!(
        "with the defaults of coalmine.yaml for each version there are more than {nodes} values or \
         {text} bytes of text"
    );
    Problem::new(&root.at, "", message).help("list fewer versions, or shorten the defaults")
}
