//! `cargo bench-all`: what coalmine costs and how soon it acts, measured from outside.
//!
//! Times are taken from a watch beside the daemon's own, requests are counted in a proxy before the
//! API server ([`crate::api_proxy`]), processor and memory come from `/proc`. Nothing here decides
//! whether a figure is good: `docs/performance.md` has the bounds.

mod bare;
mod cold;
mod drift;
mod figures;
mod fleet;
mod idle;
mod machine;
mod observer;
mod options;
mod others;
mod push;
pub mod soak;
mod stage;
mod steps;
mod transitions;
mod usage;
mod walk;

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};

use crate::{
    Openings, Purpose,
    api_proxy::Mark,
    bed,
    cargo::{Built, RELEASE},
    gateway_kind::{GatewayKind, Gateways},
    namespace::{Inside, STATUS},
    status::StatusClient,
};
use figures::{Cold, Figures, Report};
use fleet::Objects;
use observer::Observer;
pub use options::{Options, Part};
use stage::{Followed, Stage};
use usage::Usage;

/// Services that are reconciled again and again.
const SOAKED: u16 = 200;
/// How long coalmine may take to end.
const GRACE: Duration = Duration::from_secs(30);

/// Has cargo build what is measured, coalmine as it is released, and enters the bed's namespaces. Call it
/// first thing in `main`, before any thread is started.
///
/// The programs of the pods are built as this program was: they and the measurements themselves do without
/// the slow link of a release, which takes minutes for each of them.
///
/// # Errors
/// As [`crate::enter`], or a build that fails.
pub fn enter() -> Result<Inside> {
    let built = Built::this_program()?;
    bed::enter_building(&Openings::default(), |progress| {
        built.build(&["http-echo", "petstore"], built.profile(), progress)?;
        built.build(&["coalmine"], RELEASE, progress)
    })
}

/// Measures what was asked for, says each result as soon as it is there, and writes the report.
///
/// # Errors
/// The bed does not start, or something ends that was to be measured. What was measured by then is
/// in the report.
pub fn run(options: &Options, inside: Inside) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut report = Report {
            name: options.name.clone(),
            commit: machine::commit(),
            taken: jiff::Zoned::now().strftime("%F %T %z").to_string(),
            machine: machine::describe(),
            versions: std::collections::BTreeMap::new(),
            arguments: [&[format!("--interval={}", options.interval)], &options.with[..]].concat(),
            results: Vec::new(),
        };
        let path = match &options.report {
            Some(path) => path.clone(),
            None => folder()?.join(format!("{}.json", options.name)),
        };
        let measured = measure(options, inside, &mut report).await;
        report.write(&path)?;
        anstream::println!("the figures are in {}", path.display());
        measured
    })
}

async fn measure(options: &Options, inside: Inside, report: &mut Report) -> Result<()> {
    let limit = options.limit();
    if options.measure.contains(&Part::Transitions) {
        staged(inside, Purpose::Traffic, report, async |stage| {
            let transitions = Some(transitions::measure(stage, options).await?);
            Ok(Figures {
                tool: "coalmine".to_owned(),
                services: 2,
                transitions,
                ..Figures::default()
            })
        })
        .await?;
    }
    if options.measure.contains(&Part::Steps) {
        staged(inside, Purpose::Traffic, report, async |stage| {
            let steps = Some(steps::measure(stage, options).await?);
            let tool = "coalmine".to_owned();
            Ok(Figures { tool, services: 2, steps, ..Figures::default() })
        })
        .await?;
        let steps = report.results.last().and_then(|figures| figures.steps.as_ref());
        steps.map_or(Ok(()), figures::Steps::check)?;
    }
    let gateway = Gateways::from_environment()?.first;
    let needs_gloo = |part: &&Part| !matches!(part, Part::Transitions | Part::Steps);
    if let Some(part) = options.measure.iter().find(needs_gloo)
        && gateway != GatewayKind::Gloo
    {
        anyhow::bail!(
            "{part:?} is measured by objects of Gloo; with COALMINE_GATEWAY={} there are --measure=transitions and \
             --measure=steps",
            gateway.name()
        );
    }
    if options.measure.contains(&Part::Soak) {
        staged(inside, Purpose::Objects, report, async |stage| soaked(stage, options).await)
            .await?;
        let soak = report.results.last().and_then(|figures| figures.soak.as_ref());
        soak.map_or(Ok(()), soak::Soaked::check)?;
    }
    if options
        .measure
        .iter()
        .all(|part| matches!(part, Part::Transitions | Part::Steps | Part::Soak))
    {
        return Ok(());
    }
    for &services in &options.services {
        staged(inside, Purpose::Objects, report, async |stage| {
            coalmine(stage, options, services).await
        })
        .await?;
        if options.bare {
            staged(inside, Purpose::Objects, report, async |stage| {
                bare::measure(stage, services, limit).await
            })
            .await?;
        }
        for command in &options.compare {
            let others = async |stage: &_| others::measure(stage, command, services, limit).await;
            staged(inside, Purpose::Objects, report, others).await?;
        }
    }
    Ok(())
}

/// Measures on a stage of its own, and keeps the figures.
async fn staged(
    inside: Inside,
    purpose: Purpose,
    report: &mut Report,
    measure: impl AsyncFnOnce(&Stage) -> Result<Figures>,
) -> Result<()> {
    let stage = Stage::set(inside, purpose).await?;
    report.versions.clone_from(stage.bed.versions());
    let figures = measure(&stage).await;
    stage.intact()?;
    keep(report, figures?);
    stage.clear().await
}

fn keep(report: &mut Report, figures: Figures) {
    anstream::println!("{}", figures.table());
    report.results.push(figures);
}

async fn coalmine(stage: &Stage, options: &Options, services: u16) -> Result<Figures> {
    let content = stage.content(services)?;
    // Before anything is measured.
    let expected = stage.rendered(&content)?.0;
    let mark = stage.proxy.mark();
    let (process, mut followed) = stage.follow(options, services, &content).await?;
    let usage = Usage::of(process.id().context("coalmine has ended")?)?;
    let measured = parts(stage, &mut followed, &usage, options, &expected, mark);
    let measured = process.alive(measured).await;
    process.stop(GRACE).await;
    measured
}

/// Reconciles for a long time, with a push every two seconds.
async fn soaked(stage: &Stage, options: &Options) -> Result<Figures> {
    let limit = options.limit();
    let content = stage.content(SOAKED)?;
    let expected = stage.rendered(&content)?.0;
    let mark = stage.proxy.mark();
    let (process, mut followed) = stage.follow(options, SOAKED, &content).await?;
    let begun = followed.begun;
    let status = StatusClient::new(&format!("http://{STATUS}"))?;
    let id = process.id().context("coalmine has ended")?;
    let work = async {
        let cold = cold::measure(stage, &stage.proxy, &expected, begun, mark, limit).await?;
        let services = fleet::services(SOAKED);
        let subject = soak::Subject::new(id, status, stage.bed.client(), services).await?;
        let settings = soak::Settings { reconciles: options.reconciles, at_most: limit };
        let mut seconds = 0;
        let soak = subject
            .soak(settings, async || {
                seconds += 1;
                if seconds % 2 == 0 { push::relabel(&mut followed).await } else { Ok(()) }
            })
            .await?;
        let tool = "coalmine".to_owned();
        let (cold, soak) = (Some(cold), Some(soak));
        Ok(Figures { tool, services: SOAKED, cold, soak, ..Figures::default() })
    };
    let measured = process.alive(work).await;
    process.stop(GRACE).await;
    measured
}

async fn parts(
    stage: &Stage,
    followed: &mut Followed,
    usage: &Usage,
    options: &Options,
    expected: &Objects,
    mark: Mark,
) -> Result<Figures> {
    let limit = options.limit();
    let cold = cold::measure(stage, &stage.proxy, expected, followed.begun, mark, limit).await?;
    let processor_seconds = Some(usage.processor()?.as_secs_f64());
    let cold = Some(Cold { processor_seconds, ..cold });
    let tool = "coalmine".to_owned();
    let services = followed.services;
    let mut figures = Figures { tool, services, cold, ..Figures::default() };
    if options.measure.iter().all(|part| *part == Part::Cold) {
        return Ok(figures);
    }
    let mut observer = Observer::start(&stage.bed.client());
    observer.rest(limit).await;
    if options.measure.iter().any(|part| matches!(part, Part::Push | Part::Poll)) {
        push::furnish(&mut observer, followed, limit).await?;
    }
    for part in &options.measure {
        match part {
            Part::Cold | Part::Transitions | Part::Steps | Part::Soak => {}
            Part::Idle => {
                let length = Duration::from_secs(options.idle);
                figures.idle = Some(idle::measure(stage, usage, length).await?);
            }
            Part::Push => {
                let pushes = options.pushes;
                figures.push =
                    Some(push::measure(stage, &mut observer, followed, true, pushes, limit).await?);
            }
            Part::Poll => {
                let pushes = options.pushes;
                figures.poll = Some(
                    push::measure(stage, &mut observer, followed, false, pushes, limit).await?,
                );
            }
            Part::Drift => {
                let expected = stage.rendered(followed.repository.clone_directory())?.0;
                let edits = options.edits;
                figures.drift =
                    Some(drift::measure(stage, &mut observer, &expected, edits, limit).await?);
            }
        }
    }
    Ok(figures)
}

/// `bench` in the target folder that this program was built in.
fn folder() -> Result<PathBuf> {
    let own = env::current_exe().context("cannot find this program's own file")?;
    let target = own.ancestors().nth(2);
    Ok(target.context("this program is not in a build folder of cargo")?.join("bench"))
}
