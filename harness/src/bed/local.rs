//! The local bed: everything as processes in the namespace that [`crate::enter`] made.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::{
    FutureExt as _,
    future::{join_all, select_all},
};
use kube::Client;

use super::{
    access::{self, Access},
    control_plane,
    credentials::Credentials,
    envoy::Seat,
    options::{BedOptions, Purpose},
    programmer::{Choice, Scene, Served},
    ready,
};
use crate::{
    build::{self, Artifacts, VERSIONS},
    envoy_admin::Admin,
    gateway_kind::GatewayKind,
    namespace::{API, STATUS},
    node::{BackOff, Images, Node, NodeOptions},
    process::Process,
    programs,
    progress::Progress,
    rollouts::rollouts,
};

/// How long a part may take to end when it is asked to. Nothing that it could still save is kept.
const GRACE: Duration = Duration::from_secs(2);
/// The one node's name.
pub(super) const NODE_NAME: &str = "bed";

/// What runs in a local bed.
#[derive(Debug)]
pub(super) struct Local {
    node: Node,
    first: Served,
    second: Option<(GatewayKind, Served)>,
    /// The control plane, in the order in which it was started.
    processes: Vec<Process>,
}

impl Local {
    /// Stops everything, what was started last first.
    pub(super) async fn stop(self) {
        let served = [Some(self.first), self.second.map(|(_, served)| served)];
        let mut envoys = Vec::new();
        for Served { programmer, envoy, .. } in served.into_iter().flatten() {
            if let Some(part) = programmer.part() {
                part.stop(GRACE).await;
            }
            envoys.extend(envoy);
        }
        drop(self.node);
        // etcd and the API server go last: the others only complain without them.
        let (last, first) = self.processes.split_at(2.min(self.processes.len()));
        let envoys = join_all(envoys.iter().map(|envoy| envoy.stop(GRACE)));
        tokio::join!(join_all(first.iter().map(|process| process.stop(GRACE))), envoys);
        for process in last.iter().rev() {
            process.stop(GRACE).await;
        }
    }

    /// The first unexpected end of a process.
    pub(super) async fn failure(&self) -> anyhow::Error {
        let second = self.second.iter().map(|(_, served)| served);
        let parts = [&self.first].into_iter().chain(second).flat_map(Served::parts);
        let parts = parts.map(|part| part.failure().boxed());
        let processes = self.processes.iter().map(|process| process.failure().boxed());
        select_all(processes.chain(parts)).await.0
    }

    /// Ends Envoy as a crash does, starts it again, and returns when it runs.
    pub(super) async fn restart_envoy(&self) -> Result<()> {
        self.first.restart_envoy().await
    }

    /// The same with who tells it what to do.
    pub(super) async fn restart_gateway(&self) -> Result<()> {
        self.first.programmer.restart().await
    }

    /// The second gateway, where its Envoy listens, and that Envoy's admin interface.
    pub(super) fn second(&self) -> Option<(GatewayKind, SocketAddr, Option<Admin>)> {
        let (kind, served) = self.second.as_ref()?;
        Some((*kind, kind.proxy(), served.admin()))
    }
}

/// Starts everything and waits until pods can be made and routed to.
pub(super) async fn start(
    directory: &Path,
    options: &BedOptions,
    progress: &Progress,
) -> Result<(Access, Local)> {
    let inside = &options.inside;
    let http_echo = programs::find("http-echo")?;
    let (screen, gateways) = (progress.clone(), inside.gateways());
    let built = tokio::task::spawn_blocking(move || {
        let second = gateways.second.map(|kind| anyhow::Ok((kind, Choice::of(kind, &screen)?)));
        let choice = Choice::of(gateways.first, &screen)?;
        anyhow::Ok((build::artifacts(&screen)?, choice, second.transpose()?))
    });
    let (artifacts, choice, second) = built.await??;

    let starting = progress.step("starting the local bed");
    let places = Places::make(directory)?;
    let credentials = Credentials::create(&directory.join("credentials"))?;
    credentials.write_kubeconfig(&places.kubeconfig, API)?;
    let outside_api = inside.outside_api().unwrap_or(API);
    credentials.write_kubeconfig(&places.outside_kubeconfig, outside_api)?;
    let client = access::client(&places.kubeconfig).await?;

    let scene = Scene {
        artifacts: &artifacts,
        client: &client,
        administrator: &places.kubeconfig,
        directory,
        logs: &places.logs,
        with_envoy: options.purpose == Purpose::Traffic,
        seat: Seat::FIRST,
    };
    let beside = Scene { seat: Seat::SECOND, ..scene };
    let (processes, envoy) = tokio::try_join!(
        start_control_plane(&artifacts, &credentials, &places, options, &client),
        choice.early_envoy(&scene),
    )?;
    let images = match rollouts() {
        Some(_) => Images::stand_in(&http_echo),
        None => Images::standard(&http_echo, &programs::find("petstore")?),
    };
    let proxy = gateways.first.proxy();
    let mut versions: BTreeMap<String, String> =
        VERSIONS.iter().map(|(part, version)| ((*part).into(), (*version).into())).collect();
    versions.insert("gateway".into(), choice.version());
    if let Some((_, second)) = &second {
        versions.insert("second gateway".into(), second.version());
    }
    let node = start_node(&client, images, &places.logs);
    let second = async {
        let Some((kind, choice)) = second else { return Ok(None) };
        let installed = choice.install(&beside, kind.proxy()).await?;
        anyhow::Ok(Some((kind, installed.start(&beside, None).await?)))
    };
    let (node, installed) = tokio::try_join!(node, choice.install(&scene, proxy))?;
    let (_, first, second) = tokio::try_join!(
        ready::pods_can_run(&client, NODE_NAME),
        installed.start(&scene, envoy),
        second
    )?;
    starting.done();

    let access = Access {
        kubeconfig: places.kubeconfig.clone(),
        outside_kubeconfig: places.outside_kubeconfig.clone(),
        kubectl: artifacts.control_plane("kubectl"),
        proxy_url: format!("http://{proxy}"),
        outside_proxy_url: format!("http://{}", inside.outside_proxy().unwrap_or(proxy)),
        api: Some(API),
        status: STATUS,
        admin: first.admin(),
        versions,
        client: client.clone(),
    };
    Ok((access, Local { node, first, second, processes }))
}

/// Files of the bed.
struct Places {
    kubeconfig: PathBuf,
    outside_kubeconfig: PathBuf,
    logs: PathBuf,
    data: PathBuf,
}

impl Places {
    fn make(directory: &Path) -> Result<Self> {
        let places = Self {
            kubeconfig: directory.join("kubeconfig"),
            outside_kubeconfig: directory.join("kubeconfig.outside"),
            logs: directory.join("logs"),
            data: directory.join("data"),
        };
        // A folder given by the user may hold an earlier bed.
        for folder in [&places.logs, &places.data] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot empty {}", folder.display()))?;
            }
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(places)
    }
}

async fn start_control_plane(
    artifacts: &Artifacts,
    credentials: &Credentials,
    places: &Places,
    options: &BedOptions,
    client: &Client,
) -> Result<Vec<Process>> {
    let Places { kubeconfig, logs, data, .. } = places;
    let etcd = control_plane::etcd(artifacts, data, logs).await?;
    let fairness = options.fairness;
    let api_server = control_plane::api_server(artifacts, credentials, data, fairness, logs)?;
    control_plane::api_server_ready(&api_server, client).await?;
    let controllers = control_plane::controller_manager(
        artifacts,
        credentials,
        kubeconfig,
        options.purpose,
        logs,
    )?;
    let scheduler = control_plane::scheduler(artifacts, kubeconfig, logs)?;
    Ok(vec![etcd, api_server, controllers, scheduler])
}

async fn start_node(client: &Client, images: Images, logs: &Path) -> Result<Node> {
    let options = NodeOptions {
        name: NODE_NAME.to_owned(),
        images,
        logs: logs.join("pods"),
        back_off: BackOff::default(),
    };
    Node::start(client.clone(), options).await
}
