//! The acceptance suite: what people do with coalmine, on a real API server and a real Envoy.
//!
//! `cargo test --test features` runs all of it; a word after it chooses the scenarios whose names
//! contain that word.

mod not_run;
mod steps;
mod world;

use std::process::ExitCode;

use anyhow::Context;
use cucumber::World as _;
use cucumber::writer::Stats;
use harness::interrupt::unless_interrupted;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use not_run::NotRun;
use world::World;

fn main() -> ExitCode {
    match harness::enter(&Openings::default()).and_then(run) {
        Ok(passed) if passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(inside: Inside) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let progress = Progress::new();
        let starting = Bed::start(BedOptions { inside, directory: None }, &progress);
        let bed = unless_interrupted(starting).await?.context("interrupted")?;
        world::lend(bed);
        let passed = unless_interrupted(scenarios()).await;
        world::take_back()?.stop().await?;
        passed?.context("interrupted")
    })
}

/// Runs the scenarios one after the other, because each has the domain `*` to itself. Those with a tag
/// that asks for more than the bed has ([`harness::bed::Need`]) are not run, which is said in the end.
/// A scenario with a step that nobody wrote fails, and so does a run without any step.
async fn scenarios() -> anyhow::Result<bool> {
    let not_run = NotRun::on(world::bed().kind());
    let left_out = not_run.clone();
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let result = World::cucumber()
        .max_concurrent_scenarios(1)
        .fail_on_skipped()
        .with_default_cli()
        .before(|_, _, _, world| Box::pin(world.begin()))
        .after(|_, _, _, ended, world| Box::pin(world::end(ended, world)))
        .filter_run(world::bed().localize("features".as_ref())?, move |feature, _, scenario| {
            let chosen = words.is_empty() || words.iter().any(|word| scenario.name.contains(word));
            chosen && left_out.can_run(feature, scenario)
        })
        .await;
    println!("{}", not_run.report());
    anyhow::ensure!(result.passed_steps() + result.failed_steps() > 0, "no scenario was run");
    Ok(!result.execution_has_failed())
}
