//! Two daemons as `deploy/base` starts them, one of which dies again and again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::load::Load;
use harness::notifications::Notifications;
use harness::process::{Process, Program};
use harness::repository::{BRANCH, Repository};
use harness::sample::Target;
use harness::status::StatusClient;
use harness::wait::{Seen, until};
use harness::webhook::Webhook;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::Value;
use tempfile::TempDir;

use crate::{SHUTDOWN, kustomize};

/// Far longer than any hand-over, also on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(180);
const ROUNDS: u8 = 3;
const SECRET: &str = "known to the git server and the daemon";
/// How often a daemon looks at the repository.
const OFTEN: [(&str, &str); 1] = [("interval", "200ms")];
const SELDOM: [(&str, &str); 1] = [("interval", "1h")];
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");

/// A daemon as the Deployment starts it, on this machine.
struct Replica {
    process: Process,
    status: StatusClient,
    url: String,
    log: PathBuf,
}

/// How long it took is printed, not judged: that is the machine's affair.
pub(crate) async fn a_push_is_applied_although_the_daemon_that_leads_is_killed(
    bed: &Bed,
) -> Result<()> {
    let (folder, account, repository) = scene(bed).await?;
    let first = repository.head().await?;
    let start =
        |number| Replica::start(bed, folder.path(), &account, repository.bare(), number, &OFTEN);

    let mut leader = start(0)?;
    leader.applied(&first).await?;
    // From now on a push changes routes and nothing that would have to become ready.
    let second = push(&repository, 1).await?;
    leader.applied(&second).await?;
    let echo = Target::new(bed.proxy_url(), "/echo");
    harness::sample::converge(
        &echo,
        &["echo-v1".to_owned(), "echo-v2".to_owned()].into(),
        DEADLINE,
    )
    .await?;
    let load = Load::start([("echo".to_owned(), echo)], 50)?;
    for round in 1..=ROUNDS {
        let standby = start(round)?;
        standby.set_standby().await?;
        let revision = push(&repository, 10 * round).await?;
        let end = Instant::now();
        leader.process.kill();
        standby.applied(&revision).await?;
        let length = end.elapsed().as_millis();
        println!(
            "what was pushed right before the leader was killed was applied {length} ms later"
        );
        let holder = holder(bed).await?.context("nobody has the Lease")?;
        ensure!(standby.has_led_as(&holder), "the Lease is still the dead one's");
        leader = standby;
    }
    leader.process.stop(SHUTDOWN).await;
    let total = load.stop().await.remove("echo").context("no load")?;
    ensure!(total.failed == 0, "{} of {} requests failed", total.failed, total.requests);
    Ok(())
}

/// Neither of the two would look at the repository for a long time. On a busy machine the standby may lead by
/// then; whoever does not lead applies nothing.
pub(crate) async fn a_push_that_is_told_to_the_standby_is_applied_by_the_one_that_leads(
    bed: &Bed,
) -> Result<()> {
    let (folder, account, repository) = scene(bed).await?;
    let start =
        |number| Replica::start(bed, folder.path(), &account, repository.bare(), number, &SELDOM);
    let leader = start(0)?;
    leader.applied(&repository.head().await?).await?;
    let standby = start(1)?;
    standby.set_standby().await?;
    let revision = push(&repository, 0).await?;
    Webhook::new(&standby.url, SECRET)?.announce(BRANCH).await?;
    tokio::select! {
        applied = leader.applied(&revision) => applied?,
        applied = standby.applied(&revision) => applied?,
    }
    leader.process.stop(SHUTDOWN).await;
    standby.process.stop(SHUTDOWN).await;
    Ok(())
}

/// What it applied last is older than what the other one did.
pub(crate) async fn a_replica_that_cannot_reach_the_source_goes_back_to_no_older_commit(
    bed: &Bed,
) -> Result<()> {
    let (folder, account, repository) = scene(bed).await?;
    let start =
        |number| Replica::start(bed, folder.path(), &account, repository.bare(), number, &OFTEN);
    let behind = start(0)?;
    behind.applied(&repository.head().await?).await?;
    behind.process.stop(SHUTDOWN).await;
    let ahead = start(1)?;
    let revision = push(&repository, 0).await?;
    ahead.applied(&revision).await?;
    let before = holder(bed).await?;
    fs::rename(repository.bare(), folder.path().join("away.git"))?;
    ahead.process.kill();

    let behind = start(0)?;
    let seen = until("the other one to lead without anything to do", DEADLINE, async || {
        let log = fs::read_to_string(&behind.log).unwrap_or_default();
        let leads = holder(bed).await.is_ok_and(|holder| holder.is_some() && holder != before);
        let waits = log.contains(&format!("the replica that led last was at {revision}"));
        Seen::when(leads && waits, log)
    });
    behind.process.alive(seen).await?;
    let deployments: Api<Deployment> = Api::namespaced(bed.client(), "echo");
    ensure!(deployments.get_opt("echo-v2").await?.is_some(), "the newer commit was undone");
    behind.process.stop(SHUTDOWN).await;
    Ok(())
}

/// Neither finds the other's files. The first one is killed as soon as somebody has heard of the rollout,
/// which may be at its first step: "progressing to" ends with the same words as the step itself.
pub(crate) async fn a_rollout_is_one_message_also_of_the_daemon_that_leads_next(
    bed: &Bed,
) -> Result<()> {
    let (folder, account, repository) = scene(bed).await?;
    let notifications = Notifications::listen().await?;
    let with = [OFTEN[0], ("notify-url", notifications.url())];
    let start =
        |number| Replica::start(bed, folder.path(), &account, repository.bare(), number, &with);
    let told = async |words: &str| {
        until(&format!("one message that ends with {words}"), DEADLINE, async || {
            let messages = notifications.of_service("echo");
            let text = |message: &Value| message["text"].as_str().unwrap_or_default().to_owned();
            let ends = messages.iter().any(|message| text(message).ends_with(words));
            Seen::when(ends && messages.len() == 1, format!("{messages:#?}"))
        })
        .await
    };
    let leader = start(0)?;
    leader.applied(&repository.head().await?).await?;
    let begun = push(&repository, 50).await?;
    told(&format!("Shifting, v1 50 %, v2 50 % (commit {})", &begun[..7])).await?;
    leader.process.kill();

    let next = start(1)?;
    repository.write("services/echo.yaml", STABLE)?;
    repository.commit("Nothing but v1").await?;
    let ended = repository.push().await?.revision;
    next.process.alive(told(&format!("Stable, v1 100 % (commit {})\ndone", &ended[..7]))).await?;
    let timeline = until("the timeline of echo", DEADLINE, async || {
        Seen::from_result(next.status.timeline("echo").await)
    })
    .await?;
    let told: Vec<_> = timeline.iter().map(|step| (&step.revision, &step.phase)).collect();
    let phases = [(&begun, &Some("Shifting".to_owned())), (&ended, &Some("Stable".to_owned()))];
    ensure!(told == phases, "it does not know what was before it: {timeline:#?}");
    next.process.stop(SHUTDOWN).await;
    Ok(())
}

/// A folder for both, with the account that they have and the repository that they follow.
async fn scene(bed: &Bed) -> Result<(TempDir, PathBuf, Repository)> {
    let folder = tempfile::tempdir()?;
    let account = folder.path().join("account");
    bed.deploy_account(&account).await?;
    let repository = Repository::create(folder.path(), Path::new(EXAMPLE)).await?;
    Ok((folder, account, repository))
}

impl Replica {
    /// With the arguments of `deploy/base`; only what belongs to the machine is another's.
    fn start(
        bed: &Bed,
        folder: &Path,
        account: &Path,
        repository: &Path,
        number: u8,
        with: &[(&str, &str)],
    ) -> Result<Self> {
        let objects = kustomize(bed, "base")?;
        let mut objects = objects.split("\n---\n").map(serde_yaml::from_str::<Value>);
        let deployment = objects
            .find(|object| object.as_ref().is_ok_and(|object| object["kind"] == "Deployment"));
        let deployment = deployment.context("deploy/base has no Deployment")??;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let listen = format!("127.0.0.1:{}", 18_081 + u16::from(number));
        let state = folder.join(format!("state-{number}"));
        let here = |argument: &str| {
            let argument = argument.replace("$(REPOSITORY)", &repository.to_string_lossy());
            let argument = argument.replace("0.0.0.0:8081", &listen);
            argument.replace("=/state", &format!("={}", state.display()))
        };
        let arguments = container["args"].as_array().context("no arguments")?;
        let arguments = arguments.iter().filter_map(Value::as_str).map(here);
        let name = format!("coalmine-{number}");
        let secret = folder.join("webhook-secret");
        fs::write(&secret, SECRET)?;
        let program = Program::new(&name, env!("CARGO_BIN_EXE_coalmine"), folder)
            .args(arguments)
            .flag("webhook-secret-file", &secret)
            .flag("lease-namespace", "coalmine")
            .env("KUBECONFIG", account.to_string_lossy());
        let program =
            with.iter().fold(program, |program, (name, value)| program.flag(name, *value));
        let url = format!("http://{listen}");
        let status = StatusClient::new(&url)?;
        Ok(Self { process: Process::start(&program)?, status, url, log: program.log })
    }

    /// Waits until it has carried out this revision.
    async fn applied(&self, revision: &str) -> Result<()> {
        let what = format!("{revision} to be applied");
        let seen = until(&what, DEADLINE, async || match self.status.get().await {
            Err(error) => Seen::from_result(Err(error)),
            Ok(status) => match status.service("echo") {
                None => Seen::NotYet("the daemon does not know echo".into()),
                Some(echo) => Seen::when(echo.has_applied(revision), echo.summary()),
            },
        });
        self.process.alive(seen).await
    }

    /// Whether it says that it has led with this identity in the Lease.
    fn has_led_as(&self, holder: &str) -> bool {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .any(|line| line["message"] == "leading" && line["identity"] == holder)
    }

    /// Waits until it is ready to take over.
    async fn set_standby(&self) -> Result<()> {
        let seen = until("the standby to be ready", DEADLINE, async || {
            Seen::from_result(self.status.ready().await)
        });
        let ready = self.process.alive(seen).await;
        ready.with_context(|| fs::read_to_string(&self.log).unwrap_or_default())
    }
}

async fn holder(bed: &Bed) -> Result<Option<String>> {
    let leases: Api<Lease> = Api::namespaced(bed.client(), "coalmine");
    let lease = leases.get("coalmine-default").await?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity))
}

const STABLE: &str = "deployment: {v1: {}}\nroutes: {apiGroup: example, primary: {version: v1}}\n";

async fn push(repository: &Repository, weight: u8) -> Result<String> {
    let values = format!(
        "deployment: {{v1: {{}}, v2: {{}}}}
routes:
  apiGroup: example
  primary: {{version: v1}}
  canary: {{version: v2, weight: {weight}}}
"
    );
    repository.write("services/echo.yaml", &values)?;
    repository.commit(&format!("{weight} % for v2")).await?;
    Ok(repository.push().await?.revision)
}
