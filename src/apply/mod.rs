//! Carries out a plan: the one place that writes to the cluster.

mod wait;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cluster::{Cluster, ClusterError};
use crate::health::{self, Verdict};
use crate::inventory::{Manifest, ObjectId};
use crate::plan::{Step, is_judged_by_gloo};
use crate::telemetry;
use crate::values::Timing;
use wait::Condition;

/// Why the steps did not come to their end.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A newer revision of this service wants something else.
    #[error("superseded by a newer revision")]
    Superseded,
    /// A wait passed its deadline, or something failed that waiting does not mend.
    #[error("{0}")]
    Stalled(String),
    /// Gloo judged new routes worse than the ones before, which were put back. Only other values
    /// mend it.
    #[error("{0}")]
    Worse(String),
    /// The API server did not do what we asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Executes the steps of one service.
pub struct Executor<'a> {
    /// Where to.
    pub cluster: &'a Cluster,
    /// The namespace Gloo runs in and under which it writes its status.
    pub gloo_namespace: &'a str,
    /// Deadline and settle time.
    pub timing: Timing,
    /// Ends any wait; a write in flight is finished first.
    pub superseded: &'a CancellationToken,
    /// Whether routes with a warning are good enough. For the platform's own VirtualServices they
    /// are: the warning is about some team's routes, and stays with that team.
    pub tolerates_warnings: bool,
    /// Told what is being waited for.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

impl Executor<'_> {
    /// Runs the steps in order. `live` is the state the plan was made from.
    ///
    /// # Errors
    /// Ends at the first step that does not reach its condition; what was done stays done, and a
    /// plan made from the new live state goes on from there.
    pub async fn run(&self, steps: &[Step], live: &BTreeMap<ObjectId, Value>) -> Result<(), Ended> {
        for step in steps {
            if self.superseded.is_cancelled() {
                return Err(Ended::Superseded);
            }
            match step {
                Step::Apply(manifests) => self.apply(manifests).await?,
                Step::AwaitBackends(backends) => {
                    for backend in backends {
                        self.await_backend(backend).await?;
                    }
                }
                Step::AwaitRollout(deployments) => {
                    for (deployment, selector) in deployments {
                        self.wait(deployment, Condition::RolledOut(selector)).await?;
                    }
                }
                Step::AwaitVerdict(ids) => {
                    for id in ids {
                        self.wait(id, self.good_enough()).await?;
                    }
                }
                Step::AwaitKnown { backends, upstreams } => {
                    self.await_known(backends, upstreams).await?;
                }
                Step::Route(manifests) => self.route(manifests, live).await?,
                Step::Settle => self.settle().await?,
                Step::Delete(ids) => self.delete(ids, live).await?,
            }
        }
        Ok(())
    }

    async fn apply(&self, manifests: &[Manifest]) -> Result<(), Ended> {
        for manifest in manifests {
            tracing::info!(object = %manifest.id(), "apply");
            let span = telemetry::apply(manifest.id());
            let stored = if is_judged_by_gloo(manifest.id()) {
                self.cluster.apply(&self.unjudged(manifest), false).instrument(span).await?
            } else {
                self.cluster.apply(manifest, false).instrument(span).await?
            };
            tracing::debug!(object = %manifest.id(), version = %stored["metadata"]["resourceVersion"], "stored");
        }
        Ok(())
    }

    async fn delete(
        &self,
        ids: &[ObjectId],
        live: &BTreeMap<ObjectId, Value>,
    ) -> Result<(), Ended> {
        for id in ids {
            tracing::info!(object = %id, "delete");
            let uid = live.get(id).and_then(|object| object.pointer("/metadata/uid")?.as_str());
            self.cluster.delete(id, uid.map(str::to_owned)).await?;
        }
        Ok(())
    }

    /// The manifest with the status Pending, so that the next verdict is about this very spec
    /// (gloo.md, "Verdict freshness": Gloo's status carries no generation).
    fn unjudged(&self, manifest: &Manifest) -> Manifest {
        let mut object = manifest.object().clone();
        let state = Map::from_iter([(self.gloo_namespace.to_owned(), json!({"state": "Pending"}))]);
        object["status"] = json!({ "statuses": state });
        Manifest::new(object).expect("a manifest with a status is still a manifest")
    }

    /// Writes the routes and puts the previous ones back when Gloo likes the new ones less, or says
    /// nothing about them.
    async fn route(
        &self,
        manifests: &[Manifest],
        live: &BTreeMap<ObjectId, Value>,
    ) -> Result<(), Ended> {
        self.apply(manifests).await?;
        for manifest in manifests {
            let id = manifest.id();
            match self.verdict_of(id).await {
                Ok(verdict) if is_worse(live.get(id), self.gloo_namespace, &verdict) => {
                    self.put_back(manifests, live).await?;
                    let (word, reason) = words(&verdict);
                    return Err(Ended::Worse(format!(
                        "{id}: Gloo says {word}: {reason}; the previous routes are back in force, correct the values and push again"
                    )));
                }
                Err(Ended::Stalled(reason)) => {
                    self.put_back(manifests, live).await?;
                    return Err(Ended::Stalled(format!(
                        "{reason}; the previous routes are back in force"
                    )));
                }
                Err(other) => return Err(other),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Gloo's verdict, the one after the settle time unless it is Accepted before: objects that
    /// arrive together can draw a warning about each other that is gone a moment later.
    async fn verdict_of(&self, id: &ObjectId) -> Result<Verdict, Ended> {
        self.wait(id, Condition::Judged).await?;
        match self.wait_for(id, Condition::Accepted, self.timing.settle).await {
            Ok(()) => Ok(Verdict::Accepted),
            Err(Ended::Stalled(reason)) => {
                let object = self.cluster.get(id).await?;
                let verdict = object.and_then(|o| health::verdict(&o, self.gloo_namespace));
                verdict.ok_or(Ended::Stalled(reason))
            }
            Err(other) => Err(other),
        }
    }

    async fn put_back(
        &self,
        manifests: &[Manifest],
        live: &BTreeMap<ObjectId, Value>,
    ) -> Result<(), Ended> {
        for manifest in manifests {
            let id = manifest.id();
            tracing::warn!(object = %id, "put back the previous routes");
            match live.get(id).and_then(previous) {
                Some(previous) => self.apply(&[previous]).await?,
                None => self.cluster.delete(id, None).await?,
            }
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), Ended> {
        (self.progress)("routes are settling before old objects are deleted");
        self.pause(self.timing.settle).await
    }
}

/// A live object as a manifest that restores its labels, annotations and spec.
fn previous(live: &Value) -> Option<Manifest> {
    let metadata: Map<String, Value> = ["name", "namespace", "labels", "annotations"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), live["metadata"].get(field)?.clone())))
        .collect();
    Manifest::new(json!({"apiVersion": live["apiVersion"], "kind": live["kind"],
        "metadata": metadata, "spec": live["spec"]}))
}

/// Routes that are new may draw a warning (a VirtualService that selects no table yet does, case
/// 02-selectors); routes that were there before may not, whether or not Gloo had judged them yet.
fn is_worse(before: Option<&Value>, gloo_namespace: &str, now: &Verdict) -> bool {
    match before {
        Some(before) => {
            let verdict = health::verdict(before, gloo_namespace).unwrap_or(Verdict::Accepted);
            now.rank() > verdict.rank()
        }
        None => matches!(now, Verdict::Rejected(_)),
    }
}

fn words(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Accepted => ("Accepted", ""),
        Verdict::Warning(reason) => ("Warning", reason),
        Verdict::Rejected(reason) => ("Rejected", reason),
    }
}
