//! Requests that fail while rollouts are always under way, pods crash and the daemon is killed.
//!
//! Two services walk ([`super::walk`]) under a constant load, one push after the other, each followed until the daemon
//! reports it as applied. At random a pod ends in the middle of everything, or the daemon is killed right after a push
//! and started again. A request that failed counts as the crash's own if it was for the service of a pod that ended no
//! more than [`OWN`] before it.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::{
    figures::Transitions,
    fleet,
    options::Options,
    stage::{SECRET, Stage},
    walk::{HEADER, Walk},
};
use crate::{
    load::Load,
    namespace::STATUS,
    process::Process,
    repository::{BRANCH, Repository},
    rollouts::{gateway_settings, in_words_of},
    sample::{self, Target},
    status::StatusClient,
    wait::{self, Seen},
    webhook::Webhook,
};

/// How long a transition may take; a daemon that was killed has to be elected again.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long coalmine may take to end.
const GRACE: Duration = Duration::from_secs(30);
/// So long after a pod ended the failures of its service are its own: those that were under way, and those that went to
/// it until every proxy knew.
const OWN: Duration = Duration::from_secs(3);
/// Between two crashes, so that a pod that crashed is back: Kubernetes lets it wait.
const BETWEEN_CRASHES: Duration = Duration::from_secs(45);
/// One push out of so many is disturbed in each way.
const DISTURBED: usize = 5;

/// What looks after the services that walk.
struct Walking<'a> {
    stage: &'a Stage,
    options: &'a Options,
    repository: Repository,
    status: StatusClient,
    webhook: Webhook,
    daemon: Process,
}

/// A kind of request for a service.
struct Aim {
    service: &'static str,
    name: String,
    target: Target,
}

/// A pod that ended.
struct Crash {
    at: Timestamp,
    service: &'static str,
}

impl Crash {
    /// Whether a request for a service failed because of it.
    fn explains(&self, service: &str, failed: Timestamp) -> bool {
        let after = failed.duration_since(self.at);
        self.service == service && !after.is_negative() && after.unsigned_abs() <= OWN
    }
}

pub(super) async fn measure(stage: &Stage, options: &Options) -> Result<Transitions> {
    let content = stage.folder.join("content");
    let mut walks = Walk::all();
    let namespaces = walks.iter().map(|walk| walk.service.to_owned());
    let gateway = stage.bed.gateway_kind();
    let way_in = in_words_of(gateway, &fleet::way_in("walks", namespaces))?;
    write(&content.join("platform/way-in.yaml"), &way_in)?;
    if let Some(settings) = gateway_settings(gateway) {
        write(&content.join("coalmine.yaml"), &settings)?;
    }
    for walk in &walks {
        write(&content.join(walk.file()), &walk.values())?;
    }
    let repository = Repository::create(&stage.folder, &content).await?;
    let daemon = Process::start(&stage.daemon(options, &repository)?)?;
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let webhook = Webhook::new(status.base(), SECRET)?;
    let mut walking = Walking { stage, options, repository, status, webhook, daemon };
    let first = walking.repository.head().await?;
    walking.applied(&first).await?;
    for aim in walks.iter().flat_map(|walk| walking.aims(walk)) {
        sample::converge(&aim.target, &[format!("{}-v1", aim.service)].into(), PATIENCE).await?;
    }
    let measured = walking.walk(&mut walks).await;
    walking.daemon.stop(GRACE).await;
    measured
}

impl Walking<'_> {
    /// What is asked all the time.
    fn aims(&self, walk: &Walk) -> [Aim; 2] {
        let service = walk.service;
        let target = Target::new(self.stage.bed.proxy_url(), format!("/{service}"));
        let marked = target.clone().header(HEADER.0, HEADER.1);
        [
            Aim { service, name: service.to_owned(), target },
            Aim { service, name: format!("{service} with header"), target: marked },
        ]
    }

    async fn walk(&mut self, walks: &mut [Walk]) -> Result<Transitions> {
        let mut random = fastrand::Rng::with_seed(self.options.seed);
        let aims: Vec<Aim> = walks.iter().flat_map(|walk| self.aims(walk)).collect();
        let each = self.options.rate.div_ceil(u32::try_from(aims.len())?);
        let load = aims.iter().map(|aim| (aim.name.clone(), aim.target.clone()));
        let (begun, load) = (Instant::now(), Load::start(load, each)?);
        let mut by_kind: BTreeMap<String, u32> = BTreeMap::new();
        let (mut crashes, mut last_crash, mut killed) = (Vec::<Crash>::new(), begun, 0);
        let requests = || load.totals().values().map(|total| total.requests).sum::<u64>();
        let end = begun + self.options.limit();
        while (by_kind.values().sum::<u32>() < self.options.transitions
            || requests() < self.options.requests)
            && Instant::now() < end
        {
            for walk in &mut *walks {
                *by_kind.entry(walk.step().to_owned()).or_default() += 1;
                self.repository.write(&walk.file(), &walk.values())?;
            }
            self.repository.commit("On").await?;
            let revision = self.repository.push().await?.revision;
            if random.usize(..DISTURBED) == 0 {
                // Some way into what it does about the push, and not always the same.
                tokio::time::sleep(Duration::from_millis(random.u64(..1500))).await;
                self.daemon.kill();
                self.daemon.ended().await;
                killed += 1;
                let again = self.stage.daemon(self.options, &self.repository)?;
                self.daemon = Process::start(&again)?;
            }
            if random.usize(..DISTURBED) == 0 && last_crash.elapsed() >= BETWEEN_CRASHES {
                let aim = &aims[random.usize(..aims.len())];
                crashes.push(Crash { at: Timestamp::now(), service: aim.service });
                last_crash = Instant::now();
                // Whoever gets it ends at once, so there is no answer.
                let target = aim.target.clone().header("x-exit", "1");
                let _no_answer = sample::Client::new(&target)?.ask().await;
            }
            self.applied(&revision).await?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let totals = load.stop().await;
        let failures = aims.iter().flat_map(|aim| {
            let failures = totals.get(&aim.name).map(|total| total.failures.as_slice());
            failures.unwrap_or_default().iter().map(move |failure| (aim, failure))
        });
        let (of_pods, others): (Vec<_>, Vec<_>) = failures.partition(|(aim, failure)| {
            crashes.iter().any(|crash| crash.explains(aim.service, failure.at))
        });
        let others = others.into_iter().map(|(aim, failure)| format!("{}: {failure}", aim.name));
        let failed: u64 = totals.values().map(|total| total.failed).sum();
        let of_pods = of_pods.len() as u64;
        Ok(Transitions {
            requests: totals.values().map(|total| total.requests).sum(),
            failed: failed - of_pods,
            failed_with_pods: of_pods,
            failures: others.take(20).collect(),
            by_kind,
            pods_ended: crashes.len(),
            daemon_killed: killed,
            seconds,
            seed: self.options.seed,
        })
    }

    /// Waits until every service has carried out the revision. The daemon is told of it again and again: one that was
    /// killed has forgotten.
    async fn applied(&self, revision: &str) -> Result<()> {
        let what = format!("every service ready at {revision}");
        let waiting = wait::until(&what, PATIENCE, || async {
            let _not_up_yet = self.webhook.announce(BRANCH).await;
            Seen::from_result(self.status.get().await.and_then(|status| {
                let late = status.services.iter().filter(|service| !service.has_applied(revision));
                let late: Vec<String> = late.map(|service| service.summary()).collect();
                anyhow::ensure!(!status.services.is_empty(), "no service is known yet");
                anyhow::ensure!(late.is_empty(), "{}", late.join("; "));
                Ok(())
            }))
        });
        self.daemon.alive(waiting).await
    }
}

fn write(path: &Path, content: &str) -> Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_of_its_service_right_after_it_are_a_crash_s_own() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let crash = Crash { at: at("2026-01-01T00:00:10Z"), service: "subset" };
        assert!(crash.explains("subset", at("2026-01-01T00:00:10.2Z")));
        assert!(!crash.explains("upstream", at("2026-01-01T00:00:10.2Z")));
        assert!(!crash.explains("subset", at("2026-01-01T00:00:09.9Z")));
        assert!(!crash.explains("subset", at("2026-01-01T00:00:13.1Z")));
    }
}
