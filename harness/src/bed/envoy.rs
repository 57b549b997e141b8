//! The Envoy of a bed, or one of two.

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

/// Which of a bed's Envoys it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    /// Names its configuration and its log.
    name: &'static str,
    /// The port of its admin interface.
    admin: u16,
}

impl Seat {
    /// That of the first gateway.
    pub(super) const FIRST: Self = Self { name: "envoy", admin: envoy_admin::PORT };
    /// That of the second.
    pub(super) const SECOND: Self = Self { name: "envoy-2", admin: envoy_admin::SECOND_PORT };

    /// Its admin interface.
    pub(super) fn admin(self) -> Admin {
        Admin::at(self.admin)
    }
}

/// Starts Envoy with `bootstrap`, to which the admin interface is added, and waits until it
/// runs.
pub(super) async fn start(
    seat: Seat,
    artifacts: &Artifacts,
    mut bootstrap: Value,
    directory: &Path,
    logs: &Path,
) -> Result<Part> {
    bootstrap["admin"] = envoy_admin::bootstrap("127.0.0.1", seat.admin);
    let config = directory.join(format!("{}.json", seat.name));
    fs::write(&config, format!("{bootstrap:#}"))?;
    let program = Program::new(seat.name, &artifacts.envoy, logs)
        .arg("--config-path")
        .arg(&config)
        .arg("--disable-hot-restart")
        // One worker: the bed shares its processors with a whole control plane and the load. A connection of a
        // listener that goes has some requests yet, and one of the answers says that it ends.
        .args(["--concurrency", "1", "--drain-time-s", "5", "--log-level", "info"]);
    let part = Part::start(program)?;
    running(seat, &part).await?;
    Ok(part)
}

/// Waits until Envoy runs.
pub(super) async fn running(seat: Seat, part: &Part) -> Result<()> {
    // Not until it is ready: that may wait for a first configuration, which comes later.
    let running = wait::until("Envoy to run", Duration::from_secs(180), || async {
        Seen::from_result(seat.admin().get("/server_info").await.map(drop))
    });
    part.process()?.alive(running).await
}
