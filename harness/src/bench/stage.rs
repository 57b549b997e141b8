//! What is measured: a bed, a proxy before its API server, and coalmine on a repository.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use super::{
    fleet::{self, Moving},
    options::Options,
};
use crate::{
    Bed, BedOptions, Progress, Purpose,
    api_proxy::{ApiProxy, Mark, Request},
    cargo::{Built, RELEASE},
    namespace::{Inside, STATUS},
    process::{Process, Program},
    repository::Repository,
    webhook::Webhook,
};

/// What the webhook and the daemon both know.
pub(super) const SECRET: &str = "nobody else is in this namespace";
/// The client asks for nothing this long: it has done what there was to do.
pub(super) const QUIET: Duration = Duration::from_secs(2);

/// A bed with a proxy, where clients have not begun.
pub(super) struct Stage {
    pub(super) bed: Bed,
    pub(super) proxy: ApiProxy,
    /// What leads through the proxy.
    pub(super) kubeconfig: PathBuf,
    pub(super) folder: PathBuf,
    /// The daemon's program.
    coalmine: PathBuf,
}

/// What a daemon on a stage looks after.
pub(super) struct Followed {
    pub(super) repository: Repository,
    pub(super) services: u16,
    pub(super) moving: Moving,
    pub(super) webhook: Webhook,
    pub(super) begun: Instant,
    /// How many weights were pushed.
    pub(super) pushes: usize,
}

impl Stage {
    pub(super) async fn set(inside: Inside, purpose: Purpose) -> Result<Self> {
        let options = BedOptions { purpose, ..BedOptions::new(inside) };
        let bed = Bed::start(options, &Progress::quiet()).await?;
        let folder = bed.directory().join("bench");
        fs::create_dir_all(&folder)?;
        let kubeconfig = folder.join("kubeconfig");
        let account = folder.join("account");
        bed.deploy_account(&account).await?;
        settled(&bed.client()).await?;
        let proxy = ApiProxy::start(&account, &kubeconfig).await?;
        let coalmine = Built::this_program()?.program("coalmine", RELEASE);
        Ok(Self { bed, proxy, kubeconfig, folder, coalmine })
    }

    /// A folder with so many services.
    pub(super) fn content(&self, services: u16) -> Result<PathBuf> {
        let content = self.folder.join("content");
        fleet::write(&content, services)?;
        Ok(content)
    }

    /// Starts coalmine on a new repository with these services.
    pub(super) async fn follow(
        &self,
        options: &Options,
        services: u16,
        content: &Path,
    ) -> Result<(Process, Followed)> {
        let repository = Repository::create(&self.folder, content).await?;
        let webhook = Webhook::new(&format!("http://{STATUS}"), SECRET)?;
        let program = self.daemon(options, &repository)?;
        let begun = Instant::now();
        let process = Process::start(&program)?;
        Ok((
            process,
            Followed {
                repository,
                services,
                moving: Moving::among(services),
                webhook,
                begun,
                pushes: 0,
            },
        ))
    }

    /// The daemon that follows this repository and hears of pushes by webhooks with [`SECRET`].
    pub(super) fn daemon(&self, options: &Options, repository: &Repository) -> Result<Program> {
        let secret = self.folder.join("secret");
        fs::write(&secret, SECRET)?;
        let program = Program::new("coalmine", &self.coalmine, &self.folder)
            .arg("run")
            .flag("repo", repository.bare())
            .flag("interval", &options.interval)
            .flag("listen", STATUS.to_string())
            .flag("state-dir", self.folder.join("state"))
            .flag("webhook-secret-file", &secret)
            .args(&options.with)
            .env("KUBECONFIG", self.kubeconfig.to_string_lossy());
        let metrics = self.bed.proxy_metrics();
        Ok(metrics.fold(program, |program, at| program.flag("proxy-metrics", at)))
    }

    /// What the tree becomes, and as YAML.
    pub(super) fn rendered(&self, tree: &Path) -> Result<(fleet::Objects, String)> {
        let text = fleet::render(&self.coalmine, tree)?;
        Ok((fleet::objects(&text)?, text))
    }

    /// Whether the figures are worth anything.
    ///
    /// # Errors
    /// A part of the bed has ended meanwhile.
    pub(super) fn intact(&self) -> Result<()> {
        self.bed.failure().now_or_never().map_or(Ok(()), Err)
    }

    pub(super) async fn clear(self) -> Result<()> {
        let Self { bed, proxy, .. } = self;
        drop(proxy);
        bed.stop().await.context("cannot stop the bed")
    }
}

/// Waits until the kinds of Gloo are as old as the API server wants them: until then each creation in
/// one of them takes it this long (`customresource_handler.go`, for the sake of its replicas). A cluster
/// in use has that behind it.
async fn settled(client: &Client) -> Result<()> {
    const NEW: Duration = Duration::from_secs(2);
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    for definition in api.list(&ListParams::default()).await? {
        let conditions = definition.data["status"]["conditions"].as_array();
        let times =
            conditions.into_iter().flatten().filter_map(|it| it["lastTransitionTime"].as_str());
        for time in times {
            let age = jiff::Timestamp::now().duration_since(time.parse()?);
            tokio::time::sleep(NEW.saturating_sub(age.try_into().unwrap_or_default())).await;
        }
    }
    Ok(())
}

/// Waits until the client behind this proxy has asked for no object for a while; gives when it last did,
/// and whether that was its last word or the time was up.
pub(super) async fn quiet(
    proxy: &ApiProxy,
    since: Mark,
    deadline: Duration,
) -> (Option<Instant>, bool) {
    let end = Instant::now() + deadline;
    let begun = Instant::now();
    loop {
        let last = proxy.latest(since, Request::is_about_objects);
        if last.unwrap_or(begun).elapsed() >= QUIET {
            return (last, true);
        }
        if Instant::now() >= end {
            return (last, false);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
