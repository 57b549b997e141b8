//! What must hold in the end: once commits and faults have stopped, the cluster is as desired and
//! stays so; or the service is stalled, and the reason is true.

use coalmine::reconcile::ReconcileOutcome;
use coalmine_core::labels::{INSTANCE as LABEL, KEEP, SERVICE};
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::plan::Job;
use coalmine_core::reason::Hinted;
use coalmine_core::render::Owner;
use gloo::Outcome;
use serde_json::Value;

use crate::cluster::INSTANCE;
use crate::process::Process;
use crate::repository::{SERVICES, Workload};
use crate::world::World;

impl World {
    /// What is wrong with where things stand.
    pub(crate) fn judge_end(&self, process: &Process) -> Vec<String> {
        let outcomes = process.outcomes();
        let mut wrong = self.not_rolled_back();
        for service in SERVICES {
            let outcome = outcomes.get(service).cloned().flatten();
            match (self.repository.services.get(service), outcome) {
                (Some((_, Some(_))), Some(ReconcileOutcome::Ready)) => {
                    wrong.extend(self.differences(service))
                }
                (Some((_, Some(_))), Some(ReconcileOutcome::Stalled { reason, .. })) => {
                    if !self.is_true(service, &reason) {
                        let line = reason.line();
                        wrong.push(format!("{service} is stalled for no good reason: {line}"));
                    }
                }
                (Some((_, Some(_))), other) => wrong.push(format!("{service} ends as {other:?}")),
                (_, None) => wrong.extend(self.remains(service)),
                (_, Some(ReconcileOutcome::Stalled { reason, .. }))
                    if self.names_another_owner(&reason) => {}
                (_, Some(other)) => wrong.push(format!("{service} is not gone: {other:?}")),
            }
        }
        wrong
    }

    fn differences(&self, service: &str) -> Vec<String> {
        let Some((_, Some(values))) = self.repository.services.get(service) else { return vec![] };
        let owner = Owner { instance: INSTANCE.into(), revision: String::new() };
        let job = Job::for_service(values, &owner);
        let mut wrong = Vec::new();
        for manifest in job.desired.manifests() {
            let live = self.store.get(manifest.id());
            let live = live.as_ref().map(Digest::of_live);
            if live != Some(Digest::of_manifest(manifest.object())) {
                wrong.push(format!("{} is not as desired", manifest.id()));
            }
        }
        let desired: Vec<_> = job.desired.manifests().map(Manifest::id).collect();
        for (id, _) in self.ours(service) {
            if !desired.contains(&&id) {
                wrong.push(format!("{id} is still there"));
            }
        }
        wrong.extend(self.wrong_shares(service));
        wrong
    }

    /// The proxy gives every version its share.
    fn wrong_shares(&self, service: &str) -> Vec<String> {
        let Some(values) = self.repository.values(service) else { return Vec::new() };
        let outcomes = self.outcomes(service, false);
        let share = |version: &str| {
            let external = values.versions[2] == Some(Workload::Upstream) && version == "v3";
            let of_version = outcomes.iter().filter(|(outcome, _)| match outcome {
                Outcome::Endpoint { pod: Some(pod), .. } => {
                    self.pods.all.get(&pod.name).is_some_and(|pod| pod.version == version)
                }
                Outcome::Endpoint { pod: None, .. } => external,
                _ => false,
            });
            of_version.map(|(_, share)| share * 100.0).sum::<f64>()
        };
        // In place of a version without pods others answer, or nobody.
        if values.shares().iter().any(|(version, _)| self.is_parked(service, version)) {
            return Vec::new();
        }
        let shares = values.shares().into_iter();
        let wrong =
            shares.filter(|(version, wanted)| (share(version) - f64::from(*wanted)).abs() > 1e-6);
        wrong
            .map(|(v, wanted)| format!("{service} {v} gets {} and not {wanted}", share(v)))
            .collect()
    }

    fn remains(&self, service: &str) -> Vec<String> {
        let ours = self.ours(service);
        let is_kept = |object: &Value| object["metadata"]["annotations"][KEEP] == "true";
        // What is kept keeps what it needs.
        let rank = |id: &ObjectId| match id.kind.as_str() {
            "RouteTable" => 2,
            "Upstream" => 1,
            _ => 0,
        };
        let kept = ours.iter().filter(|(_, object)| is_kept(object));
        let highest = kept.map(|(id, _)| rank(id)).max().unwrap_or(0);
        let ours = ours.iter().filter(|(id, object)| !is_kept(object) && rank(id) >= highest);
        ours.map(|(id, _)| format!("{id} is still there although its service is gone")).collect()
    }

    fn ours(&self, service: &str) -> Vec<(ObjectId, Value)> {
        let kinds = ["Deployment", "Service", "Upstream", "RouteTable", "VirtualService"];
        let all = kinds.iter().flat_map(|kind| self.store.of_kind(kind));
        let is_of_service = |object: &Value| {
            let labels = &object["metadata"]["labels"];
            labels[LABEL] == INSTANCE && labels[SERVICE] == service
        };
        all.filter(|(_, object)| is_of_service(object)).collect()
    }
}
