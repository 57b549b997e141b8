//! Envoy Gateway, with the cluster for its configuration and nobody's infrastructure.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use nix::unistd::getuid;
use serde_json::{Value, json};
use tokio::process::Command;

use super::place::{DEADLINE, GATEWAY, NAMESPACE, Place, gateway};
use crate::{bed::private_file, build, envoy_admin, gateway_kind::GatewayKind, process::Program};

/// Where it says that it is ready.
pub(super) const HEALTH: &str = build::gateway::ENVOY_GATEWAY_HEALTH;
/// Where it serves Envoy's configuration.
pub(super) const XDS: (&str, u16) = ("127.0.0.1", 18000);

/// The controller that a class is of.
const CONTROLLER: &str = "gateway.envoyproxy.io/gatewayclass-controller";
/// What a certificate of its Secrets consists of.
const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// A class of its own, and a Gateway of that.
pub(super) fn objects() -> Vec<Value> {
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": GatewayKind::EnvoyGateway.name()},
        "spec": {"controllerName": CONTROLLER},
    });
    vec![class, gateway(GatewayKind::EnvoyGateway)]
}

/// The folder that it takes for `/`. It looks for certificates in `/certs` and for nothing else but its program,
/// its configuration and a kubeconfig; several of it need several of these folders.
fn root(place: &Place) -> PathBuf {
    place.folder.join("root")
}

/// For its account, in that folder.
pub(super) fn kubeconfig(place: &Place) -> PathBuf {
    root(place).join("kubeconfig")
}

/// Where Envoy has its own certificate.
fn of_envoy(place: &Place) -> PathBuf {
    place.folder.join("envoy")
}

/// Has its own program make the certificates, as its chart does, and puts them where pods would have them.
pub(super) async fn prepare(place: &Place, client: &Client, administrator: &Path) -> Result<()> {
    let Place { program, namespace, .. } = place;
    let root = root(place);
    fs::create_dir_all(&root)?;
    let inside = root.join("envoy-gateway");
    // Another file system may have the cache.
    if fs::hard_link(program, &inside).is_err() {
        fs::copy(program, &inside).with_context(|| format!("cannot copy {}", program.display()))?;
    }
    private_file::write(&root.join("config.yaml"), &format!("{:#}\n", configuration()))?;
    make_certificates(place, administrator).await?;
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    for (secret, folder) in [("envoy-gateway", root.join("certs")), ("envoy", of_envoy(place))] {
        fs::create_dir_all(&folder)?;
        let data =
            secrets.get(secret).await.with_context(|| format!("Secret {namespace}/{secret}"));
        let data = data?.data.unwrap_or_default();
        for file in FILES {
            let content = data.get(file);
            let content = content.with_context(|| format!("{secret} has no {file}"))?;
            let text = std::str::from_utf8(&content.0).context("a certificate is no text")?;
            private_file::write(&folder.join(file), text)?;
        }
    }
    Ok(())
}

async fn make_certificates(place: &Place, administrator: &Path) -> Result<()> {
    let Place { program, namespace, logs, .. } = place;
    let run = Command::new(program)
        .args(["certgen", "--disable-topology-injector"])
        .env("KUBECONFIG", administrator)
        .env("ENVOY_GATEWAY_NAMESPACE", namespace)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, run).await.context("certgen does not end")?;
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    let log = logs.join("envoy-gateway-certgen.log");
    fs::write(&log, said).with_context(|| format!("cannot write {}", log.display()))?;
    ensure!(output.status.success(), "certgen ended ({}): see {}", output.status, log.display());
    Ok(())
}

/// What it would be told by its chart, but that others do what it needs a cluster's nodes for.
fn configuration() -> Value {
    json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": CONTROLLER},
        "provider": {
            "type": "Custom",
            "custom": {"resource": {
                "type": "Kubernetes",
                "kubernetes": {"leaderElection": {"disable": true}},
            }},
        },
        // Its default is the port of Envoy's own.
        "admin": {"address": {"host": "127.0.0.1", "port": 19002}},
        "telemetry": {"metrics": {"prometheus": {"disable": true}}},
    })
}

pub(super) fn program(place: &Place) -> Result<Program> {
    let name = GatewayKind::EnvoyGateway.name();
    let root = root(place);
    let program = if getuid().is_root() {
        Program::new(name, find("chroot")?, &place.logs).arg(root)
    } else {
        // Only root may take another root, which everybody is in a namespace of their own.
        let program = Program::new(name, find("unshare")?, &place.logs);
        program.args(["--user", "--map-root-user"]).flag("root", root)
    };
    Ok(program
        .args(["/envoy-gateway", "server", "--config-path=/config.yaml"])
        .env("KUBECONFIG", "/kubeconfig")
        .env("ENVOY_GATEWAY_NAMESPACE", &place.namespace))
}

/// A program of the system, which not every PATH has.
fn find(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    found.with_context(|| format!("there is no program {name}: install coreutils and util-linux"))
}

/// As Envoy Gateway has it, without its statistics and what it says of zones.
pub(super) fn bootstrap(place: &Place) -> Value {
    let file = |name: &str| json!({"filename": of_envoy(place).join(name)});
    let ads = json!({"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "0s"});
    let http2 = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {
            "connection_keepalive": {"interval": "30s", "timeout": "5s"},
        }},
    });
    let tls = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [{"certificate_chain": file("tls.crt"), "private_key": file("tls.key")}],
            "validation_context": {
                "trusted_ca": file("ca.crt"),
                "match_typed_subject_alt_names": [
                    {"san_type": "DNS", "matcher": {"exact": "envoy-gateway"}},
                ],
            },
        },
    });
    json!({
        "node": {
            "id": format!("{GATEWAY}.{NAMESPACE}"),
            "cluster": format!("{NAMESPACE}/{GATEWAY}"),
        },
        "layered_runtime": {"layers": [{
            "name": "global_config",
            "static_layer": {
                "re2.max_program_size.error_level": u32::MAX,
                "re2.max_program_size.warn_level": 1000,
            },
        }]},
        "static_resources": {"clusters": [{
            "name": "xds_cluster",
            "type": "STATIC",
            "connect_timeout": "10s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
            },
            "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
            "load_assignment": envoy_admin::endpoint("xds_cluster", XDS),
        }]},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds_cluster"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
    })
}
