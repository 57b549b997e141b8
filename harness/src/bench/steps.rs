//! Requests that fail while a service goes through the six steps of the articles and back, at full speed.
//!
//! The steps are those of `cargo demo --play`. Half of the connections ask with the canary's header, half without, and each
//! asks again as soon as it is answered. A push is announced by a webhook, and the next one follows when the daemon
//! reports it as carried out.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    figures::{self, Spread},
    options::Options,
    stage::{SECRET, Stage},
};
use crate::{
    cargo::workspace,
    demo::steps::{FILE, HEADER, SERVICE, STEPS, Step},
    load::Load,
    namespace::STATUS,
    process::Process,
    repository::{BRANCH, Repository, copy},
    rollouts::adapt,
    sample::{CONNECTIONS, Target, converge},
    status::StatusClient,
    wait::{self, Seen},
    webhook::Webhook,
};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long coalmine may take to end.
const GRACE: Duration = Duration::from_secs(30);
/// Failures that are told.
const TOLD: usize = 20;

pub(super) async fn measure(stage: &Stage, options: &Options) -> Result<figures::Steps> {
    let content = stage.folder.join("content");
    fs::create_dir_all(&content)?;
    copy(&workspace().join("rollouts"), &content)?;
    adapt(&content, stage.bed.gateway_kind())?;
    let repository = Repository::create(&stage.folder, &content).await?;
    let daemon = Process::start(&stage.daemon(options, &repository)?)?;
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let webhook = Webhook::new(status.base(), SECRET)?;
    let going = Going { stage, repository, status, webhook };
    let measured = daemon.alive(going.measure(options)).await;
    daemon.stop(GRACE).await;
    measured
}

/// A service on its way.
struct Going<'a> {
    stage: &'a Stage,
    repository: Repository,
    status: StatusClient,
    webhook: Webhook,
}

impl Going<'_> {
    async fn measure(&self, options: &Options) -> Result<figures::Steps> {
        let first = self.repository.head().await?;
        self.applied(&first).await?;
        let plain = Target::new(self.stage.bed.proxy_url(), format!("/{SERVICE}"));
        let marked = plain.clone().header(HEADER.0, HEADER.1);
        converge(&plain, &STEPS[0].expected()?.versions(), PATIENCE).await?;
        let targets =
            [("without the header".to_owned(), plain), ("with the header".to_owned(), marked)];
        let each = CONNECTIONS / targets.len();
        let (begun, load) = (Instant::now(), Load::start_at_full_speed(targets, each)?);
        let end = begun + options.limit();
        let (mut rounds, mut times) = (0, Vec::new());
        while rounds < options.rounds && Instant::now() < end {
            let there = STEPS.iter().skip(1);
            let back = STEPS.iter().rev().skip(1);
            for step in there.chain(back) {
                times.push(self.take(step).await?.as_secs_f64());
            }
            rounds += 1;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let totals = load.stop().await;
        let failures = totals.iter().flat_map(|(name, total)| {
            total.failures.iter().map(move |failure| format!("{name}: {failure}"))
        });
        Ok(figures::Steps {
            gateway: self.stage.bed.gateway_kind().name().to_owned(),
            rounds,
            steps: u32::try_from(times.len())?,
            connections: CONNECTIONS,
            requests: totals.values().map(|total| total.requests).sum(),
            failed: totals.values().map(|total| total.failed).sum(),
            failures: failures.take(TOLD).collect(),
            applied: Spread::of(times),
            seconds,
        })
    }

    /// Pushes a step, and gives how long it took until it was carried out.
    async fn take(&self, step: &Step) -> Result<Duration> {
        self.repository.write(FILE, &step.values())?;
        self.repository.commit(step.name).await?;
        let pushed = self.repository.push().await?;
        self.webhook.announce(BRANCH).await?;
        self.applied(&pushed.revision).await?;
        Ok(pushed.at.elapsed())
    }

    /// Waits until every service has carried out the revision.
    async fn applied(&self, revision: &str) -> Result<()> {
        wait::until(&format!("every service ready at {revision}"), PATIENCE, || async {
            Seen::from_result(self.status.get().await.and_then(|status| {
                let late = status.services.iter().filter(|service| !service.has_applied(revision));
                let late: Vec<String> = late.map(|service| service.summary()).collect();
                anyhow::ensure!(!status.services.is_empty(), "no service is known yet");
                anyhow::ensure!(late.is_empty(), "{}", late.join("; "));
                Ok(())
            }))
        })
        .await
    }
}
