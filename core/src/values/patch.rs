//! The merge patch on a rendered Deployment, and what it leaves alone.

use serde_json::{Map, Value};

use super::entry::{Entry, Problems};
use super::node::Data;
use super::passed::Passed;
use super::scalars::is_reserved;
use crate::problem::Problem;

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

/// Reads `deployment.<version>.patch`.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Option<Map<String, Value>> {
    let patch = entry.object(Passed::Workload, problems)?;
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
