//! How scenarios are run, whoever wants to know how they end.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use cucumber::World as _;
use cucumber::event::ScenarioFinished;
use cucumber::gherkin::{Feature, Scenario};
use cucumber::writer::Stats as _;
use harness::bed::{Gateways, Kind, Need};

use crate::report::Reports;
use crate::world::{self, World};

/// Why this bed with these gateways cannot run a scenario, by the tags of it and its feature; `None` when it can.
pub(crate) fn unmet(
    feature: &Feature,
    scenario: &Scenario,
    kind: Kind,
    gateways: Gateways,
) -> Option<&'static str> {
    let needs = feature.tags.iter().chain(&scenario.tags).filter_map(|tag| Need::of_tag(tag));
    needs.filter_map(|need| need.unmet_by(kind, gateways)).next()
}

/// Why scenarios failed: their names and the failing steps' words.
pub(crate) type Failures = Vec<String>;

/// Runs the scenarios that are chosen one after the other, because each has the domain `*` to itself.
/// A scenario with a step that nobody wrote fails, whatever its tags.
///
/// # Errors
/// No scenario was chosen, or none has a step.
pub(crate) async fn run(
    folder: PathBuf,
    writer: impl Reports,
    chosen: impl Fn(&Feature, &Scenario) -> bool + 'static,
) -> Result<Failures> {
    let failures = Arc::new(Mutex::new(Failures::new()));
    let noted = failures.clone();
    let note = move |name: &str, why: &dyn Display| {
        let failure = format!("\"{name}\": {why}");
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    };
    let result = World::cucumber()
        .max_concurrent_scenarios(1)
        .with_writer(writer)
        .fail_on_skipped_with(|_, _, _| true)
        .with_default_cli()
        .before(|_, _, _, world| Box::pin(world.begin()))
        .after(move |_, _, scenario, ended, world| {
            if let ScenarioFinished::StepFailed(_, _, error) = ended {
                note(&scenario.name, error);
            }
            Box::pin(world::end(&scenario.name, ended, world))
        })
        .filter_run(folder, move |feature, _, scenario| chosen(feature, scenario))
        .await;
    let steps = result.passed_steps() + result.failed_steps() + result.skipped_steps();
    ensure!(steps > 0, "no scenario was run");
    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if failures.is_empty() && result.execution_has_failed() {
        failures.push("a step that nobody wrote, or a feature that cannot be read".to_owned());
    }
    Ok(failures)
}
