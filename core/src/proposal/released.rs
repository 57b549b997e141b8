//! What leaves the repository and stays in the cluster.

use std::collections::BTreeSet;

use super::Expected;
use crate::labels;
use crate::object::{Manifest, ObjectId};
use crate::plan::Job;
use crate::values::PLATFORM;

/// What a person is told about each object of `platform/` that leaves the repository from one tree to the next and
/// stays in the cluster. Nothing while `platform/` has mistakes: then all of it stays as it is.
pub fn released(before: &Expected, after: &Expected) -> Vec<String> {
    if !(after.repository.problems.is_empty() && after.repository.platform.problems.is_empty()) {
        return Vec::new();
    }
    let (Some(old), Some(new)) = (before.job(PLATFORM), after.job(PLATFORM)) else {
        return Vec::new();
    };
    let objects = old.desired.manifests();
    let objects = objects.map(|it| (it.id(), labels::keep(it.object())));
    notes(objects, new, |namespace| homes(namespace, &[after, before]))
}

/// What a person is told about each of these objects that the job does not desire and retains; each comes with its
/// annotation [`labels::KEEP`]. `homes` names the services that live in a namespace.
pub fn notes<'a, 'h>(
    objects: impl Iterator<Item = (&'a ObjectId, Option<bool>)>,
    job: &Job,
    homes: impl Fn(&str) -> Vec<&'h str>,
) -> Vec<String> {
    let desired: BTreeSet<&ObjectId> = job.desired.manifests().map(Manifest::id).collect();
    let leaves = objects.filter(|(id, _)| !desired.contains(id));
    let note = |(id, keep): (&ObjectId, Option<bool>)| {
        Some(job.retains(id, keep)?.note(id, &homes(&id.name)))
    };
    leaves.filter_map(note).collect()
}

/// The services of the first of these trees that live in the namespace, by the values of the first tree in which
/// their values have no mistakes.
pub fn homes<'a>(namespace: &str, trees: &[&'a Expected]) -> Vec<&'a str> {
    let names = trees.first().into_iter().flat_map(|tree| tree.repository.services.keys());
    let lives_there = |name: &str| {
        let mut values = trees.iter().filter_map(|tree| tree.service(name));
        values.next().is_some_and(|service| service.namespace == namespace)
    };
    names.map(|name| name.as_str()).filter(|name| lives_there(name)).collect()
}
