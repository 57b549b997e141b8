//! What services have already: a name, a path or a domain stays with who had it first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gloo::api::Matcher;
use gloo::{ResourceRef, Snapshot};
use serde_json::Value;

use super::layout::folder_of;
use super::model::{Path, PathMatch, Service};
use crate::kind::Kind;
use crate::labels::DELEGATION_LABEL;
use crate::object::ObjectId;
use crate::tree::Tree;

/// The newest valid values of each file of a service. What they claim stays theirs while the file is there, also while
/// it has mistakes, because it is what the cluster has.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// By the paths of the files.
    services: BTreeMap<String, Arc<Service>>,
    /// What the cluster had when nothing was read yet, of the services whose values were not valid since.
    pub(super) applied: Applied,
    /// Where commits since the last revision moved files to, by the paths that they had.
    pub(super) moves: BTreeMap<String, String>,
}

impl Held {
    /// What the file had before.
    pub(super) fn of(&self, file: &str) -> Option<&Arc<Service>> {
        self.services.get(file)
    }

    /// What services had whose files were moved or are gone, by the paths of these.
    pub(super) fn gone<'a>(
        &'a self,
        tree: &'a Tree,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<Service>)> {
        let gone = self.services.iter().filter(|(file, _)| !tree.files.contains_key(*file));
        gone.map(|(file, service)| (file.as_str(), service))
    }

    /// The one of several files of a name that the file of that name was moved to: where a commit moved it, or else within
    /// its folder.
    pub(super) fn moved_to<'a>(
        &self,
        stem: &str,
        files: &[&'a str],
        tree: &Tree,
    ) -> Option<&'a str> {
        let (old, _) = self.gone(tree).find(|(_, service)| service.name.as_str() == stem)?;
        if let Some(new) = self.moves.get(old)
            && let Some(file) = files.iter().find(|file| *file == new)
        {
            return Some(file);
        }
        let mut near = files.iter().filter(|file| folder_of(file) == folder_of(old));
        near.next().filter(|_| near.next().is_none()).copied()
    }

    /// What files have that are still there.
    pub(super) fn within<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = &'a Arc<Service>> {
        let files = self.services.iter().filter(|(file, _)| tree.files.contains_key(*file));
        files.map(|(_, service)| service)
    }

    /// Takes over what a revision asks for, now that nobody disputes it. `named` are its services, right or wrong.
    pub(super) fn take<'a>(
        &mut self,
        services: impl Iterator<Item = &'a Arc<Service>>,
        named: impl Fn(&str) -> bool,
        tree: &Tree,
    ) {
        self.services.retain(|file, _| tree.files.contains_key(file));
        self.moves.clear();
        let mut taken = BTreeSet::new();
        for service in services {
            taken.insert(service.name.as_str());
            self.services.insert(service.file.clone(), service.clone());
        }
        self.applied.retain(|service| named(service) && !taken.contains(service));
    }
}

/// What services have in the cluster, by their objects: for a reader that has read nothing yet.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    owners: BTreeMap<Thing, String>,
    /// By the services' names.
    namespaces: BTreeMap<String, BTreeSet<String>>,
}

/// Something in the cluster that belongs to one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// An object, by namespace and name.
    Object(Kind, String, String),
    /// A domain, in lower case.
    Domain(String),
    /// A path of an apiGroup, with its methods and the names of its query parameters.
    Path { group: String, path: Path, methods: BTreeSet<String>, parameters: BTreeSet<String> },
}

impl Applied {
    /// What the objects have, each with its service. The contents of routes come from the snapshot, those of HTTPRoutes
    /// from `http_routes`.
    pub fn of<'a>(
        snapshot: &Snapshot,
        http_routes: &BTreeMap<ObjectId, Value>,
        objects: impl IntoIterator<Item = (&'a ObjectId, &'a str)>,
    ) -> Self {
        let mut applied = Self::default();
        for (id, service) in objects {
            let (Some(kind), Some(namespace)) = (id.known_kind(), &id.namespace) else { continue };
            let mut add = |thing| drop(applied.owners.insert(thing, service.to_owned()));
            let reference = ResourceRef::new(namespace, &id.name);
            add(Thing::Object(kind, namespace.clone(), id.name.clone()));
            if kind == Kind::RouteTable
                && let Some((labels, table)) = snapshot.route_table(&reference)
                && let Some(group) = labels.get("apiGroup")
            {
                let matchers = table.routes.iter().flat_map(|route| &route.matchers);
                matchers.filter_map(|matcher| path_of(group, matcher)).for_each(&mut add);
            }
            if kind == Kind::VirtualService
                && let Some(host) = snapshot.virtual_service(&reference)
            {
                let domains = host.virtual_host.iter().flat_map(|host| &host.domains);
                domains.for_each(|domain| add(Thing::Domain(domain.to_ascii_lowercase())));
            }
            if let Some(route) = http_routes.get(id) {
                things_of(service, &id.name, route).into_iter().for_each(&mut add);
            }
            let namespaces = applied.namespaces.entry(service.to_owned()).or_default();
            namespaces.insert(namespace.clone());
        }
        applied
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Whose the thing is.
    pub(super) fn owner(&self, thing: &Thing) -> Option<&str> {
        self.owners.get(thing).map(String::as_str)
    }

    /// Whether the service has objects in the namespace; `None` when it has none at all.
    pub(super) fn is_in(&self, service: &str, namespace: &str) -> Option<bool> {
        Some(self.namespaces.get(service)?.contains(namespace))
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.owners.retain(|_, service| keep(service));
        self.namespaces.retain(|service, _| keep(service));
    }
}

/// The group of paths that are on every host, of which the objects do not say the apiGroup.
pub(super) const OF_EVERY_GROUP: &str = "";

/// What an HTTPRoute of a service has: its hostnames, or the paths of an apiGroup.
fn things_of(service: &str, name: &str, route: &Value) -> Vec<Thing> {
    let list =
        |pointer: &str| route.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let domain = |name: &str| Thing::Domain(name.to_ascii_lowercase());
    let hosts: Vec<Thing> = list("/spec/hostnames").filter_map(Value::as_str).map(domain).collect();
    if !hosts.is_empty() {
        return hosts;
    }
    // A route of the service's own name has domains, with `*` among them.
    if name == service {
        return vec![domain("*")];
    }
    let group = route["metadata"]["labels"][DELEGATION_LABEL].as_str().unwrap_or(OF_EVERY_GROUP);
    let mut methods: BTreeMap<(Path, BTreeSet<String>), Vec<BTreeSet<String>>> = BTreeMap::new();
    for rule in list("/spec/rules") {
        let mut of_rule: BTreeMap<(Path, BTreeSet<String>), BTreeSet<String>> = BTreeMap::new();
        let matches = rule["matches"].as_array().into_iter().flatten();
        // Rules with headers are those of a canary, on paths that are there without.
        for one in matches.filter(|it| it.get("headers").is_none()) {
            let text = one["path"]["value"].as_str().unwrap_or("/").to_owned();
            let path = match one["path"]["type"].as_str() {
                Some("Exact") => Path::Exact(text),
                Some("RegularExpression") => Path::Regex(text),
                _ => Path::Prefix(text),
            };
            let parameters = one["queryParams"].as_array().into_iter().flatten();
            let parameters = parameters.filter_map(|it| it["name"].as_str().map(str::to_owned));
            let known = of_rule.entry((path, parameters.collect())).or_default();
            known.extend(one["method"].as_str().map(str::to_owned));
        }
        for (place, of_rule) in of_rule {
            methods.entry(place).or_default().push(of_rule);
        }
    }
    let thing = |path: &Path, parameters: &BTreeSet<String>, methods| Thing::Path {
        group: group.to_owned(),
        path: path.clone(),
        methods,
        parameters: parameters.clone(),
    };
    let mut things = Vec::new();
    for ((path, parameters), by_rule) in &methods {
        // One path with several methods may be a rule for each of them.
        let all = by_rule.iter().flatten().cloned().collect();
        things.push(thing(path, parameters, all));
        things.extend(by_rule.iter().map(|it| thing(path, parameters, it.clone())));
    }
    things
}

impl Thing {
    pub(super) fn path(group: &str, path: &PathMatch) -> Self {
        Self::Path {
            group: group.to_owned(),
            path: path.path.clone(),
            methods: path.methods.clone(),
            parameters: path.query_parameters.keys().cloned().collect(),
        }
    }
}

fn path_of(group: &str, matcher: &Matcher) -> Option<Thing> {
    let path = match (&matcher.prefix, &matcher.exact, &matcher.regex) {
        (Some(prefix), None, None) => Path::Prefix(prefix.clone()),
        (None, Some(exact), None) => Path::Exact(exact.clone()),
        (None, None, Some(regex)) => Path::Regex(regex.clone()),
        _ => return None,
    };
    let parameters = matcher.query_parameters.iter();
    Some(Thing::Path {
        group: group.to_owned(),
        path,
        methods: matcher.methods.iter().cloned().collect(),
        parameters: parameters.map(|parameter| parameter.name.clone()).collect(),
    })
}
