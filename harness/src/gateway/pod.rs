//! The gateway as a program of its own, beside an Envoy in the same pod. They share a folder.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use kube::Client;

use super::Gateway;
use crate::envoy_admin::{self, Admin};

/// Writes what Envoy starts with: the bootstrap `envoy.json`, and next to it the configuration that
/// [`run`] goes on with.
///
/// # Errors
/// The folder cannot be written to.
pub fn prepare(folder: &Path) -> Result<()> {
    let mut bootstrap = super::prepare(&super::folder(folder))?;
    // The API server comes from outside of the pod.
    bootstrap["admin"] = envoy_admin::bootstrap("0.0.0.0", envoy_admin::PORT);
    let path = folder.join("envoy.json");
    fs::write(&path, bootstrap.to_string())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Translates for that Envoy, with the account of the pod, until the process is ended.
///
/// # Errors
/// There is no account.
pub async fn run(folder: &Path) -> Result<()> {
    let client = Client::try_default().await.context("not in a pod with an account")?;
    let _gateway = Gateway::start(client, Some(Admin::local()), &super::folder(folder));
    std::future::pending().await
}
