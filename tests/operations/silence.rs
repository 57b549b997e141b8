//! An API server that does not answer, has too much to do, or no longer tells what happens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::api_proxy::{ApiProxy, Choice, Fault, Injected, Peer, Request, Verb};
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::status::StatusClient;
use harness::wait::{Seen, until};

use crate::SHUTDOWN;

/// Far longer than the 30 s after which a request counts as unanswered, and what follows from that.
const DEADLINE: Duration = Duration::from_secs(300);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");

/// A daemon behind a proxy.
struct Stage {
    proxy: ApiProxy,
    repository: Repository,
    status: StatusClient,
    process: Process,
    round: u32,
}

pub(crate) async fn a_silent_or_busy_api_server_is_told_and_holds_up_nobody_else(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (account, kubeconfig) = (folder.path().join("account"), folder.path().join("kubeconfig"));
    bed.deploy_account(&account).await?;
    let proxy = ApiProxy::start(&account, &kubeconfig).await?;
    let repository = Repository::create(folder.path(), Path::new(EXAMPLE)).await?;
    let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder.path())
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "200ms")
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.path().join("state"))
        .env("KUBECONFIG", kubeconfig.to_string_lossy());
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let process = Process::start(&program)?;
    let mut stage = Stage { proxy, repository, status, process, round: 0 };
    let outcome = stage.play().await;
    stage.process.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

impl Stage {
    async fn play(&mut self) -> Result<()> {
        let first = self.repository.head().await?;
        self.applied("echo", &first).await?;
        self.applied("foxtrot", &first).await?;
        // What was never carried out is told. Of what was, the daemon finds out by itself.
        let silent = self.inject(Fault::Silent);
        self.push("echo").await?;
        self.says("echo", "no answer from the API server for 30 s").await?;
        let newest = self.push("foxtrot").await?;
        self.applied("foxtrot", &newest).await.context("while echo waits")?;
        drop(silent);
        self.applied("echo", &newest).await.context("after the silence")?;
        for fault in [Fault::AnswerWithheld, Fault::SlowBody] {
            let injected = self.inject(fault);
            let revision = self.push("echo").await?;
            self.applied("echo", &revision).await.with_context(|| format!("{fault:?}"))?;
            ensure!(injected.times() > 0, "{fault:?} befell nobody");
        }
        // Complete lists are ten minutes apart: these have to be noticed for themselves.
        let is_watch = |request: &Request| request.verb == Verb::Watch;
        let silent = self.proxy.silence(is_watch);
        self.pushed().await.context("all watches are silent")?;
        drop(silent);
        for peer in [Peer::Gone, Peer::Stuck] {
            let _half_open = self.proxy.half_open(peer, |_| true)?;
            self.pushed()
                .await
                .with_context(|| format!("all connections are half open: {peer:?}"))?;
        }
        let _busy = self.inject(Fault::TurnedAway(Some(3600)));
        self.push("echo").await?;
        self.says("echo", "too many requests").await?;
        // The server wanted an hour, and gets it.
        let mark = self.proxy.mark();
        self.push("foxtrot").await?;
        self.says("foxtrot", "asks to be left alone").await?;
        let is_asked =
            |request: &Request| request.verb != Verb::Watch && request.resource.is_some();
        let asked = self.proxy.since(mark).into_iter().map(|exchange| exchange.request);
        let asked: Vec<_> = asked.filter(is_asked).collect();
        ensure!(asked.is_empty(), "{asked:?}");
        Ok(())
    }

    /// A change, whose pods the daemon has to see before it is applied.
    async fn pushed(&mut self) -> Result<()> {
        let revision = self.push("echo").await?;
        self.applied("echo", &revision).await
    }

    /// Befalls every write of echo's Deployment.
    fn inject(&self, fault: Fault) -> Injected {
        let chosen = Choice::every(|request: &Request| {
            let resource = request.resource.as_ref();
            let name = resource.and_then(|it| it.name.as_deref()).unwrap_or_default();
            request.is_write() && request.is_about("deployments") && name.starts_with("echo")
        });
        self.proxy.inject(chosen, fault)
    }

    /// Changes a service's Deployment.
    async fn push(&mut self, service: &str) -> Result<String> {
        self.round += 1;
        let values = format!(
            "deployment: {{v1: {{labels: {{round: \"{}\"}}}}}}\n\
             routes: {{apiGroup: example, primary: {{version: v1}}}}\n",
            self.round
        );
        self.repository.write(&format!("services/{service}.yaml"), &values)?;
        self.repository.commit(&format!("Round {}", self.round)).await?;
        Ok(self.repository.push().await?.revision)
    }

    async fn applied(&self, service: &str, revision: &str) -> Result<()> {
        self.seen(service, |it| it.has_applied(revision)).await
    }

    async fn says(&self, service: &str, words: &str) -> Result<()> {
        self.seen(service, |it| it.reason.contains(words)).await
    }

    async fn seen(
        &self,
        service: &str,
        is_so: impl Fn(&harness::status::Service) -> bool,
    ) -> Result<()> {
        let what = format!("{service} to be so");
        let seen = until(&what, DEADLINE, async || match self.status.get().await {
            Err(error) => Seen::from_result(Err(error)),
            Ok(status) => match status.service(service) {
                None => Seen::NotYet(format!("the daemon does not know {service}")),
                Some(found) => Seen::when(is_so(found), found.summary()),
            },
        });
        self.process.alive(seen).await
    }
}
