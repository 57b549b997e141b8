//! The local bed: everything as processes in the namespace that [`crate::enter`] made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::future::{join_all, select_all};
use kube::Client;

use super::{
    access::{self, Access},
    control_plane,
    credentials::Credentials,
    envoy, gloo_system,
    options::{BedOptions, Purpose},
    ready,
    real_gloo::RealGloo,
};
use crate::{
    build::{self, Artifacts, VERSIONS},
    envoy_admin::Admin,
    gateway::{self, Gateway},
    namespace::{API, PROXY, STATUS},
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
    gateway: Option<Gateway>,
    /// In the order in which they were started.
    processes: Vec<Process>,
}

impl Local {
    /// Stops everything, what was started last first.
    pub(super) async fn stop(self) {
        drop(self.gateway);
        drop(self.node);
        // etcd and the API server go last: the others only complain without them.
        let (last, first) = self.processes.split_at(2.min(self.processes.len()));
        join_all(first.iter().map(|process| process.stop(GRACE))).await;
        for process in last.iter().rev() {
            process.stop(GRACE).await;
        }
    }

    /// The first unexpected end of a process.
    pub(super) async fn failure(&self) -> anyhow::Error {
        select_all(self.processes.iter().map(|process| Box::pin(process.failure()))).await.0
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
    let gloo = RealGloo::from_environment()?;
    let screen = progress.clone();
    let artifacts = tokio::task::spawn_blocking(move || build::artifacts(&screen)).await??;

    let starting = progress.step("starting the local bed");
    let places = Places::make(directory)?;
    let credentials = Credentials::create(&directory.join("credentials"))?;
    credentials.write_kubeconfig(&places.kubeconfig, API)?;
    let outside_api = inside.outside_api().unwrap_or(API);
    credentials.write_kubeconfig(&places.outside_kubeconfig, outside_api)?;
    let client = access::client(&places.kubeconfig).await?;

    let envoy = async {
        match options.purpose {
            Purpose::Traffic => {
                start_envoy(&artifacts, gloo.as_ref(), directory, &places.logs).await.map(Some)
            }
            Purpose::Objects => Ok(None),
        }
    };
    let (control_plane, envoy) = tokio::try_join!(
        start_control_plane(&artifacts, &credentials, &places, options, &client),
        envoy,
    )?;
    let admin = envoy.as_ref().map(|_| Admin::local());
    let mut processes = control_plane;
    processes.extend(envoy);
    let images = match rollouts() {
        Some(_) => Images::stand_in(&http_echo),
        None => Images::standard(&http_echo, &programs::find("petstore")?),
    };
    let node = start_node(&client, images, &places.logs);
    let (node, ()) = tokio::try_join!(node, gloo_system::install(&client, PROXY))?;
    ready::pods_can_run(&client, NODE_NAME).await?;

    let gateway = match &gloo {
        Some(gloo) => {
            processes.push(gloo.start(&places.kubeconfig, &places.logs).await?);
            None
        }
        None => {
            let folder = gateway::folder(directory);
            Some(Gateway::start(client.clone(), admin.clone(), &folder))
        }
    };
    starting.done();

    let mut versions: BTreeMap<String, String> =
        VERSIONS.iter().map(|(part, version)| ((*part).into(), (*version).into())).collect();
    versions.insert("gateway".into(), gloo.map_or("embedded".into(), |gloo| gloo.version));
    let access = Access {
        client,
        kubeconfig: places.kubeconfig,
        outside_kubeconfig: places.outside_kubeconfig,
        kubectl: artifacts.control_plane("kubectl"),
        proxy_url: format!("http://{PROXY}"),
        outside_proxy_url: format!("http://{}", inside.outside_proxy().unwrap_or(PROXY)),
        api: Some(API),
        status: STATUS,
        admin,
        versions,
    };
    Ok((access, Local { node, gateway, processes }))
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

async fn start_envoy(
    artifacts: &Artifacts,
    gloo: Option<&RealGloo>,
    directory: &Path,
    logs: &Path,
) -> Result<Process> {
    let bootstrap = match gloo {
        Some(_) => RealGloo::bootstrap(),
        None => gateway::prepare(&gateway::folder(directory))?,
    };
    envoy::start(artifacts, bootstrap, directory, logs).await
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
