//! The local bed: everything as processes in the namespace that [`crate::enter`] made.

use std::{
    collections::BTreeMap,
    fs,
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
    envoy,
    options::{BedOptions, Purpose},
    part::Part,
    programmer::{Choice, Programmer, Scene},
    ready,
};
use crate::{
    build::{self, Artifacts, VERSIONS},
    envoy_admin::Admin,
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
    programmer: Programmer,
    envoy: Option<Part>,
    /// The control plane, in the order in which it was started.
    processes: Vec<Process>,
}

impl Local {
    /// Stops everything, what was started last first.
    pub(super) async fn stop(self) {
        if let Some(part) = self.programmer.part() {
            part.stop(GRACE).await;
        }
        drop(self.programmer);
        drop(self.node);
        // etcd and the API server go last: the others only complain without them.
        let (last, first) = self.processes.split_at(2.min(self.processes.len()));
        let envoy = async {
            if let Some(envoy) = &self.envoy {
                envoy.stop(GRACE).await;
            }
        };
        tokio::join!(join_all(first.iter().map(|process| process.stop(GRACE))), envoy);
        for process in last.iter().rev() {
            process.stop(GRACE).await;
        }
    }

    /// The first unexpected end of a process.
    pub(super) async fn failure(&self) -> anyhow::Error {
        let parts = self.envoy.iter().chain(self.programmer.part());
        let parts = parts.map(|part| part.failure().boxed());
        let processes = self.processes.iter().map(|process| process.failure().boxed());
        select_all(processes.chain(parts)).await.0
    }

    /// Ends Envoy as a crash does, starts it again, and returns when it runs.
    pub(super) async fn restart_envoy(&self) -> Result<()> {
        let envoy = self.envoy.as_ref().context("this bed has no Envoy")?;
        envoy.restart().await?;
        envoy::running(envoy).await
    }

    /// The same with who tells it what to do.
    pub(super) async fn restart_gateway(&self) -> Result<()> {
        self.programmer.restart().await
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
    let (screen, gateway) = (progress.clone(), inside.gateway());
    let built = tokio::task::spawn_blocking(move || {
        Ok::<_, anyhow::Error>((build::artifacts(&screen)?, Choice::of(gateway, &screen)?))
    });
    let (artifacts, choice) = built.await??;

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
    };
    let (processes, envoy) = tokio::try_join!(
        start_control_plane(&artifacts, &credentials, &places, options, &client),
        choice.early_envoy(&scene),
    )?;
    let images = match rollouts() {
        Some(_) => Images::stand_in(&http_echo),
        None => Images::standard(&http_echo, &programs::find("petstore")?),
    };
    let proxy = gateway.proxy();
    let mut versions: BTreeMap<String, String> =
        VERSIONS.iter().map(|(part, version)| ((*part).into(), (*version).into())).collect();
    versions.insert("gateway".into(), choice.version());
    let node = start_node(&client, images, &places.logs);
    let (node, installed) = tokio::try_join!(node, choice.install(&scene, proxy))?;
    let (_, (programmer, envoy)) =
        tokio::try_join!(ready::pods_can_run(&client, NODE_NAME), installed.start(&scene, envoy))?;
    starting.done();

    let access = Access {
        kubeconfig: places.kubeconfig.clone(),
        outside_kubeconfig: places.outside_kubeconfig.clone(),
        kubectl: artifacts.control_plane("kubectl"),
        proxy_url: format!("http://{proxy}"),
        outside_proxy_url: format!("http://{}", inside.outside_proxy().unwrap_or(proxy)),
        api: Some(API),
        status: STATUS,
        admin: envoy.as_ref().map(|_| Admin::local()),
        versions,
        client: client.clone(),
    };
    Ok((access, Local { node, programmer, envoy, processes }))
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
