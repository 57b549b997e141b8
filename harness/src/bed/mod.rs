//! One interface over the places where scenarios run.
//!
//! - `local`: etcd, Kubernetes and Envoy as processes in a namespace of their own, pods on the
//!   process node, Gloo's part played by the embedded gateway, or by a real Gloo.
//! - `k3s`: k3s and Gloo from their registries, on a Docker engine, by the testcontainers module.
//! - `k3s-offline`: Kubernetes behind the same module, from a node image made on this machine.
//! - `existing`: a cluster of yours, by `KUBECONFIG` and `COALMINE_PROXY_URL`.

mod access;
mod account;
mod control_plane;
mod credentials;
mod definitions;
mod directory;
mod enter;
mod envoy;
mod existing;
mod free_address;
mod gateway_api;
mod gloo_system;
#[cfg(feature = "containers")]
mod k3s;
mod kind;
mod leftovers;
mod local;
mod need;
mod objects;
mod options;
mod part;
mod private_file;
mod programmer;
mod ready;
mod real_gloo;
mod reset;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kube::Client;

pub(crate) use access::client;
pub use enter::{enter, enter_for};
pub(crate) use enter::{enter_building, enter_building_for};
pub use kind::Kind;
pub use need::Need;
pub use options::{BedOptions, Purpose};

pub use crate::gateway_kind::{GatewayKind, Gateways};

use crate::{envoy_admin::Admin, names::Names, progress::Progress};
use access::Access;
use directory::Directory;
use reset::{Baseline, RemovalScope};

/// A running bed. Dropping it ends its processes at once; [`Bed::stop`] does so in order.
pub struct Bed {
    kind: Kind,
    gateways: Gateways,
    access: Access,
    directory: Directory,
    names: Names,
    baseline: Baseline,
    running: Running,
}

/// What of a bed was started, and so has to be stopped.
enum Running {
    Local(Box<local::Local>),
    #[cfg(feature = "containers")]
    K3s(Box<k3s::Cluster>),
    /// The cluster is somebody else's.
    Elsewhere,
}

impl Bed {
    /// Starts the bed that `COALMINE_BED` names and waits until pods can be made and routed to.
    ///
    /// # Errors
    /// An environment variable that makes no sense, a build or download that fails, a part that
    /// does not start: then with the end of its log.
    pub async fn start(options: BedOptions, progress: &Progress) -> Result<Self> {
        Self::start_kind(Kind::from_environment()?, options, progress).await
    }

    /// The same for a bed of this kind, which [`enter_for`] was told too.
    ///
    /// # Errors
    /// As [`Bed::start`].
    pub async fn start_kind(kind: Kind, options: BedOptions, progress: &Progress) -> Result<Self> {
        // An error here means that a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let directory = Directory::make(options.directory.clone())?;
        let started = run(kind, &directory.path, &options, progress).await;
        let (access, running) = match started {
            Ok(started) => started,
            Err(error) => return Err(directory.with_logs(error)),
        };
        let (names, whose) = match kind {
            Kind::Existing => {
                let names = Names::unique();
                (names.clone(), RemovalScope::Ours(names))
            }
            _ => (Names::plain(), RemovalScope::All),
        };
        let baseline = Baseline::take(&access.client, whose).await?;
        let gateways = options.inside.gateways();
        Ok(Self { kind, gateways, access, directory, names, baseline, running })
    }

    /// Which of the beds it is.
    pub fn kind(&self) -> Kind {
        self.kind
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

    /// A folder of features or values in which services have names that nobody else has on this
    /// cluster: `folder` itself where the cluster is the bed's own.
    ///
    /// # Errors
    /// As [`Names::localize`].
    pub fn localize(&self, folder: &Path) -> Result<PathBuf> {
        let name = folder.file_name().context("a folder without a name")?;
        self.names.localize(folder, &self.directory.path.join("own-names").join(name))
    }

    /// The API server's address, where it is one of this machine: what a proxy can be put before.
    pub fn api_server(&self) -> Option<SocketAddr> {
        self.access.api
    }

    /// Where a daemon can serve its status: nobody else does there.
    pub fn status_address(&self) -> SocketAddr {
        self.access.status
    }

    /// Envoy's admin interface, where the bed has it.
    pub fn envoy_admin(&self) -> Option<&Admin> {
        self.access.admin.as_ref()
    }

    /// Who tells Envoy what to do: `embedded`, or for example `gloo 1.22.1` or `kgateway 2.4.0`.
    pub fn gateway(&self) -> String {
        self.access.versions.get("gateway").cloned().unwrap_or_default()
    }

    /// Which gateway the bed has; of two, the first.
    pub fn gateway_kind(&self) -> GatewayKind {
        self.gateways.first
    }

    /// All gateways that the bed has.
    pub fn gateways(&self) -> Gateways {
        self.gateways
    }

    /// The proxy's URL for this gateway inside the namespace, without a trailing slash; `None` for a gateway that
    /// the bed does not have.
    pub fn proxy_url_of(&self, gateway: GatewayKind) -> Option<String> {
        if gateway == self.gateways.first {
            return Some(self.access.proxy_url.clone());
        }
        let (_, address, _) = self.second().filter(|(kind, ..)| *kind == gateway)?;
        Some(format!("http://{address}"))
    }

    /// The URL of Envoy's counters in the format of Prometheus, for this gateway, inside the namespace; `None` for
    /// a gateway that the bed does not have, and where Envoy is not on loopback.
    pub fn proxy_metrics_of(&self, gateway: GatewayKind) -> Option<String> {
        let second = self.second().filter(|(kind, ..)| *kind == gateway);
        let admin = match second {
            Some((_, _, admin)) => admin,
            None => self.access.admin.clone().filter(|_| gateway == self.gateways.first),
        };
        admin?.url("/stats/prometheus")
    }

    /// Where the Envoys of the bed's gateways of the Gateway API are read, as `--proxy-metrics` has it: they are no pods.
    pub fn proxy_metrics(&self) -> impl Iterator<Item = String> {
        let kinds = [Some(self.gateways.first), self.second().map(|(kind, ..)| kind)];
        let kinds = kinds.into_iter().flatten().filter(|kind| *kind != GatewayKind::Gloo);
        kinds.filter_map(|kind| Some(format!("{}={}", kind.name(), self.proxy_metrics_of(kind)?)))
    }

    fn second(&self) -> Option<(GatewayKind, SocketAddr, Option<Admin>)> {
        match &self.running {
            Running::Local(local) => local.second(),
            _ => None,
        }
    }

    /// Ends Envoy as a crash does, starts it again, and returns when it runs. What it is told comes later.
    ///
    /// # Errors
    /// The bed is no local one, has no Envoy, or it does not come back.
    pub async fn restart_envoy(&self) -> Result<()> {
        self.local()?.restart_envoy().await.context("Envoy")
    }

    /// Ends the gateway's controller as a crash does, starts it again, and returns when it serves Envoy's
    /// configuration.
    ///
    /// # Errors
    /// The bed is no local one, its gateway is the embedded one, which is no process, or it does not come back.
    pub async fn restart_gateway(&self) -> Result<()> {
        self.local()?.restart_gateway().await.context("the gateway")
    }

    fn local(&self) -> Result<&local::Local> {
        match &self.running {
            Running::Local(local) => Ok(local),
            _ => anyhow::bail!("nothing of the bed {} can be started again", self.kind.name()),
        }
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
    /// Services, whole namespaces; puts Settings back; returns when all of it is gone. On an existing
    /// cluster it removes only what scenarios made.
    ///
    /// # Errors
    /// The API server refuses, or something is still there after a minute.
    pub async fn reset(&self) -> Result<()> {
        self.baseline.restore(&self.access.client).await
    }

    /// Returns an error as soon as a part of the bed ends by itself; for a `select!` beside work
    /// that needs all of it.
    pub async fn failure(&self) -> anyhow::Error {
        match &self.running {
            Running::Local(local) => local.failure().await,
            #[cfg(feature = "containers")]
            Running::K3s(cluster) => cluster.failure().await,
            Running::Elsewhere => std::future::pending().await,
        }
    }

    /// Stops everything in order, leaves an existing cluster as it was, and removes the bed's own folder.
    ///
    /// # Errors
    /// The folder, or something on an existing cluster, cannot be removed.
    pub async fn stop(self) -> Result<()> {
        match self.running {
            Running::Local(local) => local.stop().await,
            #[cfg(feature = "containers")]
            Running::K3s(cluster) => cluster.stop().await,
            Running::Elsewhere => {
                self.baseline.restore(&self.access.client).await?;
                account::remove(&self.access.client).await?;
            }
        }
        if self.directory.own {
            let path = &self.directory.path;
            std::fs::remove_dir_all(path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// Starts what a kind of bed consists of.
async fn run(
    kind: Kind,
    directory: &Path,
    options: &BedOptions,
    progress: &Progress,
) -> Result<(Access, Running)> {
    Ok(match kind {
        Kind::Local => {
            let (access, local) = local::start(directory, options, progress).await?;
            (access, Running::Local(Box::new(local)))
        }
        #[cfg(feature = "containers")]
        Kind::K3s => {
            let (access, cluster) = k3s::online::start(directory, progress).await?;
            (access, Running::K3s(Box::new(cluster)))
        }
        #[cfg(feature = "containers")]
        Kind::K3sOffline => {
            let (access, cluster) =
                k3s::offline::start(directory, &options.inside, progress).await?;
            (access, Running::K3s(Box::new(cluster)))
        }
        #[cfg(not(feature = "containers"))]
        Kind::K3s | Kind::K3sOffline => anyhow::bail!(
            "this program was built without the bed {}; build it with --features harness/{}",
            kind.name(),
            kind::CONTAINERS
        ),
        Kind::Existing => (existing::find().await?, Running::Elsewhere),
    })
}
