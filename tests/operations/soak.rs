//! A daemon that reconciles again and again holds no more in the end than in the beginning. The long run of this kind is
//! `cargo bench-all --measure=soak`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::Bed;
use harness::bench::soak::{Settings, Subject};
use harness::namespace::STATUS;
use harness::process::{Process, Program};
use harness::repository::Repository;
use harness::status::StatusClient;
use harness::wait::{Seen, until};

use crate::SHUTDOWN;

/// Far longer than 20 services need to be applied.
const DEADLINE: Duration = Duration::from_secs(180);
const SERVICES: usize = 20;
/// Some twenty seconds of it on a machine that has time.
const SETTINGS: Settings = Settings { reconciles: 2_000, at_most: Duration::from_secs(300) };

pub(crate) async fn a_daemon_that_reconciles_again_and_again_holds_no_more_than_before(
    bed: &Bed,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kubeconfig = folder.path().join("kubeconfig");
    bed.deploy_account(&kubeconfig).await?;
    let content = folder.path().join("content");
    write(&content)?;
    let repository = Repository::create(folder.path(), &content).await?;
    let program = Program::new("coalmine", env!("CARGO_BIN_EXE_coalmine"), folder.path())
        .arg("run")
        .flag("repo", repository.bare())
        .flag("interval", "1s")
        .flag("listen", STATUS.to_string())
        .flag("state-dir", folder.path().join("state"))
        .env("KUBECONFIG", kubeconfig.to_string_lossy());
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let daemon = Process::start(&program)?;
    let outcome = daemon.alive(play(bed, &daemon, status, &repository)).await;
    daemon.stop(SHUTDOWN).await;
    let log = fs::read_to_string(&program.log).unwrap_or_default();
    outcome.with_context(|| format!("the daemon's log:\n{log}"))
}

async fn play(
    bed: &Bed,
    daemon: &Process,
    status: StatusClient,
    repository: &Repository,
) -> Result<()> {
    let revision = repository.head().await?;
    until("every service to be applied", DEADLINE, async || match status.get().await {
        Err(error) => Seen::from_result(Err(error)),
        Ok(status) => {
            let applied = status.services.iter().filter(|it| it.has_applied(&revision)).count();
            Seen::when(applied >= SERVICES, format!("{applied} are"))
        }
    })
    .await?;
    let id = daemon.id().context("the daemon has ended")?;
    let services = (0..SERVICES).map(|number| ("soak".to_owned(), name(number)));
    let subject = Subject::new(id, status, bed.client(), services).await?;
    let mut round = 0;
    let soaked = subject
        .soak(SETTINGS, async || {
            round += 1;
            repository.write("services/s00.yaml", &values(round))?;
            repository.commit(&format!("Round {round}")).await?;
            repository.push().await.map(drop)
        })
        .await?;
    println!("{soaked:?}");
    soaked.check()
}

fn name(number: usize) -> String {
    format!("s{number:02}")
}

fn values(label: usize) -> String {
    format!(
        "namespace: soak\ndeployment: {{v1: {{replicas: 0, labels: {{round: \"{label}\"}}}}}}\n\
         routes: {{apiGroup: soak, primary: {{version: v1}}}}\n"
    )
}

fn write(content: &Path) -> Result<()> {
    let platform = "apiVersion: v1
kind: Namespace
metadata: {name: soak}
---
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: soak, namespace: gloo-system}
spec:
  virtualHost:
    domains: ['*']
    routes:
      - matchers: [{prefix: /}]
        delegateAction: {selector: {labels: {apiGroup: soak}, namespaces: ['*']}}
";
    for folder in ["platform", "services"] {
        fs::create_dir_all(content.join(folder))?;
    }
    fs::write(content.join("platform/way-in.yaml"), platform)?;
    for number in 0..SERVICES {
        fs::write(content.join(format!("services/{}.yaml", name(number))), values(0))?;
    }
    Ok(())
}
