//! A daemon that is killed at each of its calls of the API server in turn, while it carries a change out
//! and while it starts again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::api_proxy::{ApiProxy, Choice, Moment, Request};
use harness::load::Load;
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::sample::{Target, converge};
use harness::status::StatusClient;
use harness::wait::{Seen, until};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use crate::SHUTDOWN;

/// Far longer than any change takes.
const DEADLINE: Duration = Duration::from_secs(120);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");
/// How often the daemon dies again in one change while it starts, each time one call later.
const DEATHS_AT_START: usize = 3;

/// A daemon and everything that it needs, but for the process.
struct Stage<'a> {
    bed: &'a Bed,
    proxy: ApiProxy,
    repository: Repository,
    program: Program,
    status: StatusClient,
}

pub(crate) async fn a_daemon_that_is_killed_at_any_call_goes_on_where_it_was(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(bed, folder.path()).await?;
    let outcome = stage.play().await;
    let log = fs::read_to_string(&stage.program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

impl<'a> Stage<'a> {
    async fn set(bed: &'a Bed, folder: &Path) -> Result<Self> {
        let (account, kubeconfig) = (folder.join("account"), folder.join("kubeconfig"));
        bed.deploy_account(&account).await?;
        let proxy = ApiProxy::start(&account, &kubeconfig).await?;
        let repository = Repository::create(folder, Path::new(EXAMPLE)).await?;
        let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder)
            .arg("run")
            .flag("repo", repository.bare())
            .flag("interval", "200ms")
            .flag("listen", STATUS.to_string())
            .flag("state-dir", folder.join("state"))
            .env("KUBECONFIG", kubeconfig.to_string_lossy());
        let status = StatusClient::new(&format!("http://{STATUS}"))?;
        Ok(Self { bed, proxy, repository, program, status })
    }

    /// One change after the other brings out the other version and takes away the one before, until the
    /// daemon has died at every call of such a change: before the API server saw it, and for writes also
    /// between that and the answer.
    async fn play(&self) -> Result<()> {
        let mut daemon = Process::start(&self.program)?;
        let mut version = "v1";
        self.arrives(&daemon, &self.repository.head().await?, version).await?;
        let echo = Target::new(self.bed.proxy_url(), "/echo");
        let load = Load::start([("echo".to_owned(), echo)], 50)?;
        let (mut deaths, mut at_start) = (0, 0);
        for (moment, fits, least) in CALLS {
            for nth in 1.. {
                version = if version == "v1" { "v2" } else { "v1" };
                let breakpoint = self.proxy.breakpoint(moment, Choice::nth(nth, fits));
                let revision = self.push(version).await?;
                // A late call may stop right when all is done: the daemon lives on then.
                let is_over = tokio::select! {
                    biased;
                    _ = breakpoint.reached() => false,
                    applied = self.applied(&revision) => applied.map(|()| true)?,
                };
                if is_over {
                    ensure!(nth > least, "{version} was brought out with {} calls", nth - 1);
                    break;
                }
                breakpoint.kill(&daemon).await;
                deaths += 1;
                for _ in 0..DEATHS_AT_START {
                    at_start += 1;
                    let breakpoint =
                        self.proxy.breakpoint(Moment::Before, Choice::nth(at_start, any));
                    daemon = Process::start(&self.program)?;
                    tokio::select! {
                        biased;
                        _ = breakpoint.kill(&daemon) => {}
                        applied = self.applied(&revision) => {
                            applied?;
                            daemon.kill();
                            daemon.ended().await;
                            at_start = 0;
                        }
                    }
                }
                daemon = Process::start(&self.program)?;
                self.arrives(&daemon, &revision, version).await?;
            }
        }
        println!("killed at {deaths} calls of a change");
        daemon.stop(SHUTDOWN).await;
        let total = load.stop().await.remove("echo").context("no load")?;
        let first = total.failures.first().map(ToString::to_string).unwrap_or_default();
        ensure!(total.failed == 0, "{} of {} failed: {first}", total.failed, total.requests);
        Ok(())
    }

    /// Nothing but this version: no drain and no other version would hide a step that is taken too soon.
    async fn push(&self, version: &str) -> Result<String> {
        let values = format!(
            "deployment: {{{version}: {{drain: 0s}}}}
routes: {{apiGroup: example, fallback: none, primary: {{version: {version}}}}}
"
        );
        self.repository.write("services/echo.yaml", &values)?;
        self.repository.commit(&format!("Nothing but {version}")).await?;
        Ok(self.repository.push().await?.revision)
    }

    /// Waits until this version answers every request, and nothing is left of the other.
    async fn arrives(&self, daemon: &Process, revision: &str, version: &str) -> Result<()> {
        daemon.alive(self.applied(revision)).await?;
        let name = format!("echo-{version}");
        let echo = Target::new(self.bed.proxy_url(), "/echo");
        converge(&echo, &[name.clone()].into(), DEADLINE).await?;
        let deployments: Api<Deployment> = Api::namespaced(self.bed.client(), "echo");
        let found = deployments.list_metadata(&ListParams::default()).await?;
        let found: BTreeSet<String> = found.iter().map(|found| found.name_any()).collect();
        ensure!(found == [name].into(), "the Deployments of echo are {found:?}");
        Ok(())
    }

    async fn applied(&self, revision: &str) -> Result<()> {
        until(&format!("{revision} to be applied"), DEADLINE, async || {
            match self.status.get().await {
                Err(error) => Seen::from_result(Err(error)),
                Ok(status) => match status.service("echo") {
                    None => Seen::NotYet("the daemon does not know echo".into()),
                    Some(echo) => Seen::when(echo.has_applied(revision), echo.summary()),
                },
            }
        })
        .await
    }
}

type Fits = fn(&Request) -> bool;

/// On which side of which calls the daemon is killed, and how many of them a change has at least.
const CALLS: [(Moment, Fits, usize); 2] =
    [(Moment::Before, any, 8), (Moment::After, Request::is_write, 3)];

fn any(_: &Request) -> bool {
    true
}
