//! The acceptance suite: what people do with coalmine, on a real API server and a real Envoy.
//!
//! `cargo test --test features` runs all of it; a word after it chooses the scenarios whose names
//! contain that word. Reports for programs are in `target/reports/`, and what a failed scenario leaves for
//! a person in `target/failures/`.

mod evidence;
mod not_run;
mod report;
mod steps;
mod suite;
mod world;

use std::process::ExitCode;

use anyhow::Context;
use harness::interrupt::unless_interrupted;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use not_run::NotRun;

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

/// Runs all scenarios, or those whose names contain one of the words. Those with a tag that asks for more
/// than the bed has ([`harness::bed::Need`]) are not run, which is said in the end.
async fn scenarios() -> anyhow::Result<bool> {
    let not_run = NotRun::on(world::bed().kind());
    let left_out = not_run.clone();
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let folder = world::bed().localize("features".as_ref())?;
    let failures = suite::run(folder, report::writer()?, move |feature, scenario| {
        let chosen = words.is_empty() || words.iter().any(|word| scenario.name.contains(word));
        chosen && left_out.can_run(feature, scenario)
    });
    let failures = failures.await;
    println!("{}", not_run.report());
    Ok(failures?.is_empty())
}
