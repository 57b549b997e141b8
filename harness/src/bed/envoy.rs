//! The Envoy of a local bed, and its admin interface.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};

use crate::{
    build::Artifacts,
    process::{Process, Program},
    wait::{self, Seen},
};

/// Envoy's admin interface inside the namespace.
pub(super) const ADMIN_PORT: u16 = 19000;

/// Starts Envoy with `bootstrap`, to which the admin interface is added, and waits until it
/// runs.
pub(super) async fn start(
    artifacts: &Artifacts,
    mut bootstrap: Value,
    directory: &Path,
    logs: &Path,
) -> Result<Process> {
    let address = json!({"address": "127.0.0.1", "port_value": ADMIN_PORT});
    bootstrap["admin"] = json!({"address": {"socket_address": address}});
    let config = directory.join("envoy.json");
    fs::write(&config, format!("{bootstrap:#}"))?;
    let program = Program::new("envoy", &artifacts.envoy, logs)
        .arg("--config-path")
        .arg(&config)
        .arg("--disable-hot-restart")
        // One worker: the bed shares its processors with a whole control plane and the load.
        .args(["--concurrency", "1", "--drain-time-s", "1", "--log-level", "info"]);
    let process = Process::start(&program)?;
    // Not until it is ready: that may wait for a first configuration, which comes later.
    let running = wait::until("Envoy to run", Duration::from_secs(60), || async {
        Seen::from_result(Admin::local().get("/server_info").await.map(drop))
    });
    process.alive(running).await?;
    Ok(process)
}

/// Envoy's admin interface.
#[derive(Clone, Debug)]
pub struct Admin {
    base: String,
}

impl Admin {
    /// The one of the local bed.
    pub(super) fn local() -> Self {
        Self { base: format!("http://127.0.0.1:{ADMIN_PORT}") }
    }

    /// Its URL, without a path.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The answer to a GET of `path`.
    ///
    /// # Errors
    /// No connection, or a status other than 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let url = format!("{}{path}", self.base);
        let answer = client.get(url.parse()?).await.with_context(|| format!("cannot get {url}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        anyhow::ensure!(status.is_success(), "{url} answers {status}: {body}");
        Ok(body)
    }
}
