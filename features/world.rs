//! What a scenario has in hand. No logic: that is in the steps and in the harness.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use cucumber::event::ScenarioFinished;
use harness::Bed;
use harness::api_proxy::{Altered, ApiProxy, Withheld};
use harness::issuer::Issuer;
use harness::load::{Load, Total};
use harness::notifications::Notifications;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::sample::Target;
use harness::status::StatusClient;
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use crate::evidence;
use crate::flaw::{self, Tampered};
use crate::steps::{Company, Statistics, Walk};

/// How long the daemon gets to stop in order.
const SHUTDOWN: Duration = Duration::from_secs(15);
/// How often the daemon looks at the repository in scenarios.
const INTERVAL: &str = "200ms";

/// The bed that all scenarios share, one after the other.
static BED: Mutex<Option<Arc<Bed>>> = Mutex::new(None);

/// One scenario's world.
#[derive(Debug, cucumber::World)]
#[world(init = Self::new)]
pub(crate) struct World {
    /// Files of this scenario.
    pub(crate) directory: TempDir,
    /// The repository that people push to.
    pub(crate) repository: Option<Repository>,
    /// The daemon and its status.
    pub(crate) daemon: Option<Daemon>,
    /// The newest pushed revision.
    pub(crate) pushed: Option<String>,
    /// The message of the last commit of the daemon that a step waited for.
    pub(crate) message: String,
    /// The daemon's way to the statistics of the proxies.
    pub(crate) statistics: Option<Statistics>,
    /// How many pushes were reverted.
    pub(crate) reverted: usize,
    /// Services of somebody's repository, by name, and between which versions they go.
    pub(crate) walks: BTreeMap<String, Walk>,
    /// What was seen to be answered by nobody.
    pub(crate) refused: Vec<Target>,
    /// Who issues tokens.
    pub(crate) issuer: Option<Issuer>,
    /// Constant loads.
    pub(crate) loads: Vec<Load>,
    /// What those met that have ended in order, by their names.
    pub(crate) ended_loads: Vec<(String, Total)>,
    /// How the last command of the command line ended.
    pub(crate) ended: Option<Output>,
    /// Who keeps changing what the daemon repairs.
    pub(crate) rivals: Vec<AbortOnDropHandle<()>>,
    /// Further flags of the daemon, as `(name, value)`.
    pub(crate) flags: Vec<(&'static str, String)>,
    /// Who gets notifications.
    pub(crate) notifications: Option<Notifications>,
    /// A proxy on the daemon's way to the API server, what it keeps from the daemon, and what it changes.
    pub(crate) proxy: Option<ApiProxy>,
    pub(crate) withheld: Option<Withheld>,
    pub(crate) altered: Option<Altered>,
    /// What is wrong on purpose on that way.
    pub(crate) tampered: Option<Tampered>,
    /// The certificate of the ssl Gateway, in PEM.
    pub(crate) certificate: Option<String>,
    /// What others have on the cluster.
    pub(crate) company: Company,
    /// The way to an API server that was down at first.
    pub(crate) way: Option<AbortOnDropHandle<()>>,
}

/// A running `coalmine run`.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// The process.
    pub(crate) process: Process,
    /// Its status endpoint.
    pub(crate) status: StatusClient,
}

impl World {
    fn new() -> Result<Self> {
        Ok(Self {
            directory: tempfile::tempdir()?,
            repository: None,
            daemon: None,
            pushed: None,
            message: String::new(),
            statistics: None,
            reverted: 0,
            walks: BTreeMap::new(),
            refused: Vec::new(),
            issuer: None,
            loads: Vec::new(),
            ended_loads: Vec::new(),
            ended: None,
            rivals: Vec::new(),
            flags: Vec::new(),
            notifications: None,
            proxy: None,
            withheld: None,
            altered: None,
            tampered: None,
            certificate: None,
            company: Company::default(),
            way: None,
        })
    }

    /// Gives the scenario a gateway without routes.
    pub(crate) async fn begin(&mut self) {
        bed().reset().await.expect("the bed can be reset");
    }

    /// Starts the daemon on a repository, with the rights it has where it is deployed.
    pub(crate) async fn follow(&mut self, repository: Repository) -> Result<()> {
        let account = self.account().await?;
        self.follow_with(repository, &account).await
    }

    /// A kubeconfig for the account that `deploy/base` makes for the daemon.
    pub(crate) async fn account(&self) -> Result<PathBuf> {
        let kubeconfig = self.directory.path().join("account");
        bed().deploy_account(&kubeconfig).await?;
        Ok(kubeconfig)
    }

    /// The same, with another way to the API server.
    pub(crate) async fn follow_with(
        &mut self,
        repository: Repository,
        kubeconfig: &Path,
    ) -> Result<()> {
        let log = self.directory.path();
        let mut kubeconfig = kubeconfig.to_owned();
        if let Some((tampered, through_it)) = flaw::tamper(&kubeconfig, log).await? {
            (self.tampered, kubeconfig) = (Some(tampered), through_it);
        }
        let status = bed().status_address();
        let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), log)
            .arg("run")
            .flag("repo", repository.bare())
            .flag("interval", INTERVAL)
            .flag("listen", status.to_string())
            .flag("state-dir", log.join("state"))
            .env("KUBECONFIG", kubeconfig.to_string_lossy());
        // A scenario may have another way to those of a gateway.
        let kind = |at: &str| at.split('=').next().map(str::to_owned);
        let is_given = |at: &String| {
            let mut given = self.flags.iter().filter(|(name, _)| *name == "proxy-metrics");
            given.any(|(_, value)| kind(value) == kind(at))
        };
        let program = bed()
            .proxy_metrics()
            .filter(|at| !is_given(at))
            .fold(program, |program, at| program.flag("proxy-metrics", at));
        let flags = flaw::flags(self.flags.clone()).into_iter();
        let program = flags.fold(program, |program, (name, value)| program.flag(name, value));
        let process = Process::start(&program)?;
        self.daemon =
            Some(Daemon { process, status: StatusClient::new(&format!("http://{status}"))? });
        self.repository = Some(repository);
        Ok(())
    }

    /// The repository that people push to.
    pub(crate) fn repository(&self) -> Result<&Repository> {
        self.repository.as_ref().context("no step has made a repository")
    }

    /// The newest pushed revision.
    pub(crate) fn pushed(&self) -> Result<&str> {
        self.pushed.as_deref().context("no step has pushed anything")
    }

    /// The running daemon.
    pub(crate) fn daemon(&self) -> Result<&Daemon> {
        self.daemon.as_ref().context("no step has started coalmine")
    }
}

/// Makes the bed known to all scenarios.
pub(crate) fn lend(bed: Bed) {
    *BED.lock().expect("no scenario panics with the lock") = Some(Arc::new(bed));
}

/// The bed.
pub(crate) fn bed() -> Arc<Bed> {
    let bed = BED.lock().expect("no scenario panics with the lock");
    bed.clone().expect("the bed is lent before the first scenario")
}

/// Where requests are sent to.
pub(crate) fn proxy_url() -> String {
    flaw::front().unwrap_or_else(|| bed().proxy_url().to_owned())
}

/// The bed, when no scenario uses it any more.
pub(crate) fn take_back() -> Result<Bed> {
    let bed = BED.lock().expect("no scenario panics with the lock").take();
    bed.and_then(Arc::into_inner).context("a scenario still holds the bed")
}

/// Ends what the scenario started, and shows what is needed to understand a failure.
pub(crate) async fn end(scenario: &str, ended: &ScenarioFinished, world: Option<&mut World>) {
    let Some(world) = world else { return };
    world.rivals.clear();
    let is_unexpected = matches!(ended, ScenarioFinished::StepFailed(..)) && !flaw::is_active();
    if is_unexpected {
        match evidence::collect(scenario, world).await {
            Ok(folder) => eprintln!("what there was to see is in {}", folder.display()),
            Err(error) => eprintln!("what there was to see is lost: {error:#}"),
        }
    }
    for load in world.loads.drain(..) {
        load.stop().await;
    }
    if let Some(daemon) = world.daemon.take() {
        daemon.process.stop(SHUTDOWN).await;
    }
}
