//! The platform team's plain Kubernetes objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kind_name::KindName;
use super::names::check_path_segment;
use super::node::Extent;
use super::passed::{self, Passed};
use super::yaml;
use crate::object::{Identity, Manifest, ObjectId};
use crate::problem::{Location, Problem};

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
            let at = &document.at;
            let Some(manifest) = Manifest::new(passed::json(document, Passed::Object)) else {
                let message = "apiVersion, kind and metadata.name are required";
                let help = "one object per document, `---` between them";
                self.problems.push(Problem::new(at, "", message).help(help));
                continue;
            };
            if let Err(message) = check_id(manifest.id()) {
                self.problems.push(Problem::new(at, "", message).help(
                    "such a name cannot be part of the object's address: is it spelled right?",
                ));
                continue;
            }
            if let Some(first) = seen.insert(manifest.id().clone(), at.clone()) {
                let message =
                    format!("{} stands in {}:{} too", manifest.id(), first.file, first.line);
                self.problems.push(Problem::new(at, "", message).help("keep one of the two"));
                continue;
            }
            self.manifests.push(manifest);
        }
    }
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
