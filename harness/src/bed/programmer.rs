//! Who tells the Envoy of a local bed what to do.

use std::{net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use kube::Client;

use super::{
    envoy::{self, Seat},
    gateway_api::{self, Controller, Installed},
    gloo_system,
    part::Part,
    real_gloo::RealGloo,
};
use crate::{
    build::Artifacts,
    envoy_admin::Admin,
    gateway::{self, Gateway},
    gateway_kind::GatewayKind,
    progress::Progress,
};

/// What was chosen.
#[derive(Debug)]
pub(super) enum Choice {
    Embedded,
    RealGloo(RealGloo),
    Controller(Controller),
}

/// What of it runs.
#[derive(Debug)]
pub(super) struct Programmer {
    /// Dropping it stops it.
    _embedded: Option<Gateway>,
    /// A program of its own.
    part: Option<Part>,
    /// What it is, where that is a controller of the Gateway API.
    installed: Option<Installed>,
}

/// Files, and who may write objects.
pub(super) struct Scene<'a> {
    pub(super) artifacts: &'a Artifacts,
    pub(super) client: &'a Client,
    pub(super) administrator: &'a Path,
    pub(super) directory: &'a Path,
    pub(super) logs: &'a Path,
    /// Whether there is an Envoy at all.
    pub(super) with_envoy: bool,
    /// Which of the bed's it is.
    pub(super) seat: Seat,
}

/// Who tells an Envoy what to do, and that Envoy.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) programmer: Programmer,
    pub(super) envoy: Option<Part>,
    seat: Seat,
}

impl Served {
    /// Those that run.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.envoy.iter().chain(self.programmer.part())
    }

    /// Envoy's admin interface.
    pub(super) fn admin(&self) -> Option<Admin> {
        self.envoy.as_ref().map(|_| self.seat.admin())
    }

    /// Ends Envoy as a crash does, starts it again, and returns when it runs.
    ///
    /// # Errors
    /// There is none, or it does not come back.
    pub(super) async fn restart_envoy(&self) -> Result<()> {
        let envoy = self.envoy.as_ref().context("this bed has no Envoy")?;
        envoy.restart().await?;
        envoy::running(self.seat, envoy).await
    }
}

impl Choice {
    /// What the environment says of a gateway, built where it has to be. Blocks the calling thread.
    pub(super) fn of(kind: GatewayKind, progress: &Progress) -> Result<Self> {
        if let Some(controller) = gateway_api::build(kind, progress)? {
            return Ok(Self::Controller(controller));
        }
        Ok(RealGloo::from_environment()?.map_or(Self::Embedded, Self::RealGloo))
    }

    /// Its name, with its version where it has one.
    pub(super) fn version(&self) -> String {
        match self {
            Self::Embedded => "embedded".to_owned(),
            Self::RealGloo(gloo) => gloo.version.clone(),
            Self::Controller(controller) => controller.version(),
        }
    }

    /// Starts an Envoy that can be started before there is an API server.
    pub(super) async fn early_envoy(&self, scene: &Scene<'_>) -> Result<Option<Part>> {
        let bootstrap = match self {
            Self::Embedded => gateway::prepare(&gateway::folder(scene.directory))?,
            Self::RealGloo(_) => RealGloo::bootstrap(),
            Self::Controller(_) => return Ok(None),
        };
        if !scene.with_envoy {
            return Ok(None);
        }
        envoy::start(scene.seat, scene.artifacts, bootstrap, scene.directory, scene.logs)
            .await
            .map(Some)
    }

    /// Gives the cluster what it needs there, and says how the rest is started.
    pub(super) async fn install(self, scene: &Scene<'_>, proxy: SocketAddr) -> Result<Ready> {
        Ok(match self {
            Self::Controller(controller) => {
                let Scene { client, administrator, directory, logs, .. } = scene;
                Ready::Controller(controller.install(client, administrator, directory, logs).await?)
            }
            Self::Embedded => {
                gloo_system::install(scene.client, proxy).await?;
                Ready::Embedded
            }
            Self::RealGloo(gloo) => {
                gloo_system::install(scene.client, proxy).await?;
                Ready::RealGloo(gloo)
            }
        })
    }
}

/// What is installed.
#[derive(Debug)]
pub(super) enum Ready {
    Embedded,
    RealGloo(RealGloo),
    Controller(Installed),
}

impl Ready {
    /// Starts it, and with it an Envoy where there is none yet; returns when Envoy is told what to do.
    pub(super) async fn start(self, scene: &Scene<'_>, envoy: Option<Part>) -> Result<Served> {
        let Scene { client, administrator, directory, logs, seat, .. } = scene;
        let (programmer, envoy) = match self {
            Self::Embedded => {
                let admin = envoy.as_ref().map(|_| seat.admin());
                let folder = gateway::folder(directory);
                let gateway = Gateway::start((*client).clone(), admin, &folder);
                (Programmer { _embedded: Some(gateway), part: None, installed: None }, envoy)
            }
            Self::RealGloo(gloo) => {
                let part = Part::start(gloo.program(administrator, logs))?;
                let process = part.process()?;
                RealGloo::serving(&process).await?;
                (Programmer { _embedded: None, part: Some(part), installed: None }, envoy)
            }
            Self::Controller(installed) => {
                let part = Part::start(installed.program()?)?;
                let process = part.process()?;
                installed.serving(&process).await?;
                process.alive(installed.accepted(client)).await?;
                let mut envoy = None;
                if scene.with_envoy {
                    let bootstrap = installed.bootstrap();
                    let started =
                        envoy::start(*seat, scene.artifacts, bootstrap, directory, logs).await?;
                    process.alive(installed.listening()).await?;
                    envoy = Some(started);
                }
                let programmer =
                    Programmer { _embedded: None, part: Some(part), installed: Some(installed) };
                (programmer, envoy)
            }
        };
        Ok(Served { programmer, envoy, seat: *seat })
    }
}

impl Programmer {
    /// Its process, where it is one.
    pub(super) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    /// Ends it as a crash does, starts it again, and returns when it serves Envoy's configuration.
    ///
    /// # Errors
    /// It is no process, or does not come back.
    pub(super) async fn restart(&self) -> Result<()> {
        let part = self.part().context("the embedded gateway is no process of its own")?;
        part.restart().await?;
        let process = part.process()?;
        match &self.installed {
            Some(installed) => installed.serving(&process).await,
            None => RealGloo::serving(&process).await,
        }
    }
}
