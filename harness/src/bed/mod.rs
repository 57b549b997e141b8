//! One interface over the places where scenarios run.
//!
//! - `local`: etcd, Kubernetes and Envoy as processes in a namespace of their own, pods on the
//!   process node, Gloo's part played by the embedded gateway, or by a real Gloo.
//! - `existing`: a cluster of yours, by `KUBECONFIG` and `COALMINE_PROXY_URL`.

mod account;
mod control_plane;
mod credentials;
mod envoy;
mod existing;
mod gloo_system;
mod kind;
mod local;
mod objects;
mod ready;
mod real_gloo;
mod reset;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

pub use envoy::Admin;
pub use kind::Kind;

use crate::{namespace::Inside, progress::Progress};

/// How to start a bed.
#[derive(Clone, Debug)]
pub struct BedOptions {
    /// What [`crate::enter`] gave.
    pub inside: Inside,
    /// Where the bed keeps its files. Without one it makes a folder of its own below the build
    /// folder and removes it in [`Bed::stop`]; after a failure it stays, for its logs.
    pub directory: Option<PathBuf>,
}

/// A running bed. Dropping it ends its processes at once; [`Bed::stop`] does so in order.
pub struct Bed {
    access: Access,
    directory: Directory,
    baseline: reset::Baseline,
    local: Option<local::Local>,
}

/// How to reach what runs in a bed.
struct Access {
    client: Client,
    kubeconfig: PathBuf,
    outside_kubeconfig: PathBuf,
    kubectl: PathBuf,
    proxy_url: String,
    outside_proxy_url: String,
    admin: Option<Admin>,
    versions: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    own: bool,
}

impl Bed {
    /// Starts the bed that `COALMINE_BED` names and waits until pods can be made and routed to.
    ///
    /// # Errors
    /// An environment variable that makes no sense, a build or download that fails, a part that
    /// does not start: then with the end of its log.
    pub async fn start(options: BedOptions, progress: &Progress) -> Result<Self> {
        // An error here means that a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let directory = Directory::make(options.directory)?;
        let path = directory.path.as_path();
        let (access, local) = match Kind::from_environment()? {
            Kind::Existing => (existing::find().await?, None),
            Kind::Local => {
                let (access, local) = local::start(path, &options.inside, progress)
                    .await
                    .with_context(|| format!("the logs are in {}", path.display()))?;
                (access, Some(local))
            }
        };
        let baseline = reset::Baseline::take(&access.client).await?;
        Ok(Self { access, directory, baseline, local })
    }

    /// A client with every right.
    pub fn client(&self) -> Client {
        self.access.client.clone()
    }

    /// The kubeconfig for programs inside the bed's namespace.
    pub fn kubeconfig(&self) -> &Path {
        &self.access.kubeconfig
    }

    /// Gives the cluster the account that `deploy/base` makes for the daemon, with the rights that
    /// stand there and no other, and writes a kubeconfig for it, for programs inside the bed's
    /// namespace. A [`Bed::reset`] takes the account away.
    ///
    /// # Errors
    /// `deploy/base` cannot be rendered or applied, or its rights do not come into force.
    pub async fn deploy_account(&self, kubeconfig: &Path) -> Result<()> {
        let Access { client, kubectl, kubeconfig: administrator, .. } = &self.access;
        account::deploy(client, kubectl, administrator, kubeconfig)
            .await
            .context("the daemon's account")
    }

    /// The kubeconfig for programs outside, such as a person's shell.
    pub fn outside_kubeconfig(&self) -> &Path {
        &self.access.outside_kubeconfig
    }

    /// A kubectl of the cluster's version; for an existing cluster the one in `PATH`.
    pub fn kubectl(&self) -> &Path {
        &self.access.kubectl
    }

    /// The proxy's URL inside the namespace, without a trailing slash.
    pub fn proxy_url(&self) -> &str {
        &self.access.proxy_url
    }

    /// The proxy's URL for a person's shell, without a trailing slash.
    pub fn outside_proxy_url(&self) -> &str {
        &self.access.outside_proxy_url
    }

    /// Envoy's admin interface, where the bed has it.
    pub fn envoy_admin(&self) -> Option<&Admin> {
        self.access.admin.as_ref()
    }

    /// Who translates Gloo's objects for Envoy: `embedded`, or for example `gloo 1.22.1`.
    pub fn gateway(&self) -> String {
        self.access.versions.get("gateway").cloned().unwrap_or_default()
    }

    /// Versions by part: `kubernetes`, `etcd`, `envoy`, `gateway`, as far as they are known.
    pub fn versions(&self) -> &BTreeMap<String, String> {
        &self.access.versions
    }

    /// Where the bed keeps its files; the logs are in `logs`.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// Removes everything that was not there when the bed started: Gloo's objects, workloads and
    /// Services, whole namespaces; puts Settings back; returns when all of it is gone.
    ///
    /// On an existing cluster this removes what *anybody* made since: give a cluster to the tests.
    ///
    /// # Errors
    /// The API server refuses, or something is still there after a minute.
    pub async fn reset(&self) -> Result<()> {
        self.baseline.restore(&self.access.client).await
    }

    /// Returns an error as soon as a part of the bed ends by itself; for a `select!` beside work
    /// that needs all of it.
    pub async fn failure(&self) -> anyhow::Error {
        match &self.local {
            Some(local) => local.failure().await,
            None => std::future::pending().await,
        }
    }

    /// Stops everything in order and removes the bed's own folder.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub async fn stop(self) -> Result<()> {
        if let Some(local) = self.local {
            local.stop().await;
        }
        if self.directory.own {
            let path = &self.directory.path;
            std::fs::remove_dir_all(path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

impl Directory {
    fn make(given: Option<PathBuf>) -> Result<Self> {
        if let Some(path) = given {
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot make {}", path.display()))?;
            return Ok(Self { path: std::path::absolute(path)?, own: false });
        }
        let executable = std::env::current_exe().context("cannot find this program's own file")?;
        let beds = executable.with_file_name("beds");
        std::fs::create_dir_all(&beds)
            .with_context(|| format!("cannot make {}", beds.display()))?;
        let path = tempfile::Builder::new().prefix("bed-").tempdir_in(beds)?.keep();
        Ok(Self { path, own: true })
    }
}

/// A client for the cluster of a kubeconfig.
async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
