//! The Envoy of a bed.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use serde_json::Value;

use super::part::Part;
use crate::{
    build::Artifacts,
    envoy_admin::{self, Admin},
    process::Program,
    wait::{self, Seen},
};

/// Starts Envoy with `bootstrap`, to which the admin interface is added, and waits until it
/// runs.
pub(super) async fn start(
    artifacts: &Artifacts,
    mut bootstrap: Value,
    directory: &Path,
    logs: &Path,
) -> Result<Part> {
    bootstrap["admin"] = envoy_admin::bootstrap("127.0.0.1");
    let config = directory.join("envoy.json");
    fs::write(&config, format!("{bootstrap:#}"))?;
    let program = Program::new("envoy", &artifacts.envoy, logs)
        .arg("--config-path")
        .arg(&config)
        .arg("--disable-hot-restart")
        // One worker: the bed shares its processors with a whole control plane and the load. A connection of a
        // listener that goes has some requests yet, and one of the answers says that it ends.
        .args(["--concurrency", "1", "--drain-time-s", "5", "--log-level", "info"]);
    let part = Part::start(program)?;
    running(&part).await?;
    Ok(part)
}

/// Waits until Envoy runs.
pub(super) async fn running(part: &Part) -> Result<()> {
    // Not until it is ready: that may wait for a first configuration, which comes later.
    let running = wait::until("Envoy to run", Duration::from_secs(180), || async {
        Seen::from_result(Admin::local().get("/server_info").await.map(drop))
    });
    part.process()?.alive(running).await
}
