//! Everything that can go wrong between the daemon and the API server, in an order left to chance and two things at a
//! time, while changes are pushed and the daemon is killed. `PROPTEST_RNG_SEED` makes it another order.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use harness::Bed;
use harness::api_proxy::{ApiProxy, Backup, Choice, Moment, Request};
use harness::load::Load;
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::sample::Target;
use harness::status::StatusClient;
use harness::wait::{Seen, until};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::trouble::{LONGEST, Trouble};
use crate::{SHUTDOWN, kubectl};

/// Far longer than the silence that a daemon takes for one, the lists that it makes anew, and what follows from them.
const DEADLINE: Duration = Duration::from_secs(300);
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");
/// Troubles at the same time.
const AT_ONCE: usize = 2;
/// What goes back when the store is restored.
const COLLECTIONS: [&str; 4] = [
    "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io/managed-by%3Dcoalmine",
    "/api/v1/services?labelSelector=app.kubernetes.io/managed-by%3Dcoalmine",
    "/apis/gloo.solo.io/v1/upstreams?labelSelector=app.kubernetes.io/managed-by%3Dcoalmine",
    "/apis/gateway.solo.io/v1/routetables?labelSelector=app.kubernetes.io/managed-by%3Dcoalmine",
];
/// An object of somebody else's in the namespace of a service.
const FOREIGN: &str = "apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: legacy, namespace: echo, labels: {apiGroup: legacy}}
spec: {routes: [{matchers: [{prefix: /legacy}], directResponseAction: {status: 200}}]}
";

struct Stage<'a> {
    bed: &'a Bed,
    proxy: ApiProxy,
    repository: Repository,
    program: Program,
    status: StatusClient,
    daemon: Process,
    random: Rng,
    round: u8,
}

pub(crate) async fn the_promises_hold_whatever_fails_between_the_daemon_and_the_api_server(
    bed: &Bed,
) -> Result<()> {
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(1);
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(bed, folder.path(), seed).await?;
    let outcome = stage.play().await;
    stage.daemon.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&stage.program.log).unwrap_or_default();
    outcome.with_context(|| format!("seed {seed}; the daemon's log:\n{log}"))
}

impl<'a> Stage<'a> {
    async fn set(bed: &'a Bed, folder: &Path, seed: u64) -> Result<Self> {
        let (account, kubeconfig) = (folder.join("account"), folder.join("kubeconfig"));
        bed.deploy_account(&account).await?;
        let proxy = ApiProxy::start(&account, &kubeconfig).await?;
        let repository = Repository::create(folder, Path::new(EXAMPLE)).await?;
        let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder)
            .arg("run")
            .flag("repo", repository.bare())
            .flag("interval", "200ms")
            // What a store that went back holds shows with the next complete list.
            .flag("schedule", "15s")
            .flag("listen", STATUS.to_string())
            .flag("state-dir", folder.join("state"))
            .env("KUBECONFIG", kubeconfig.to_string_lossy());
        let status = StatusClient::new(&format!("http://{STATUS}"))?;
        let daemon = Process::start(&program)?;
        let random = Rng::with_seed(seed);
        Ok(Self { bed, proxy, repository, program, status, daemon, random, round: 0 })
    }

    async fn play(&mut self) -> Result<()> {
        let first = self.push().await?;
        self.arrives(&first).await.context("before any trouble")?;
        kubectl(self.bed, &["apply", "--server-side", "--filename=-"], FOREIGN)?;
        let foreign = self.foreign()?;
        let mut backup = self.proxy.backup(&self.bed.client(), &COLLECTIONS).await?;
        let echo = Target::new(self.bed.proxy_url(), "/echo");
        let load = Load::start([("echo".to_owned(), echo)], 50)?;
        let mut troubles = Trouble::ALL;
        self.random.shuffle(&mut troubles);
        for troubles in troubles.chunks(AT_ONCE) {
            let is_killed = self.random.bool();
            println!("{troubles:?}{}", if is_killed { ", killed" } else { "" });
            let next = self.proxy.backup(&self.bed.client(), &COLLECTIONS).await?;
            let played = self.suffer(troubles, &backup, is_killed).await;
            played.with_context(|| format!("{troubles:?}, killed: {is_killed}"))?;
            backup = next;
            ensure!(self.foreign()? == foreign, "{troubles:?}: the object of others has changed");
        }
        let total = load.stop().await.remove("echo").context("no load")?;
        let first = total.failures.first().map(ToString::to_string).unwrap_or_default();
        ensure!(total.failed == 0, "{} of {} failed: {first}", total.failed, total.requests);
        Ok(())
    }

    /// A push in the middle of some troubles, or before a store is restored, and what it comes to when they are over.
    async fn suffer(
        &mut self,
        troubles: &[Trouble],
        backup: &Backup,
        is_killed: bool,
    ) -> Result<()> {
        // A push would have the objects written again that a restored store brings back: it comes before.
        let is_restored = troubles.iter().any(|it| matches!(it, Trouble::Restored(_)));
        let before = if is_restored { Some(self.push().await?) } else { None };
        if let Some(revision) = &before {
            self.arrives(revision).await.context("before the store is restored")?;
        }
        let mut begun = Vec::new();
        for trouble in troubles {
            let it = trouble.begin(self.bed, &self.proxy, backup, &mut self.random).await?;
            begun.push(it);
        }
        let revision = match before {
            Some(revision) => revision,
            None => self.push().await?,
        };
        let lasts = LONGEST.mul_f64(self.random.f64());
        if is_killed {
            let nth = Choice::nth(self.random.usize(1..12), |_: &Request| true);
            let moment = if self.random.bool() { Moment::Before } else { Moment::After };
            let breakpoint = self.proxy.breakpoint(moment, nth);
            if timeout(lasts, breakpoint.reached()).await.is_err() {
                // It asks for nothing: then it dies of something else.
                self.daemon.kill();
                self.daemon.ended().await;
                drop(breakpoint);
            } else {
                breakpoint.kill(&self.daemon).await;
            }
            // A child that it had just forked has its sockets for a moment more.
            until("the port of the killed daemon free", SHUTDOWN, async || {
                Seen::from_result(TcpListener::bind(STATUS).await.map(drop))
            })
            .await?;
            self.daemon = Process::start(&self.program)?;
        } else {
            tokio::time::sleep(lasts).await;
        }
        // What does not end by itself goes on until the daemon has found its way round it.
        let _lasting: Vec<_> = begun.into_iter().filter_map(|begun| begun.end()).collect();
        self.arrives(&revision).await
    }

    /// Changes the routes of one service, and the Deployments of another.
    async fn push(&mut self) -> Result<String> {
        self.round += 1;
        let round = self.round;
        let echo = format!(
            "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: example, primary: {{version: v1}}, \
             canary: {{version: v2, weight: {round}}}}}\n"
        );
        let v2 = if round.is_multiple_of(2) { ", v2: {replicas: 0}" } else { "" };
        let foxtrot = format!(
            "deployment: {{v1: {{labels: {{round: \"{round}\"}}}}{v2}}}\nroutes: {{apiGroup: example, \
             primary: {{version: v1}}}}\n"
        );
        self.repository.write("services/echo.yaml", &echo)?;
        self.repository.write("services/foxtrot.yaml", &foxtrot)?;
        self.repository.commit(&format!("Round {round}")).await?;
        Ok(self.repository.push().await?.revision)
    }

    /// Waits until the cluster is as the repository says and the daemon says so too.
    async fn arrives(&self, revision: &str) -> Result<()> {
        let what = format!("{revision} to be applied");
        let seen = until(&what, DEADLINE, async || {
            let difference = match self.difference().await {
                Ok(difference) => difference,
                Err(error) => return Seen::from_result(Err(error)),
            };
            if !difference.is_empty() {
                return Seen::NotYet(difference);
            }
            match self.status.get().await {
                Err(error) => Seen::from_result(Err(error)),
                Ok(status) => {
                    let services = ["echo", "foxtrot"].map(|name| status.service(name).cloned());
                    let wrong = services.iter().find(|service| {
                        !service.as_ref().is_some_and(|service| service.has_applied(revision))
                    });
                    let words = wrong.map(|it| it.as_ref().map(|service| service.summary()));
                    Seen::when(wrong.is_none(), format!("{words:?}"))
                }
            }
        });
        self.daemon.alive(seen).await
    }

    /// What the cluster has that the repository does not want, and the other way round; without the daemon.
    async fn difference(&self) -> Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.arg("diff").arg(self.repository.clone_directory());
        command.env("KUBECONFIG", self.bed.kubeconfig());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.code() {
            Some(0) => Ok(String::new()),
            Some(2) => Ok(text(&output.stdout)),
            _ => bail!("coalmine diff: {}", text(&output.stderr)),
        }
    }

    fn foreign(&self) -> Result<Value> {
        let arguments = ["get", "routetable", "legacy", "-n", "echo", "-o", "json"];
        let mut object: Value = serde_json::from_str(&kubectl(self.bed, &arguments, "")?)?;
        // Gloo judges it.
        object.as_object_mut().context("no object")?.remove("status");
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        for field in ["resourceVersion", "generation", "managedFields"] {
            metadata.remove(field);
        }
        Ok(object)
    }
}
