//! How to reach what runs in a bed.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::envoy_admin::Admin;

/// What each kind of bed has to know about itself once it runs.
pub(super) struct Access {
    pub(super) client: Client,
    pub(super) kubeconfig: PathBuf,
    pub(super) outside_kubeconfig: PathBuf,
    pub(super) kubectl: PathBuf,
    pub(super) proxy_url: String,
    pub(super) outside_proxy_url: String,
    /// The API server, where it is on an address of this machine.
    pub(super) api: Option<SocketAddr>,
    /// Where a daemon can serve its status.
    pub(super) status: SocketAddr,
    pub(super) admin: Option<Admin>,
    pub(super) versions: BTreeMap<String, String>,
}

/// A client for the cluster of a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
