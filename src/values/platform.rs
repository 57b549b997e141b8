//! The platform team's plain Kubernetes objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::yaml;
use crate::inventory::{Manifest, ObjectId};
use crate::problem::{Location, Problem};

/// What stands below `platform/`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// The objects, in the order of the files and documents.
    pub manifests: Vec<Manifest>,
    /// What cannot be read of them. The services are not concerned.
    pub problems: Vec<Problem>,
}

impl Platform {
    /// Adds the objects of one file.
    pub(super) fn read(
        &mut self,
        file: &Arc<str>,
        content: &[u8],
        seen: &mut BTreeMap<ObjectId, Location>,
    ) {
        let documents = match yaml::documents(file, content) {
            Ok((documents, problems)) => {
                self.problems.extend(problems);
                documents
            }
            Err(problem) => return self.problems.push(problem),
        };
        for document in documents.iter().filter(|document| !document.is_null()) {
            let at = &document.at;
            let Some(manifest) = Manifest::new(document.to_json()) else {
                let message = "apiVersion, kind and metadata.name are required";
                let help = "one object per document, `---` between them";
                self.problems.push(Problem::new(at, "", message).help(help));
                continue;
            };
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
