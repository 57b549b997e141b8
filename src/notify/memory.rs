//! What was told: kept, so that whoever goes on with the work repeats nothing.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::commit::CommitNews;
use super::rollout::Rollouts;
use crate::election::LeaseName;
use coalmine_core::labels::{FIELD_MANAGER, MANAGED_BY};

/// The key in the ConfigMap, and the file's name.
const KEY: &str = "notifications.json";

/// Where it is kept what was told of the rollouts that are under way.
#[derive(Clone)]
pub enum Place {
    /// In a file: that of a daemon that runs alone.
    File(PathBuf),
    /// In a ConfigMap, for all replicas.
    ConfigMap {
        /// Of the cluster that has it.
        client: Client,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Place {
    /// The file in this directory.
    pub fn file(directory: &std::path::Path) -> Self {
        Self::File(directory.join(KEY))
    }

    /// The ConfigMap `NAME-notifications` beside the Lease NAME, by which the replicas know each other.
    pub fn beside(lease: &LeaseName, client: Client) -> Self {
        let name = format!("{}-notifications", lease.name);
        Self::ConfigMap { client, namespace: lease.namespace.clone(), name }
    }

    async fn read(&self) -> anyhow::Result<Option<Vec<u8>>> {
        match self {
            Self::File(file) => match fs::read(file) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::ConfigMap { client, namespace, name } => {
                let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
                let found = api.get_opt(name).await?;
                let text = found.and_then(|found| found.data?.remove(KEY));
                Ok(text.map(String::into_bytes))
            }
        }
    }

    async fn write(&self, text: String) -> anyhow::Result<()> {
        match self {
            Self::File(file) => {
                let draft = file.with_extension("json.new");
                fs::write(&draft, text)?;
                fs::rename(&draft, file)?;
            }
            Self::ConfigMap { client, namespace, name } => {
                let api = Api::namespaced(client.clone(), namespace);
                let object = ConfigMap {
                    metadata: ObjectMeta {
                        name: Some(name.clone()),
                        labels: Some([(MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())].into()),
                        ..ObjectMeta::default()
                    },
                    data: Some([(KEY.to_owned(), text)].into()),
                    ..ConfigMap::default()
                };
                let params = PostParams {
                    field_manager: Some(FIELD_MANAGER.into()),
                    ..PostParams::default()
                };
                match api.replace(name, &params, &object).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {
                        drop(api.create(&params, &object).await?);
                    }
                    replaced => drop(replaced?),
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::ConfigMap { namespace, name, .. } => write!(f, "ConfigMap {namespace}/{name}"),
        }
    }
}

/// What was told, and what is yet to be told.
pub(super) struct Memory {
    place: Place,
    pub(super) commit: Option<CommitNews>,
    pub(super) rollouts: Rollouts,
    saved: Rollouts,
}

impl Memory {
    /// What whoever told before remembered; nothing when nobody did, or in words that nobody understands: then
    /// messages begin anew.
    ///
    /// # Errors
    /// When the place cannot be looked at.
    pub(super) async fn load(place: Place) -> anyhow::Result<Self> {
        let read = place.read().await.with_context(|| format!("cannot read {place}"))?;
        let rollouts: Rollouts = read.map_or_else(Rollouts::default, |bytes| {
            serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!("{place} is not what we wrote, messages begin anew: {error}");
                Rollouts::default()
            })
        });
        let saved = rollouts.clone();
        Ok(Self { place, commit: None, rollouts, saved })
    }

    /// Writes it down if it is new. Where that fails the next daemon may repeat a message, or not end one, and
    /// no rollout waits.
    pub(super) async fn save(&mut self) {
        if self.saved == self.rollouts {
            return;
        }
        let written = match serde_json::to_string(&self.rollouts) {
            Ok(text) => self.place.write(text).await,
            Err(error) => Err(error.into()),
        };
        match written {
            Ok(()) => self.saved = self.rollouts.clone(),
            Err(error) => tracing::warn!("cannot write {}: {error:#}", self.place),
        }
    }
}
