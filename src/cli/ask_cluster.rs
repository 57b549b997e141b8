//! What the cluster says about a repository, for who reviews it before a push.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::watch_namespaces::WatchNamespaces;
use crate::cluster::{Cluster, WatchedKind};
use crate::report::Requests;
use coalmine_core::kind::Kind;
use coalmine_core::labels::{SERVICE, keep};
use coalmine_core::object::{Manifest, ObjectId};
use coalmine_core::object_state::Claim;
use coalmine_core::plan::Job;
use coalmine_core::proposal::{Expected, Secrets, contested, homes, notes};
use coalmine_core::reason::{ClusterError, Hinted};
use coalmine_core::render::DEFAULT_INSTANCE;
use coalmine_core::values::PLATFORM;

/// Whether the cluster is asked too, and for whose objects.
#[derive(clap::Args)]
pub(super) struct AskCluster {
    /// Ask the cluster too: what in it leaves the repository, which autoscalers change what coalmine writes, and
    /// whether the Secrets that objects of Gloo name are good for it
    #[arg(long)]
    cluster: bool,
    /// The instance label of the daemon that owns the objects, with --cluster
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
    #[command(flatten)]
    namespaces: WatchNamespaces,
}

/// The kinds that scale others, as far as clusters serve them.
const AUTOSCALERS: [(&str, &str); 2] =
    [("autoscaling/v2", "HorizontalPodAutoscaler"), ("keda.sh/v1alpha1", "ScaledObject")];

impl AskCluster {
    /// What the cluster says about the repository; nothing when it is not to be asked.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(super) fn notes(&self, expected: &Expected) -> anyhow::Result<Vec<String>> {
        if !self.cluster || !expected.repository.problems.is_empty() {
            return Ok(Vec::new());
        }
        super::runtime()?.block_on(async {
            let cluster = self.connect().await?;
            let mut found = self.out_of_sight(expected);
            if let Some(job) = expected.job(PLATFORM)
                && expected.repository.platform.problems.is_empty()
            {
                found.extend(leaving(&self.of_platform(&cluster).await?, job, expected));
            }
            let autoscalers = autoscalers(&cluster, &mut found).await?;
            let objects = autoscalers.iter().map(|(id, object)| (id, object));
            let jobs = expected.names().filter_map(|name| expected.job(name));
            found.extend(contested(jobs, objects).into_values().flatten());
            Ok(found)
        })
    }

    /// The Secrets that the repository's objects name and that it does not hold. One that may not be read stays unknown,
    /// and the note on it stays.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub(super) fn secrets(&self, expected: &Expected) -> anyhow::Result<Secrets> {
        let mut secrets = Secrets::default();
        let unread = if self.cluster { expected.unread_secrets() } else { BTreeSet::new() };
        if unread.is_empty() {
            return Ok(secrets);
        }
        super::runtime()?.block_on(async {
            let cluster = self.connect().await?;
            for secret in unread {
                let api_version = Kind::Secret.api_version();
                let (namespace, name) = (Some(secret.namespace.as_str()), secret.name.as_str());
                let id = ObjectId::new(api_version, Kind::Secret.as_str(), namespace, name);
                match cluster.get(&id).await {
                    Ok(Some(object)) => secrets.found.push(object),
                    Ok(None) => {
                        secrets.missing.insert(secret);
                    }
                    Err(ClusterError::Denied { .. } | ClusterError::NotWatched { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(secrets)
        })
    }

    async fn connect(&self) -> anyhow::Result<Cluster> {
        let cluster = Cluster::connect(&Requests::default()).await?;
        Ok(cluster.within(self.namespaces.namespaces()))
    }

    /// What the daemon would not bring out, because it is in no namespace that it watches, and what is not looked at.
    fn out_of_sight(&self, expected: &Expected) -> Vec<String> {
        let namespaces = self.namespaces.namespaces();
        let Some(names) = namespaces.names() else { return Vec::new() };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut found = vec![format!(
            "only the namespaces {} were looked at: what objects of Gloo elsewhere mean for the change is not known",
            names.join(", ")
        )];
        for (name, job) in expected.names().filter_map(|name| Some((name, expected.job(name)?))) {
            let ids = job.desired.manifests().map(Manifest::id);
            if let Err(error) = namespaces.check(ids) {
                found.push(format!("{name}: {}", error.line()));
            }
        }
        found
    }

    /// The objects that the platform has in the cluster.
    async fn of_platform(
        &self,
        cluster: &Cluster,
    ) -> Result<BTreeMap<ObjectId, Value>, ClusterError> {
        let selector =
            format!("{}={},{SERVICE}={PLATFORM}", coalmine_core::labels::INSTANCE, self.instance);
        let mut objects = BTreeMap::new();
        for namespace in cluster.namespaces().each() {
            for kind in cluster.labelled_kinds(&self.instance, namespace).await? {
                let WatchedKind { api_version, kind, .. } = kind;
                objects.extend(cluster.list(&api_version, &kind, namespace, &selector).await?);
            }
        }
        objects.retain(|_, object| matches!(Claim::on(object, &self.instance), Claim::Ours(_)));
        Ok(objects)
    }
}

/// Which of these objects leave the repository, and what becomes of each.
fn leaving(objects: &BTreeMap<ObjectId, Value>, job: &Job, expected: &Expected) -> Vec<String> {
    let marked = || objects.iter().map(|(id, object)| (id, keep(object)));
    let mut found = notes(marked(), job, |namespace| homes(namespace, &[expected]));
    let is_desired = |id: &ObjectId| job.desired.manifests().map(Manifest::id).any(|it| it == id);
    let goes = marked().filter(|(id, keep)| !is_desired(id) && job.retains(id, *keep).is_none());
    found.extend(goes.map(|(id, _)| format!("{id} is not in the repository and is deleted")));
    found
}

/// Every autoscaler of the cluster. A kind that is not served has none; of one that may not be listed a note says so.
async fn autoscalers(
    cluster: &Cluster,
    notes: &mut Vec<String>,
) -> Result<Vec<(ObjectId, Value)>, ClusterError> {
    let mut found = Vec::new();
    for (api_version, kind) in AUTOSCALERS {
        match cluster.list(api_version, kind, None, "").await {
            Ok(objects) => found.extend(objects),
            Err(ClusterError::KindNotServed { .. }) => {}
            Err(ClusterError::Denied { message, .. }) => {
                notes.push(format!("whether a {kind} changes replicas is not known: {message}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
