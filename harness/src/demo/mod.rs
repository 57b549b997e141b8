//! `cargo demo`: a cluster's control plane, Envoy and coalmine on one machine, on one command.

mod options;
mod picture;
mod play;
mod ports;
mod report;
mod scene;
mod screen;
mod show;
pub(crate) mod steps;
mod watch;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::bed;
use crate::cargo::Built;
use crate::load::{Load, Total};
use crate::namespace::Inside;
use crate::progress::Progress;
use crate::sample::converge;
use report::Report;
use scene::Scene;
use show::Show;

pub use options::Options;
pub use scene::environment;

/// The exit code of a program that a person interrupted.
const INTERRUPTED: u8 = 130;

/// Has cargo build coalmine and the programs of the pods as this program was built, and enters the bed's
/// namespaces. Call it first thing in `main`, before any thread is started.
///
/// # Errors
/// As [`crate::enter`], or a build that fails.
pub fn enter(options: &Options) -> Result<Inside> {
    let built = Built::this_program()?;
    bed::enter_building_for(options.gateway, &ports::openings(options), |progress| {
        built.build(&["coalmine", "http-echo", "petstore"], built.profile(), progress)
    })
}

/// Runs the demo inside its namespace until it is over or somebody ends it.
///
/// # Errors
/// Whatever keeps it from running; what `--play` found wrong is an exit code and was said.
pub fn run(options: &Options, inside: Inside) -> Result<ExitCode> {
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = listen_for_the_end()?;
        let progress = Progress::new();
        let scene = tokio::select! {
            scene = Scene::start(options, inside, &progress) => scene?,
            () = stop.cancelled() => return Ok(ExitCode::from(INTERRUPTED)),
        };
        let show = Show::new();
        let outcome = tokio::select! {
            outcome = perform(options, &scene, &show, begun) => outcome,
            () = stop.cancelled() => Ok(ExitCode::from(if options.play { INTERRUPTED } else { 0 })),
        };
        drop(show);
        let step = progress.step("ending everything");
        let stopped = scene.stop().await;
        step.done();
        outcome.and_then(|code| stopped.map(|()| code))
    })
}

/// Cancelled by the first SIGINT, SIGTERM or SIGHUP. The second ends this process at once, and with it the
/// namespace and all that runs in it.
fn listen_for_the_end() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let asked = stop.clone();
    tokio::spawn(async move {
        for time in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if time > 0 {
                std::process::exit(INTERRUPTED.into());
            }
            asked.cancel();
        }
    });
    Ok(stop)
}

async fn perform(
    options: &Options,
    scene: &Scene,
    show: &Show,
    begun: Instant,
) -> Result<ExitCode> {
    let status = scene.status.get().await?;
    for service in &status.services {
        let Some(target) = service.target(scene.bed.proxy_url()) else { continue };
        let weights = service.weights.iter().filter(|(_, weight)| **weight > 0);
        let versions = weights.map(|(version, _)| format!("{}-{version}", service.service));
        scene.alive(converge(&target, &versions.collect(), scene::PATIENCE)).await?;
    }
    show.say(&format!(
        "All services answer, {:.1} s after the start.",
        begun.elapsed().as_secs_f64()
    ));
    let load = show::start_load(scene, &status, options.rate).await?;
    if options.play {
        return perform_rollout(options, scene, show, load).await;
    }
    show.say(&scene.invitation());
    let pushes = watch::Branch::of(scene.repository.bare());
    scene.alive(show.run(scene, &load, Some(pushes))).await.map(|never| match never {})
}

async fn perform_rollout(
    options: &Options,
    scene: &Scene,
    show: &Show,
    load: Load,
) -> Result<ExitCode> {
    let (gateway, versions) = (scene.bed.gateway(), scene.bed.versions().clone());
    let mut report = Report { gateway, versions, steps: Vec::new() };
    let played = scene.alive(async {
        tokio::select! {
            played = play::play(scene, &load, show, options.picture.as_deref(), &mut report) => played,
            never = show.run(scene, &load, None) => match never? {},
        }
    });
    let played = played.await;
    let totals = load.stop().await;
    let passed = conclude(options, show, &report, &totals)?;
    played?;
    show.say(if passed { "Every step passed." } else { "Something FAILED, see above." });
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the report, says how it went, and whether all of it was well.
fn conclude(
    options: &Options,
    show: &Show,
    report: &Report,
    totals: &BTreeMap<String, Total>,
) -> Result<bool> {
    if let Some(path) = &options.report {
        report.write(path)?;
    }
    let mut passed = report.steps.iter().all(|step| step.passed);
    for (name, total) in totals {
        show.say(&format!(
            "background load on {name}: {} requests, {} failed, {:?}",
            total.requests, total.failed, total.by_version
        ));
        passed &= total.failed == 0 && total.requests > 0;
        for failure in total.failures.iter().take(5) {
            show.say(&format!("  {failure}"));
        }
        // Whoever is not rolled out must not notice that another service is.
        let rolled_out = [steps::SERVICE.to_owned(), show::with_header(steps::SERVICE)];
        if !rolled_out.contains(name) && total.by_version.len() != 1 {
            show.say(&format!("  {name} changed although nobody changed it"));
            passed = false;
        }
    }
    if let Some(median) = report.median_first_change_ms() {
        show.say(&format!(
            "push to first changed answer: median {:.2} s, {}",
            median as f64 / 1000.0,
            match options.webhook {
                true => "announced by a webhook".to_owned(),
                false => format!("polling every {}", options.interval.as_str()),
            }
        ));
    }
    Ok(passed)
}
