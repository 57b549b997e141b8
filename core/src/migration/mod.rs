//! The way from Gloo's objects to those of the Gateway API, with a proof.
//!
//! [`migrate`] reads objects of any origin, asks the model of Gloo what they mean, writes HTTPRoutes and Services that
//! mean the same, and asks both models the same requests. What it cannot carry over it names by object and field, and
//! what is answered otherwise afterwards by a request that shows it.

mod accepted;
mod answers;
mod backends;
mod conditions;
mod delegation;
mod difference;
mod fields;
mod files;
mod grants;
mod headers;
mod holding;
mod hostnames;
mod not_carried;
mod pods;
mod ports;
mod proof;
mod report;
mod requests;
mod routes;
mod rules;
mod source;
mod target;
#[cfg(test)]
mod tests;
mod unsaid;
mod values;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub use accepted::{Accepted, Outcome};
pub use difference::{Difference, Kind};
pub use not_carried::{Cause, NotCarried};
pub use report::{markdown, text};
pub use source::{Source, Sources};
pub use target::{Form, Target};

/// What comes of a migration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// The objects of the Gateway API, in the order in which they are to be applied.
    pub objects: Vec<Value>,
    /// The files to write, by their paths: an object in each, or coalmine's values.
    pub files: BTreeMap<String, Value>,
    /// What is not carried over.
    pub not_carried: Vec<NotCarried>,
    /// What is true of the objects and changes no answer.
    pub notes: Vec<String>,
    /// How many requests both models were asked, each with all pods ready and with those of one version missing.
    pub requests: usize,
    /// How many of these are answered otherwise afterwards, or by nobody knows whom, while all pods are ready.
    pub differing: usize,
    /// How many more are answered otherwise while pods of one version are missing.
    pub differing_without_pods: usize,
    /// Some requests were left out, because there would have been too many.
    pub is_cut: bool,
    /// Whether the person has accepted that.
    #[serde(skip)]
    is_cut_accepted: bool,
    /// What is answered otherwise, each with a request that shows it.
    pub differences: Vec<Difference>,
}

/// Writes what means the same as Gloo's objects of `sources`, and proves it.
pub fn migrate(sources: &Sources, target: &Target) -> Migration {
    let pods = pods::Pods::of(sources);
    let before = pods.gloo(sources, None);
    let translation = gloo::translate(&before, &gloo::Memory::default());
    let scan = fields::scan(sources, &translation);
    let delegation = delegation::Delegation::of(sources, target);
    let mut notes = Vec::new();
    let mut invalid = Vec::new();
    for finding in &translation.findings {
        if finding.severity == gloo::Severity::Warning {
            notes.push(format!("{}: Gloo says: {}", finding.object, finding.words));
            continue;
        }
        let why = format!("Gloo says: {}", finding.words);
        let next = "mend it in Gloo first: what is served of it depends on what was served before";
        let lack = fields::Lack::new(Cause::Invalid, why, next);
        invalid.push(fields::of_field(sources, &finding.object, &["spec"], lack));
    }
    let (mut lacks, more) = ports::elsewhere(sources, &translation);
    notes.extend(more);
    let (objects, files, mut others) = match target.form {
        Form::GatewayApi => {
            let written = routes::write(sources, target, &translation, &scan, &delegation);
            notes.extend(written.notes);
            let files = files::of_objects(&written.objects);
            (written.objects, files, written.not_carried)
        }
        Form::Values => {
            let upstreams = backends::upstreams(sources);
            let world = values::World { sources, target, scan: &scan, pods: &pods, upstreams };
            let written = values::write(&world, &translation, &delegation);
            notes.extend(written.notes);
            (written.objects, written.files, written.not_carried)
        }
    };
    let mut not_carried = scan.not_carried;
    not_carried.append(&mut lacks);
    not_carried.append(&mut others);
    not_carried.append(&mut invalid);
    not_carried.sort();
    not_carried.dedup();
    let proof = proof::prove(sources, target, &pods, &objects);
    Migration {
        objects,
        files,
        not_carried,
        notes,
        requests: proof.requests,
        differing: proof.differing,
        differing_without_pods: proof.missing,
        is_cut: proof.is_cut,
        is_cut_accepted: false,
        differences: proof.differences,
    }
}
