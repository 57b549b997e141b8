//! Autoscalers that change what coalmine writes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::Kind;
use crate::object::{Manifest, ObjectId};
use crate::plan::Job;
use crate::values::PLATFORM;

/// By service what a person is told about its workloads whose number of pods coalmine writes and an autoscaler changes.
/// An autoscaler is any of these objects with a `spec.scaleTargetRef`: Kubernetes' HorizontalPodAutoscaler, KEDA's
/// ScaledObject. A workload without pods is none of its business: Kubernetes scales nothing from zero.
pub fn contested<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    objects: impl Iterator<Item = (&'a ObjectId, &'a Value)>,
) -> BTreeMap<String, Vec<String>> {
    let autoscalers: Vec<(&ObjectId, Target<'_>)> =
        objects.filter_map(|(id, object)| Some((id, Target::of(id, object)?))).collect();
    let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if autoscalers.is_empty() {
        return notes;
    }
    for job in jobs {
        for manifest in &job.desired.workloads {
            if pods(manifest).is_none_or(|pods| pods == 0) {
                continue;
            }
            let scalers = autoscalers.iter().filter(|(_, target)| target.is(manifest.id()));
            let of_job = scalers.map(|(scaler, _)| note(job, manifest, scaler));
            let of_job: Vec<String> = of_job.collect();
            if !of_job.is_empty() {
                notes.entry(job.service.clone()).or_default().extend(of_job);
            }
        }
    }
    notes
}

/// What an autoscaler scales.
struct Target<'a> {
    namespace: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Target<'a> {
    fn of(id: &'a ObjectId, object: &'a Value) -> Option<Self> {
        let target = object.pointer("/spec/scaleTargetRef")?;
        let kind = target["kind"].as_str().unwrap_or(Kind::Deployment.as_str());
        Some(Self { namespace: id.namespace.as_deref(), kind, name: target["name"].as_str()? })
    }

    fn is(&self, id: &ObjectId) -> bool {
        self.namespace == id.namespace.as_deref() && self.kind == id.kind && self.name == id.name
    }
}

/// How many pods the manifest asks for, if it says so.
fn pods(manifest: &Manifest) -> Option<u64> {
    manifest.object().pointer("/spec/replicas")?.as_u64()
}

fn note(job: &Job, workload: &Manifest, scaler: &ObjectId) -> String {
    let version = workload.object()["metadata"]["labels"]["version"].as_str();
    let workload = workload.id();
    let place = match version.filter(|_| job.service != PLATFORM) {
        Some(version) => format!("`deployment.{version}.replicas`"),
        None => "`spec.replicas`".to_owned(),
    };
    format!(
        "{place}: {scaler} scales {workload}, and coalmine would set the number of pods again each time; leave the \
         key out, and the pods that are there stay"
    )
}
