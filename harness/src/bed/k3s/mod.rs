//! Kubernetes in a container, started by the k3s module of testcontainers.
//!
//! What both beds of this kind do in the same way is here. They differ in the image, and in who
//! plays Gloo's part: [`online`] has k3s' own image and Gloo from its chart, [`offline`] an image made
//! on this machine and the embedded gateway.

pub(super) mod offline;
pub(super) mod online;
mod pod_images;

use std::{
    fs::{self, File},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::{Api, Client, ResourceExt as _, api::ListParams, config::Kubeconfig};
use testcontainers::{
    ContainerAsync, ContainerRequest, ImageExt as _, TestcontainersError,
    core::{Mount, logs::LogFrame},
    runners::AsyncRunner as _,
};
use testcontainers_modules::k3s::{K3s, KUBE_SECURE_PORT, TRAEFIK_HTTP};
use tokio_util::task::AbortOnDropHandle;

use super::{access, private_file, ready};
use crate::{
    engine::CannotRun,
    process::Process,
    wait::{self, Seen},
};

/// How long an engine of our own may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// Where k3s takes objects from when it starts.
const MANIFESTS: &str = "/var/lib/rancher/k3s/server/manifests";
/// Where k3s takes images from when it starts.
const IMAGES: &str = "/var/lib/rancher/k3s/agent/images";

/// A cluster in a container. Dropping it removes the container.
pub(super) struct Cluster {
    container: ContainerAsync<K3s>,
    log: PathBuf,
    /// Where the engine is our own.
    engine: Option<Process>,
    /// Fixed addresses of what has other ones in each run.
    doors: Vec<AbortOnDropHandle<()>>,
}

/// What to start.
struct Order {
    /// Repository and tag.
    image: (String, String),
    /// After `server`.
    arguments: Vec<&'static str>,
    /// Objects by file name.
    manifest: (&'static str, String),
    /// Folder of archives with images for pods.
    images: Option<PathBuf>,
    /// How long it may take until Kubernetes is ready, with fetching the image.
    deadline: Duration,
}

/// How a started cluster is reached.
struct Reached {
    client: Client,
    kubeconfig: PathBuf,
    /// Host and port of the API server, and of what serves port 80.
    api: (String, u16),
    proxy: (String, u16),
}

/// Starts the container and waits until pods can be made.
async fn start(order: Order, host: Option<&str>, directory: &Path) -> Result<(Cluster, Reached)> {
    let configuration = directory.join("k3s");
    // What the cluster writes there, for all to read, opens it.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&configuration)?;
    let log = directory.join("logs/k3s.log");
    let request = request(&order, &configuration, &log)?;
    let container = request.start().await.map_err(|error| {
        let refused = matches!(error, TestcontainersError::Client(_));
        let error = anyhow!(error).context(not_ready(&order.image, &log));
        // What becomes of a container is not the engine's doing, but that there is one is.
        if refused { error.context(CannotRun) } else { error }
    })?;
    let host = match host {
        Some(host) => host.to_owned(),
        None => container.get_host().await?.to_string(),
    };
    let api = container.get_host_port_ipv4(KUBE_SECURE_PORT).await?;
    let proxy = container.get_host_port_ipv4(TRAEFIK_HTTP).await?;
    let kubeconfig = directory.join("kubeconfig");
    write_kubeconfig(&container.image().read_kube_config()?, &kubeconfig, &host, api)?;
    let client = access::client(&kubeconfig).await?;
    ready::pods_can_run(&client, &node(&client).await?).await?;
    let cluster = Cluster { container, log, engine: None, doors: Vec::new() };
    let reached = Reached { client, kubeconfig, api: (host.clone(), api), proxy: (host, proxy) };
    Ok((cluster, reached))
}

fn not_ready((name, tag): &(String, String), log: &Path) -> String {
    format!("{name}:{tag} does not become ready; see {}", log.display())
}

fn request(order: &Order, configuration: &Path, log: &Path) -> Result<ContainerRequest<K3s>> {
    let file = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
    let file = Mutex::new(file);
    let (name, tag) = &order.image;
    let (manifest, objects) = &order.manifest;
    let arguments =
        ["server", "--snapshotter=overlayfs"].into_iter().chain(order.arguments.iter().copied());
    let request = K3s::default()
        .with_conf_mount(configuration)
        .with_name(name)
        .with_tag(tag)
        .with_cmd(arguments)
        .with_privileged(true)
        .with_userns_mode("host")
        .with_copy_to(format!("{MANIFESTS}/{manifest}"), objects.clone().into_bytes())
        .with_startup_timeout(order.deadline)
        .with_log_consumer(move |frame: &LogFrame| {
            // What cannot be logged is no reason to fail.
            if let Ok(mut file) = file.lock() {
                drop(file.write_all(frame.bytes()));
            }
        });
    Ok(match &order.images {
        Some(folder) => request.with_mount(Mount::bind_mount(folder.to_string_lossy(), IMAGES)),
        None => request,
    })
}

/// The cluster's own kubeconfig, with the address at which its API server is reached from here.
fn write_kubeconfig(text: &str, path: &Path, host: &str, port: u16) -> Result<()> {
    let mut config = Kubeconfig::from_yaml(text).context("k3s has written no kubeconfig")?;
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(format!("https://{host}:{port}"));
        // Wherever that is, the certificate is one for a name that every API server has.
        cluster.tls_server_name = Some("localhost".to_owned());
    }
    private_file::write(path, &serde_json::to_string_pretty(&config)?)
}

/// The name of the only node, once it has registered.
async fn node(client: &Client) -> Result<String> {
    let nodes = Api::<Node>::all(client.clone());
    wait::until("a node", Duration::from_secs(60), || async {
        match nodes.list_metadata(&ListParams::default()).await {
            Ok(list) => match list.items.first() {
                Some(node) => Seen::Done(node.name_any()),
                None => Seen::NotYet("none has registered".to_owned()),
            },
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

/// Waits until a Deployment is there and all its pods are available.
async fn available(client: &Client, namespace: &str, name: &str, deadline: Duration) -> Result<()> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), namespace);
    let what = format!("Deployment {namespace}/{name} to be available");
    wait::until(&what, deadline, || async {
        match deployments.get_opt(name).await {
            Ok(Some(deployment)) => is_available(&deployment),
            Ok(None) => Seen::NotYet("it does not exist".to_owned()),
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

fn is_available(deployment: &Deployment) -> Seen<()> {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    let available = status.available_replicas.unwrap_or(0);
    let conditions = status.conditions.into_iter().flatten().filter_map(|one| one.message);
    let said: Vec<String> = conditions.collect();
    Seen::when(available >= wanted, format!("{available} of {wanted} pods: {}", said.join("; ")))
}

impl Cluster {
    /// Removes the container, and the engine where it is our own.
    pub(super) async fn stop(self) {
        drop(self.doors);
        if let Err(error) = self.container.rm().await {
            eprintln!("cannot remove the container of the bed: {error}");
        }
        if let Some(engine) = self.engine {
            engine.stop(GRACE).await;
        }
    }

    /// The unexpected end of the container, or of the engine.
    pub(super) async fn failure(&self) -> anyhow::Error {
        let engine = async {
            match &self.engine {
                Some(engine) => engine.failure().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = engine => error,
            () = self.ended() => {
                anyhow!("the container of Kubernetes has ended; its log is {}", self.log.display())
            }
        }
    }

    /// Its output ends when it does.
    async fn ended(&self) {
        let mut output = self.container.stderr(true);
        drop(tokio::io::copy(&mut output, &mut tokio::io::sink()).await);
    }
}

impl Reached {
    fn proxy_url(&self) -> String {
        format!("http://{}:{}", self.proxy.0, self.proxy.1)
    }

    /// The API server's address, where it is one of this machine's own.
    fn api(&self) -> Option<SocketAddr> {
        let (host, port) = &self.api;
        let host = if host == "localhost" { "127.0.0.1" } else { host };
        Some(SocketAddr::new(host.parse().ok()?, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubeconfig_of_the_cluster_is_pointed_at_where_it_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let text = "apiVersion: v1\nkind: Config\nclusters:\n- name: default\n  cluster:\n    \
                    server: https://127.0.0.1:6443\n";
        write_kubeconfig(text, &path, "172.17.0.1", 32_770).unwrap();
        let written = Kubeconfig::read_from(&path).unwrap();
        let cluster = written.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://172.17.0.1:32770"));
        assert_eq!(cluster.tls_server_name.as_deref(), Some("localhost"));
    }

    #[test]
    fn a_deployment_is_available_when_every_wanted_pod_is() {
        let deployment = |wanted, available| -> Deployment {
            serde_json::from_value(serde_json::json!({
                "spec": {"replicas": wanted, "selector": {}, "template": {}},
                "status": {"availableReplicas": available, "conditions": [
                    {"type": "Available", "status": "False", "message": "no image"},
                ]},
            }))
            .unwrap()
        };
        assert!(matches!(is_available(&deployment(2, 2)), Seen::Done(())));
        let Seen::NotYet(instead) = is_available(&deployment(2, 1)) else { panic!("available") };
        assert_eq!(instead, "1 of 2 pods: no image");
    }
}
