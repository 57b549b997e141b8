//! The platform team's plain Kubernetes objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kind_name::KindName;
use super::names::check_path_segment;
use super::node::{Data, Extent, Node};
use super::passed::{self, Passed};
use super::yaml;
use crate::object::{Identity, Manifest, ObjectId};
use crate::problem::{Location, Problem};
use crate::scope::Scope;

/// What stands below `platform/`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// The objects, in the order of the files and documents.
    pub manifests: Vec<Manifest>,
    /// What cannot be read of them. The services are not concerned.
    pub problems: Vec<Problem>,
    /// `prune.kinds` in coalmine.yaml: kinds whose objects are deleted when they leave, although objects like that
    /// are kept by default.
    pub prune_kinds: BTreeSet<KindName>,
}

impl Platform {
    /// Adds the objects of one file.
    pub(super) fn read(
        &mut self,
        file: &Arc<str>,
        content: &[u8],
        seen: &mut BTreeMap<ObjectId, Location>,
        extent: &mut Extent,
    ) {
        let documents = match yaml::documents(file, content) {
            Ok((documents, problems)) => {
                self.problems.extend(problems);
                documents
            }
            Err(problem) => return self.problems.push(problem),
        };
        for document in documents.iter().filter(|document| !document.is_null()) {
            *extent += document.extent();
            self.read_object(document, seen);
        }
    }

    /// Adds an object, or the objects of a list such as `kubectl get -o yaml` writes.
    fn read_object(&mut self, node: &Node, seen: &mut BTreeMap<ObjectId, Location>) {
        if let Some(items) = items(node) {
            for item in items.iter().filter(|item| !item.is_null()) {
                self.read_object(item, seen);
            }
            return;
        }
        match read(node) {
            Ok(manifest) => match seen.insert(manifest.id().clone(), node.at.clone()) {
                Some(first) => {
                    let message =
                        format!("{} stands in {}:{} too", manifest.id(), first.file, first.line);
                    let problem = Problem::new(&node.at, "", message);
                    self.problems.push(problem.help("keep one of the two"));
                }
                None => self.manifests.push(manifest),
            },
            Err(problem) => self.problems.push(problem),
        }
    }
}

/// The items of a list: no object is of a kind `List`, or of one that ends so and has `items`.
fn items(node: &Node) -> Option<&[Arc<Node>]> {
    let kind = match &node.get("kind")?.data {
        Data::Scalar { text, .. } => text.as_str(),
        _ => return None,
    };
    let is_named = || node.get("metadata").is_some_and(|it| it.get("name").is_some());
    let is_list = kind == "List" || kind.ends_with("List") && !is_named();
    match &node.get("items").filter(|_| is_list)?.data {
        Data::Sequence(items) => Some(items),
        _ if node.get("items")?.is_null() => Some(&[]),
        _ => None,
    }
}

fn read(node: &Node) -> Result<Manifest, Problem> {
    let problem = |message: String, help: &str| Problem::new(&node.at, "", message).help(help);
    let Some(manifest) = Manifest::new(passed::json(node, Passed::Object)) else {
        return Err(no_object(node));
    };
    let id = manifest.id();
    check_id(id).map_err(|message| {
        problem(message, "such a name cannot be part of the object's address: is it spelled right?")
    })?;
    match (Scope::of(id), &id.namespace) {
        (Some(Scope::Namespace), None) => Err(problem(
            format!("{id}: metadata.namespace is required"),
            "say where it belongs, for example `namespace: default`",
        )),
        (Some(Scope::Cluster), Some(_)) => {
            Err(problem(format!("{id}: it belongs to no namespace"), "remove metadata.namespace"))
        }
        _ => Ok(manifest),
    }
}

/// The problem of a document that is no object with a name.
fn no_object(node: &Node) -> Problem {
    let problem = |message: &str| Problem::new(&node.at, "", message);
    let text = |key: &str| match node.get(key).map(|node| &node.data) {
        Some(Data::Scalar { text, .. }) => text.as_str(),
        _ => "",
    };
    if text("apiVersion").starts_with("kustomize.config.k8s.io/") {
        return problem("a Kustomization is not built here").help(
            "`kubectl kustomize FOLDER` writes the objects that it means: put those into platform/, and the \
             Kustomization elsewhere",
        );
    }
    if node.get("metadata").is_some_and(|it| it.get("generateName").is_some()) {
        return problem("metadata.generateName makes another object at every look")
            .help("give the object a name by `metadata.name`");
    }
    problem("apiVersion, kind and metadata.name are required")
        .help("one object per document, `---` between them")
}

/// What Kubernetes asks of everything that becomes part of an object's address, lest it lead to
/// another object's.
fn check_id(id: &ObjectId) -> Result<(), String> {
    let Identity { api_version, kind, namespace, name } = &**id;
    let version = api_version.split_once('/').map_or(api_version.as_str(), |(_, version)| version);
    let group = api_version.split_once('/').map(|(group, _)| group);
    for (what, text) in [
        ("kind", Some(kind.as_str())),
        ("apiVersion", Some(version)),
        ("apiVersion", group),
        ("metadata.namespace", namespace.as_deref()),
        ("metadata.name", Some(name)),
    ] {
        text.map_or(Ok(()), |text| check_path_segment(what, text))?;
    }
    Ok(())
}
