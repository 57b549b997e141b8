//! Whether the acceptance suite can fail: each of these flaws has to make a scenario red, and for the
//! reason that stands beside it.
//!
//! `cargo test --test mutations` tries all of them; a word after it chooses those whose names contain
//! it. What the daemon writes is changed on its way to the API server, or a bad gateway stands before the
//! good one. The scenarios are the suite's own.

mod evidence;
mod flaws;
mod report;
mod steps;
mod suite;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::bed::Kind;
use harness::front::Front;
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use flaws::{Flaw, Mutation};
use world::Flaws;

/// Shorter than the suite's own: what is wrong stays wrong.
const DEADLINE: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    match Kind::from_environment() {
        Ok(Kind::Local) | Err(_) => {}
        Ok(other) => {
            println!("not run on the bed {}: the flaws are made for the local one", other.name());
            return ExitCode::SUCCESS;
        }
    }
    match harness::enter(&Openings::default()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(inside: Inside) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let bed = Bed::start(BedOptions::new(inside), &Progress::new()).await?;
        world::lend(bed);
        let outcome = all().await;
        world::take_back()?.stop().await?;
        outcome
    })
}

async fn all() -> Result<()> {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let (mut passed, mut failed) = (0, 0);
    for mutation in flaws::ALL.iter().filter(|mutation| chosen(mutation.name)) {
        match notices(mutation).await {
            Ok(caught) => println!("test {} ... ok, {caught}", mutation.name),
            Err(error) => {
                println!("test {} ... FAILED\n{error:#}", mutation.name);
                failed += 1;
                continue;
            }
        }
        passed += 1;
    }
    if chosen(UNDEFINED) {
        undefined_steps_and_empty_choices_are_red().await?;
        println!("test {UNDEFINED} ... ok");
        passed += 1;
    }
    println!("{passed} passed, {failed} failed");
    ensure!(failed == 0 && passed > 0, "{failed} flaws were not noticed, {passed} were");
    Ok(())
}

/// Runs the mutation's scenario, and returns what made it red.
async fn notices(mutation: &'static Mutation) -> Result<String> {
    let mut flaws = Flaws { deadline: Some(DEADLINE), ..Flaws::default() };
    match mutation.flaw {
        Flaw::Writes(alteration) => flaws.alteration = Some(alteration),
        Flaw::Gateway(flaw) => {
            flaws.front = Some(Front::start(world::bed().proxy_url(), flaw).await?);
        }
    }
    world::spoil(Some(flaws));
    let failures = suite::run(FEATURES.into(), report::silence(), |_, scenario| {
        scenario.name.contains(mutation.scenario)
    });
    let failures = failures.await;
    world::spoil(None);
    let failures = failures?.join("; ");
    ensure!(!failures.is_empty(), "\"{}\" has not noticed", mutation.scenario);
    ensure!(failures.contains(mutation.words), "not because of {:?}: {failures}", mutation.words);
    Ok(failures)
}

const FEATURES: &str = "features";
const UNDEFINED: &str = "a step that nobody wrote, and a tag that lets it pass";

/// Neither may be taken for success.
async fn undefined_steps_and_empty_choices_are_red() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for tag in ["", "@allow.skipped\n"] {
        let text =
            format!("{tag}Feature: None\n  Scenario: None\n    Given nobody wrote this step\n");
        std::fs::write(folder.path().join("none.feature"), text)?;
        let failures = suite::run(folder.path().into(), report::silence(), |_, _| true).await?;
        ensure!(!failures.is_empty(), "{tag:?} a step that nobody wrote passes");
    }
    let none = suite::run(FEATURES.into(), report::silence(), |_, _| false).await;
    ensure!(none.is_err(), "a choice of no scenario passes");
    Ok(())
}
