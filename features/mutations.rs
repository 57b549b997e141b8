//! Whether the acceptance suite can fail: each of these flaws has to make a scenario red, and for the
//! reason that stands beside it.
//!
//! `cargo test --test mutations` tries all of them; a word after it chooses those whose names contain
//! it. What the daemon reads, sees and writes is changed in between, it runs with other flags, commands end
//! in another way, or a bad gateway stands before the good one. The scenarios are the suite's own, and every
//! feature file has a flaw that one of its scenarios notices.

mod evidence;
mod flaw;
mod flaws;
mod report;
mod steps;
mod suite;
mod values;
mod wait;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cucumber::gherkin::{Feature, GherkinEnv};
use harness::bed::{GatewayKind, Kind};
use harness::{Bed, BedOptions, Inside, Openings, Progress};

use flaws::Mutation;

fn main() -> ExitCode {
    if let Ok(other) = Kind::from_environment()
        && other != Kind::Local
    {
        println!("not run on the bed {}: the flaws are made for the local bed", other.name());
        return ExitCode::SUCCESS;
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
    let gateway = world::bed().gateway_kind();
    for mutation in flaws::of(gateway).iter().filter(|mutation| chosen(mutation.name)) {
        if let Some(unmet) = unmet(mutation)? {
            println!("test {} ... not run: {unmet}", mutation.name);
            continue;
        }
        let begun = Instant::now();
        let noticed = notices(mutation).await;
        let took = begun.elapsed().as_secs();
        match noticed {
            Ok(caught) => println!("test {} ... ok in {took} s, {caught}", mutation.name),
            Err(error) => {
                println!("test {} ... FAILED in {took} s\n{error:#}", mutation.name);
                failed += 1;
                continue;
            }
        }
        passed += 1;
    }
    if gateway == GatewayKind::Gloo && chosen(EVERY_FEATURE) {
        every_feature_has_a_flaw()?;
        println!("test {EVERY_FEATURE} ... ok");
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

/// Why the bed cannot run the mutation's scenario.
fn unmet(mutation: &Mutation) -> Result<Option<&'static str>> {
    let file = Path::new(FEATURES).join(mutation.feature).with_extension("feature");
    let feature = Feature::parse_path(&file, GherkinEnv::default())?;
    let mut scenarios = feature.scenarios.iter();
    let scenario = scenarios.find(|scenario| scenario.name.contains(mutation.scenario));
    let scenario = scenario.with_context(|| format!("{} has no such scenario", file.display()))?;
    let bed = world::bed();
    Ok(suite::unmet(&feature, scenario, bed.kind(), bed.gateways()))
}

/// Runs the mutation's scenario, and returns the line of its failure by which the flaw is known.
async fn notices(mutation: &'static Mutation) -> Result<String> {
    flaw::begin(mutation.flaw, mutation.words).await?;
    let failures = suite::run(FEATURES.into(), report::silence(), |feature, scenario| {
        let bed = world::bed();
        let is_meant =
            stem(feature) == mutation.feature && scenario.name.contains(mutation.scenario);
        is_meant && suite::unmet(feature, scenario, bed.kind(), bed.gateways()).is_none()
    });
    let failures = failures.await;
    let has_struck = flaw::end();
    let failures = failures?.join("; ");
    ensure!(has_struck, "nothing was made wrong; the scenario has ended with: {failures}");
    ensure!(!failures.is_empty(), "\"{}\" has not noticed", mutation.scenario);
    let mut lines = failures.lines();
    let line = lines.find(|line| line.contains(mutation.words));
    let line = line.with_context(|| format!("not because of {:?}: {failures}", mutation.words))?;
    Ok(line.to_owned())
}

const FEATURES: &str = "features";
const EVERY_FEATURE: &str = "every feature file has a flaw";
const UNDEFINED: &str = "a step that nobody wrote, and a tag that lets it pass";

/// Those apart of which no scenario can be run on this bed.
fn every_feature_has_a_flaw() -> Result<()> {
    for entry in std::fs::read_dir(FEATURES)? {
        let file = entry?.path();
        if file.extension().is_none_or(|extension| extension != "feature") {
            continue;
        }
        let feature = Feature::parse_path(&file, GherkinEnv::default())?;
        let bed = world::bed();
        let can_run = feature
            .scenarios
            .iter()
            .any(|scenario| suite::unmet(&feature, scenario, bed.kind(), bed.gateways()).is_none());
        let has_flaw = flaws::ALL.iter().any(|mutation| mutation.feature == stem(&feature));
        ensure!(has_flaw || !can_run, "{} has no flaw in features/flaws/", file.display());
    }
    Ok(())
}

/// The name of a feature's file, without its ending.
fn stem(feature: &Feature) -> &str {
    let stem = feature.path.as_deref().and_then(Path::file_stem);
    stem.and_then(|stem| stem.to_str()).unwrap_or_default()
}

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
