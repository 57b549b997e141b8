//! Pushing values, and where the rollout then stands.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use harness::repository::Repository;
use harness::status::Service;
use harness::wait::Seen;

use crate::world::{World, bed};
use crate::{flaw, wait};

/// The settings of a repository.
const SETTINGS: &str = "coalmine.yaml";
/// What the example's settings say.
const SETTLE: &str = "settle: 3s";

/// A copy of the example repository, with names for this bed and for its gateway.
pub(super) fn example(world: &World) -> Result<PathBuf> {
    let localized = bed().localize(concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts").as_ref())?;
    let copy = world.directory.path().join("example");
    std::fs::create_dir_all(&copy)?;
    harness::repository::copy(&localized, &copy)?;
    harness::adapt(&copy, bed().gateway_kind())?;
    Ok(copy)
}

#[given("coalmine follows a new repository")]
async fn follows_a_new_repository(world: &mut World) -> Result<()> {
    let nothing = world.directory.path().join("nothing");
    std::fs::create_dir(&nothing)?;
    if let Some(settings) = harness::gateway_settings(bed().gateway_kind()) {
        std::fs::write(nothing.join(SETTINGS), settings)?;
    }
    let repository = Repository::create(world.directory.path(), &nothing).await?;
    world.pushed = Some(repository.head().await?);
    world.follow(repository).await
}

#[given("coalmine follows the example rollouts")]
async fn follows_the_example(world: &mut World) -> Result<()> {
    let repository = soon_settled_example(world).await?;
    world.follow(repository).await
}

/// The example with a second less to settle than by default: there is one proxy, and it follows in a
/// fraction of that.
pub(super) async fn soon_settled_example(world: &mut World) -> Result<Repository> {
    let repository = Repository::create(world.directory.path(), &example(world)?).await?;
    let content = std::fs::read_to_string(repository.clone_directory().join(SETTINGS))?;
    ensure!(content.contains(SETTLE), "{SETTINGS} does not say {SETTLE}");
    repository.write(SETTINGS, &content.replace(SETTLE, "settle: 2s"))?;
    repository.commit("A bed settles sooner").await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(repository)
}

#[given(regex = r#"^the (\w+) team pushes "([^"]+)":$"#)]
#[when(regex = r#"^the (\w+) team pushes "([^"]+)":$"#)]
async fn pushes(world: &mut World, team: String, file: String, step: &Step) -> Result<()> {
    let content = step.docstring.as_deref().context("the step needs the file's content")?;
    let mut content = flaw::read(content.trim_start());
    if let Some(gateway) = harness::gateway_settings(bed().gateway_kind())
        && file == SETTINGS
    {
        content = format!("{}\n{gateway}", content.trim_end());
    }
    let content = harness::in_words_of(bed().gateway_kind(), &content)?;
    let repository = world.repository()?;
    repository.write(&file, &content)?;
    repository.commit(&format!("{team}: {file}")).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[given("the platform team serves the routes of all teams")]
async fn serves_all(world: &mut World) -> Result<()> {
    let copy = example(world)?;
    let repository = world.repository()?;
    for entry in std::fs::read_dir(copy.join("platform"))? {
        let file = entry?.path();
        let text = std::fs::read_to_string(&file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        repository.write(&format!("platform/{name}"), &text)?;
    }
    repository.commit("platform: the routes of all teams").await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[when(regex = r"^the \w+ team reverts (?:its last push|the push before)$")]
async fn reverts(world: &mut World) -> Result<()> {
    // Every revert is a commit too.
    let commit = format!("HEAD~{}", 2 * world.reverted);
    world.reverted += 1;
    let repository = world.repository()?;
    repository.revert(&commit).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[when(regex = r#"^the (\w+) team removes "([^"]+)"$"#)]
async fn removes(world: &mut World, team: String, file: String) -> Result<()> {
    let repository = world.repository()?;
    repository.remove(&file)?;
    repository.commit(&format!("{team}: remove {file}")).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[given(regex = r"^(\w+) is (Stable|Deployed|CanaryTest|Shifting|Shifted)$")]
#[then(regex = r"^(\w+) is (Stable|Deployed|CanaryTest|Shifting|Shifted)$")]
async fn is_in_phase(world: &mut World, service: String, phase: String) -> Result<()> {
    let pushed = world.pushed()?.to_owned();
    let what = format!("{service} in phase {phase} at revision {pushed}");
    let applied = |report: &Service| report.has_applied(&pushed) && report.phase == phase;
    reported(world, &service, &what, applied).await
}

#[then(regex = r"^the timeline of (\w+) is ((?:\w+, )*\w+)$")]
async fn has_timeline(world: &mut World, service: String, phases: String) -> Result<()> {
    let daemon = world.daemon()?;
    let steps = daemon.status.timeline(&service).await?;
    let told: Vec<_> = steps.iter().filter_map(|step| step.phase.as_deref()).collect();
    ensure!(told.join(", ") == phases, "the timeline is {steps:#?}");
    let page = daemon.status.text(&format!("/services/{service}")).await?;
    for step in &steps {
        ensure!(step.applied_at.is_some() && !step.author.is_empty(), "not applied: {step:?}");
        ensure!(page.contains(&step.revision), "the page does not name {}", step.revision);
    }
    Ok(())
}

#[then(regex = r#"^(\w+) (waits|is stalled) because of "([^"]+)"$"#)]
async fn is_held_up(world: &mut World, service: String, how: String, why: String) -> Result<()> {
    let pushed = world.pushed()?.to_owned();
    let state = if how == "waits" { "Progressing" } else { "Stalled" };
    let held_up = |report: &Service| {
        report.last_attempted_revision == pushed && report.state == state && report.says(&why)
    };
    reported(world, &service, &format!("{service} {state} because of {why}"), held_up).await
}

/// Waits until the daemon reports of the service what is wanted.
pub(super) async fn reported(
    world: &World,
    service: &str,
    what: &str,
    wanted: impl Fn(&Service) -> bool,
) -> Result<()> {
    let daemon = world.daemon()?;
    let seen = wait::until(what, async || match daemon.status.get().await {
        Err(error) => Seen::NotYet(format!("{error:#}")),
        Ok(status) => match status.service(service) {
            None => Seen::NotYet("the daemon does not know it".into()),
            Some(report) => Seen::when(wanted(report), report.summary()),
        },
    });
    daemon.process.alive(seen).await
}
