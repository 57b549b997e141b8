//! `--play`: the rollout by real pushes, each checked.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::picture;
use super::report::{Report, StepReport};
use super::scene::{PATIENCE, Scene};
use super::show::{Show, WINDOW, with_header};
use super::steps::{FILE, HEADER, PICTURED, SERVICE, STEPS, Step};
use super::watch::{self, Watch};
use crate::distribution::{Verdict, check};
use crate::load::Load;
use crate::sample::{CONNECTIONS, REQUESTS, Target, converge, sample};
use crate::wait::{self, Seen};

/// Drives all steps and adds each to the report; one of them is pictured, if there is a place for it. A step that fails its check does not keep the
/// others from being tried; one that the daemon does not get as far as applying does.
pub(super) async fn play(
    scene: &Scene,
    load: &Load,
    show: &Show,
    picture: Option<&Path>,
    report: &mut Report,
) -> Result<()> {
    for step in &STEPS {
        let done = take(step, scene, load, show).await;
        report.steps.push(done.with_context(|| format!("step `{}`", step.name))?);
        if let (PICTURED, Some(path)) = (step.name, picture) {
            // Until the answers that are shown are all from after the push.
            tokio::time::sleep(WINDOW).await;
            picture::write(path, "cargo demo --play", &show.lines(scene, load).await)?;
        }
    }
    Ok(())
}

async fn take(step: &Step, scene: &Scene, load: &Load, show: &Show) -> Result<StepReport> {
    scene.repository.write(FILE, &step.values())?;
    scene.repository.commit(&format!("{SERVICE}: {}", step.name)).await?;
    let before = watch::before(load);
    let mut watch = Watch::new(scene.repository.push().await?, before);
    scene.announce().await?;
    show.watch(watch.clone());

    let phase = applied(scene, &watch.revision).await?;
    let plain = Target::new(scene.bed.proxy_url(), format!("/{SERVICE}"));
    let marked = plain.clone().header(HEADER.0, HEADER.1);
    let (expected, expected_marked) = (step.expected()?, step.with_header());
    let mut converged = true;
    for (target, expected) in [(&plain, &expected), (&marked, &expected_marked)] {
        if let Err(error) = converge(target, &expected.versions(), PATIENCE).await {
            show.say(&format!("{error:#}"));
            converged = false;
        }
    }
    let converging = watch.elapsed();

    let sampled = sample(&plain, REQUESTS, CONNECTIONS).await?;
    let sampled_marked = sample(&marked, REQUESTS, CONNECTIONS).await?;
    let verdict = check(&expected, &sampled);
    let verdict_marked = check(&expected_marked, &sampled_marked);
    let after = BTreeMap::from([
        (SERVICE.to_owned(), expected.versions()),
        (with_header(SERVICE), expected_marked.versions()),
    ]);
    watch.settle(load, &after);
    let step = StepReport {
        name: step.name.to_owned(),
        phase,
        revision: watch.revision.clone(),
        push_to_first_change_ms: watch.first_change.map(milliseconds),
        push_to_converged_ms: milliseconds(converging),
        requests: sampled.requests,
        failed: sampled.failed.len() as u64,
        by_version: sampled.by_version,
        expected: expected.shares().clone(),
        passed: converged && verdict.passed && verdict_marked.passed,
    };
    tell(&step, &[("", verdict), ("with header ", verdict_marked)], show);
    Ok(step)
}

/// Waits until the daemon reports the revision as carried out; the phase it is in then.
async fn applied(scene: &Scene, revision: &str) -> Result<String> {
    wait::until(&format!("{SERVICE} ready at {revision}"), PATIENCE, || async {
        let status = match scene.status.get().await {
            Ok(status) => status,
            Err(error) => return Seen::NotYet(format!("{error:#}")),
        };
        match status.service(SERVICE) {
            Some(service) if service.has_applied(revision) => Seen::Done(service.phase.clone()),
            Some(service) => Seen::NotYet(service.summary()),
            None => Seen::NotYet(format!("the daemon does not know {SERVICE}")),
        }
    })
    .await
}

fn tell(step: &StepReport, verdicts: &[(&str, Verdict)], show: &Show) {
    let outcome = if step.passed { "passed" } else { "FAILED" };
    let change = match step.push_to_first_change_ms {
        Some(time) => format!("first changed answer after {:.2} s", time as f64 / 1000.0),
        None => "no answer changes".to_owned(),
    };
    show.say(&format!(
        "{outcome}: {} ({}, {change}, converged after {:.2} s)",
        step.name,
        step.phase,
        step.push_to_converged_ms as f64 / 1000.0
    ));
    for (kind, verdict) in verdicts {
        show.say(&format!("  {kind}{}", verdict.message));
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
