//! A real controller of the Gateway API in a local bed, as its users have it: the kinds of the standard
//! channel and its own, its account with the rights of its chart, and one Gateway for everybody.
//!
//! The controller runs as a process and programs the bed's Envoy over ADS. What is left out is what it would do
//! to have an Envoy deployed, for there is one already.

mod envoy_gateway;
mod kgateway;
mod place;
mod rights;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use kube::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{access, account, definitions, objects};
use crate::{
    build::{self, gateway::Built},
    envoy_admin,
    gateway_kind::GatewayKind,
    process::{Process, Program},
    progress::Progress,
    wait::{self, Seen},
};

use place::{DEADLINE, Place};
pub(super) use place::{GATEWAY, NAMESPACE};

/// A controller that was built.
#[derive(Clone, Debug)]
pub(super) struct Controller {
    kind: GatewayKind,
    built: Built,
}

/// Builds the controller of a gateway, or finds it in the cache; nothing for Gloo. Blocks the calling thread.
pub(super) fn build(kind: GatewayKind, progress: &Progress) -> Result<Option<Controller>> {
    let controller = match kind {
        GatewayKind::Gloo => return Ok(None),
        GatewayKind::Kgateway => &build::gateway::KGATEWAY,
        GatewayKind::EnvoyGateway => &build::gateway::ENVOY_GATEWAY,
    };
    ensure!(
        std::env::var_os("COALMINE_GLOO").is_none_or(|value| value.is_empty()),
        "COALMINE_GLOO names a Gloo, and {} is asked for: unset one of them",
        kind.name()
    );
    Ok(Some(Controller { kind, built: build::controller(controller, progress)? }))
}

/// What a controller finds when it starts.
#[derive(Debug)]
pub(super) struct Installed {
    kind: GatewayKind,
    place: Place,
}

impl Controller {
    /// Its name and version, for example `kgateway 2.4.0`.
    pub(super) fn version(&self) -> String {
        let controller = match self.kind {
            GatewayKind::EnvoyGateway => &build::gateway::ENVOY_GATEWAY,
            _ => &build::gateway::KGATEWAY,
        };
        format!("{} {}", self.kind.name(), controller.version)
    }

    /// The namespace that it is installed in, and which is also the name of its account but for the end.
    fn namespace(&self) -> String {
        format!("{}-system", self.kind.name())
    }

    /// Installs everything but the controller itself, as `administrator`, with its files below `directory`.
    pub(super) async fn install(
        self,
        client: &Client,
        administrator: &Path,
        directory: &Path,
        logs: &Path,
    ) -> Result<Installed> {
        let folder = directory.join("gateway");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)?;
        let mut kinds = Vec::new();
        for folder in self.built.definitions() {
            kinds.extend(definitions::read(&folder)?);
        }
        let namespaces = [self.namespace(), NAMESPACE.to_owned()];
        let namespaces = namespaces.map(
            |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
        );
        let applied = namespaces.iter().map(|object| objects::apply(client, object));
        tokio::try_join!(definitions::install(client, &kinds), try_join_all(applied))?;
        let rights = self.rights()?;
        try_join_all(rights.iter().chain(&self.objects()).map(|o| objects::apply(client, o)))
            .await?;
        let place = Place {
            program: self.built.program(),
            namespace: self.namespace(),
            folder,
            logs: logs.to_owned(),
        };
        if self.kind == GatewayKind::EnvoyGateway {
            envoy_gateway::prepare(&place, client, administrator).await?;
        }
        let installed = Installed { kind: self.kind, place };
        let token = account::token(client, &rights[0]).await?;
        account::write_kubeconfig(administrator, &installed.kubeconfig(), token)?;
        let account = access::client(&installed.kubeconfig()).await?;
        for role in rights.iter().filter(|object| object["rules"].is_array()) {
            account::counts(&account, role).await?;
        }
        Ok(installed)
    }

    /// Its account first, and what that may do, by its chart.
    fn rights(&self) -> Result<Vec<Value>> {
        let path = self.built.rights();
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let rules = match self.kind {
            GatewayKind::EnvoyGateway => rights::of_named_templates(&text),
            _ => rights::of_role(&text),
        };
        let rules = rules.with_context(|| format!("the rights in {}", path.display()))?;
        Ok(rules.objects(self.kind.name(), &self.namespace()))
    }

    /// The Gateway, and what says of which class it is.
    fn objects(&self) -> Vec<Value> {
        match self.kind {
            GatewayKind::EnvoyGateway => envoy_gateway::objects(),
            _ => kgateway::objects(),
        }
    }
}

impl Installed {
    /// For the controller's account. Envoy Gateway sees no file but those in a folder that is its root.
    fn kubeconfig(&self) -> PathBuf {
        match self.kind {
            GatewayKind::EnvoyGateway => envoy_gateway::kubeconfig(&self.place),
            _ => kgateway::kubeconfig(&self.place),
        }
    }

    /// What Envoy starts with: everything else comes from the controller, over one stream.
    pub(super) fn bootstrap(&self) -> Value {
        match self.kind {
            GatewayKind::EnvoyGateway => envoy_gateway::bootstrap(&self.place),
            _ => kgateway::bootstrap(),
        }
    }

    /// How the controller is started.
    pub(super) fn program(&self) -> Result<Program> {
        match self.kind {
            GatewayKind::EnvoyGateway => envoy_gateway::program(&self.place),
            _ => Ok(kgateway::program(&self.place)),
        }
    }

    /// Waits until the controller has seen everything and serves Envoy's configuration.
    pub(super) async fn serving(&self, process: &Process) -> Result<()> {
        let (health, xds) = match self.kind {
            GatewayKind::EnvoyGateway => (envoy_gateway::HEALTH, envoy_gateway::XDS),
            _ => (kgateway::HEALTH, kgateway::XDS),
        };
        let what = format!("{} to be ready", self.kind.name());
        let ready = wait::until(&what, DEADLINE, || async move {
            let answer = envoy_admin::get(&format!("http://{health}/readyz")).await;
            match answer {
                Ok(_) => Seen::from_result(TcpStream::connect(xds).await.map(drop)),
                Err(error) => Seen::NotYet(format!("{error:#}")),
            }
        });
        process.alive(ready).await
    }

    /// Waits until the controller has accepted the Gateway. Only then may Envoy ask for its configuration: to one
    /// that asks earlier Envoy Gateway says nothing until there is a cluster, and so not of the listener either.
    pub(super) async fn accepted(&self, client: &Client) -> Result<()> {
        let kind = objects::kind("gateway.networking.k8s.io", "v1", "Gateway");
        let api = objects::api(client, &kind, Some(NAMESPACE));
        wait::until("the Gateway to be accepted", DEADLINE, || async {
            match api.get(GATEWAY).await {
                Ok(gateway) => {
                    let status = &gateway.data["status"];
                    let accepted = is_accepted(status, gateway.metadata.generation);
                    Seen::when(accepted, format!("{NAMESPACE}/{GATEWAY} has the status {status}"))
                }
                Err(error) => Seen::NotYet(error.to_string()),
            }
        })
        .await
    }

    /// Waits until Envoy takes connections for the Gateway.
    pub(super) async fn listening(&self) -> Result<()> {
        let proxy = self.kind.proxy();
        wait::until("Envoy to listen for the Gateway", DEADLINE, || async {
            Seen::from_result(TcpStream::connect(proxy).await.map(drop))
        })
        .await
    }
}

/// Whether a status says `Accepted` of this generation.
fn is_accepted(status: &Value, generation: Option<i64>) -> bool {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.any(|condition| {
        condition["type"] == "Accepted"
            && condition["status"] == "True"
            && condition["observedGeneration"].as_i64() == generation
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_accepted_when_its_present_generation_is() {
        let status = |status, generation| {
            json!({"conditions": [
                {"type": "Programmed", "status": "False", "observedGeneration": 2},
                {"type": "Accepted", "status": status, "observedGeneration": generation},
            ]})
        };
        assert!(is_accepted(&status("True", 2), Some(2)));
        assert!(!is_accepted(&status("True", 1), Some(2)));
        assert!(!is_accepted(&status("False", 2), Some(2)));
        assert!(!is_accepted(&Value::Null, Some(2)));
    }
}
