//! The acceptance suite: what people do with coalmine, on a real API server and a real Envoy.
//!
//! `cargo test --test features` runs all of it; a word after it chooses the scenarios whose names
//! contain that word. With `COALMINE_ROLLOUTS` it rolls out somebody's services instead, and runs their
//! features (docs/suite.md). Reports for programs are in `target/reports/`, and what a failed scenario leaves for
//! a person in `target/failures/`.

mod evidence;
mod flaw;
mod not_run;
mod report;
mod steps;
mod suite;
mod values;
mod wait;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use harness::interrupt::unless_interrupted;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use not_run::NotRun;
use tempfile::TempDir;

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
        let starting = Bed::start(BedOptions::new(inside), &progress);
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
    let not_run = NotRun::on(world::bed().kind(), world::bed().gateways());
    let left_out = not_run.clone();
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let theirs = harness::rollouts().map(|rollouts| features_for(&rollouts)).transpose()?;
    let folder = match &theirs {
        Some(theirs) => theirs.path().to_owned(),
        None => world::bed().localize("features".as_ref())?,
    };
    let failures = suite::run(folder, report::writer()?, move |feature, scenario| {
        let chosen = words.is_empty() || words.iter().any(|word| scenario.name.contains(word));
        chosen && left_out.can_run(feature, scenario)
    });
    let failures = failures.await;
    println!("{}", not_run.report());
    Ok(failures?.is_empty())
}

/// The feature that suits every repository, and those in the folder `features` of this one.
fn features_for(rollouts: &Path) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let theirs = rollouts.join("features");
    let mut features = vec![PathBuf::from("features/any.feature")];
    if theirs.is_dir() {
        for entry in fs::read_dir(&theirs)? {
            features.push(entry?.path());
        }
    }
    features.retain(|path| path.extension().is_some_and(|extension| extension == "feature"));
    for (number, feature) in features.iter().enumerate() {
        let name = feature.file_name().unwrap_or_default().to_string_lossy();
        // In this order, and a name of theirs may be one of ours.
        fs::copy(feature, folder.path().join(format!("{number}-{name}")))
            .with_context(|| format!("cannot read {}", feature.display()))?;
    }
    Ok(folder)
}
