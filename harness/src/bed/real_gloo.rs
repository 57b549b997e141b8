//! A real Gloo in the embedded gateway's place: `COALMINE_GLOO` names its binary,
//! `COALMINE_GLOO_CRDS` the folder of its kinds.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::gloo_system::{GATEWAY, NAMESPACE, XDS_PORT};
use crate::{
    envoy_admin,
    process::{Process, Program},
    wait::{self, Seen},
};

/// The binary and what it says it is.
#[derive(Clone, Debug)]
pub(super) struct RealGloo {
    binary: PathBuf,
    /// For example `gloo 1.22.1`.
    pub(super) version: String,
}

impl RealGloo {
    /// `None` without `COALMINE_GLOO`.
    pub(super) fn from_environment() -> Result<Option<Self>> {
        let Some(binary) = env::var_os("COALMINE_GLOO").filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let binary = PathBuf::from(binary);
        ensure!(binary.is_file(), "COALMINE_GLOO={}: no such file", binary.display());
        ensure!(
            env::var_os("COALMINE_GLOO_CRDS").is_some(),
            "COALMINE_GLOO needs COALMINE_GLOO_CRDS: the folder of that Gloo's \
             CustomResourceDefinitions (install/helm/gloo/crds in its sources)"
        );
        let version = format!("gloo {}", version(&binary)?);
        Ok(Some(Self { binary, version }))
    }

    /// How Gloo is started.
    pub(super) fn program(&self, kubeconfig: &Path, logs: &Path) -> Program {
        Program::new("gloo", &self.binary, logs)
            .env("KUBECONFIG", kubeconfig.display().to_string())
            .env("POD_NAMESPACE", NAMESPACE)
            .env("DISABLE_LEADER_ELECTION", "true")
    }

    /// Waits until Gloo serves Envoy's configuration.
    pub(super) async fn serving(process: &Process) -> Result<()> {
        let serving = wait::until("Gloo to serve", Duration::from_secs(60), || async {
            Seen::from_result(TcpStream::connect(("127.0.0.1", XDS_PORT)).await.map(drop))
        });
        process.alive(serving).await
    }

    /// What Envoy starts with: everything else comes from Gloo, over one stream.
    pub(super) fn bootstrap() -> Value {
        let ads = json!({"resource_api_version": "V3", "ads": {}});
        let http2 = json!({
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        });
        json!({
            "node": {
                "id": format!("{GATEWAY}.{NAMESPACE}"),
                "cluster": "gateway",
                "metadata": {"role": format!("{NAMESPACE}~{GATEWAY}")},
            },
            "static_resources": {"clusters": [{
                "name": "xds_cluster",
                "type": "STATIC",
                "connect_timeout": "5s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
                },
                "load_assignment": envoy_admin::endpoint("xds_cluster", ("127.0.0.1", XDS_PORT)),
            }]},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds_cluster"}}],
                },
                "cds_config": ads,
                "lds_config": ads,
            },
        })
    }
}

/// The module version that Go recorded in the binary, or what its name says.
fn version(binary: &Path) -> Result<String> {
    let read = Command::new("go").args(["version", "-m"]).arg(binary).output();
    let text = read.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let recorded = text.ok().and_then(|text| {
        let line = text.lines().find(|line| line.contains("github.com/solo-io/gloo\t"))?;
        let version = line.split('\t').find(|word| word.starts_with('v'))?;
        Some(version.trim_start_matches('v').to_owned())
    });
    let name = || binary.file_name().map(|name| name.to_string_lossy().into_owned());
    recorded.or_else(name).context("COALMINE_GLOO names no file")
}
