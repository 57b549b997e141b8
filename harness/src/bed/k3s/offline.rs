//! Kubernetes behind the testcontainers k3s module, where there is no registry: a node image made on
//! this machine, on a Docker engine of its own, with the embedded gateway and Envoy as pods.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{access::Access, gloo_system},
    Cluster, Order, Reached, pod_images,
};
use crate::{
    build::{self, VERSIONS, node_image},
    engine, envoy_admin, forward,
    namespace::{API, Inside, STATUS},
    progress::Progress,
};

/// The gateway's account, and the gateway with Envoy in one pod.
const GATEWAY: &str = include_str!("gateway.yaml");
/// Where Envoy listens in its pod, as `gateway.yaml` has it.
const LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
const DEADLINE: Duration = Duration::from_secs(120);

/// Starts everything and waits until pods can be made and routed to.
pub(in crate::bed) async fn start(
    directory: &Path,
    inside: &Inside,
    progress: &Progress,
) -> Result<(Access, Cluster)> {
    let screen = progress.clone();
    let image = tokio::task::spawn_blocking(move || build::node_image(&screen)).await??;

    let starting = progress.step("starting Kubernetes behind the testcontainers k3s module");
    let [logs, images] = ["logs", "images"].map(|name| directory.join(name));
    for folder in [&logs, &images] {
        fs::create_dir_all(folder)?;
    }
    let engine = engine::start(&image, &logs).await?;
    let archive = images.join("pods.tar");
    let pods = tokio::task::spawn_blocking(move || pod_images::write(&image.pods, &archive));
    let (loaded, written) = tokio::join!(engine::load(&image.archive), pods);
    loaded?;
    written??;

    let order = Order {
        image: (node_image::REPOSITORY.to_owned(), node_image::tag()),
        arguments: Vec::new(),
        manifest: ("gateway.yaml", GATEWAY.to_owned()),
        images: Some(images.clone()),
        deadline: DEADLINE,
    };
    // The engine's ports are in our own namespace, whatever the machine looks like from outside.
    let started = super::start(order, Some("127.0.0.1"), directory).await;
    // They are in the node's own store by now, and a bed that fails leaves its folder.
    fs::remove_dir_all(&images)?;
    let (mut cluster, reached) = started?;
    cluster.engine = Some(engine);
    let proxy = inside.gateway().proxy();
    cluster.doors = open(&reached, proxy).await?;
    gloo_system::install(&reached.client, LISTENER).await?;
    let deployment = (gloo_system::NAMESPACE, gloo_system::GATEWAY);
    super::available(&reached.client, deployment.0, deployment.1, DEADLINE).await?;
    starting.done();

    let outside = directory.join("kubeconfig.outside");
    let api = inside.outside_api().unwrap_or(API);
    let text = fs::read_to_string(&reached.kubeconfig)?;
    super::write_kubeconfig(&text, &outside, &api.ip().to_string(), api.port())?;
    let mut versions: BTreeMap<String, String> =
        VERSIONS.iter().map(|(part, version)| ((*part).into(), (*version).into())).collect();
    versions.insert("gateway".into(), "embedded".into());
    let access = Access {
        proxy_url: reached.proxy_url(),
        outside_proxy_url: format!("http://{}", inside.outside_proxy().unwrap_or(proxy)),
        kubectl: image.kubectl,
        outside_kubeconfig: outside,
        api: reached.api(),
        status: STATUS,
        admin: Some(gloo_system::envoy_admin(reached.client.clone(), envoy_admin::PORT)),
        client: reached.client,
        kubeconfig: reached.kubeconfig,
        versions,
    };
    Ok((access, cluster))
}

/// Serves what has another port in each run at the addresses that the way in from outside leads to.
async fn open(reached: &Reached, proxy: SocketAddr) -> Result<Vec<AbortOnDropHandle<()>>> {
    let mut doors = Vec::new();
    for (door, port) in [(API, reached.api.1), (proxy, reached.proxy.1)] {
        let listener = TcpListener::bind(door).await;
        let listener = listener.with_context(|| format!("cannot listen on {door}"))?;
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        doors.push(AbortOnDropHandle::new(tokio::spawn(forward::serve(listener, target))));
    }
    Ok(doors)
}
