//! Pushing values, and where the rollout then stands.

use anyhow::{Context, Result};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use harness::repository::Repository;
use harness::wait::{self, Seen};

use crate::world::{DEADLINE, World};

#[given("coalmine follows a new repository")]
async fn follows_a_new_repository(world: &mut World) -> Result<()> {
    let nothing = world.directory.path().join("nothing");
    std::fs::create_dir(&nothing)?;
    let repository = Repository::create(world.directory.path(), &nothing).await?;
    world.pushed = Some(repository.head().await?);
    world.follow(repository)
}

#[given("coalmine follows the example rollouts")]
async fn follows_the_example(world: &mut World) -> Result<()> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/rollouts");
    let repository = Repository::create(world.directory.path(), example.as_ref()).await?;
    world.pushed = Some(repository.head().await?);
    world.follow(repository)
}

#[given(regex = r#"^the (\w+) team pushes "([^"]+)":$"#)]
#[when(regex = r#"^the (\w+) team pushes "([^"]+)":$"#)]
async fn pushes(world: &mut World, team: String, file: String, step: &Step) -> Result<()> {
    let content = step.docstring.as_deref().context("the step needs the file's content")?;
    let repository = world.repository()?;
    repository.write(&file, content.trim_start())?;
    repository.commit(&format!("{team}: {file}")).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[then(regex = r"^(\w+) is (Stable|Deployed|CanaryTest|Shifting|Shifted)$")]
async fn is_in_phase(world: &mut World, service: String, phase: String) -> Result<()> {
    let daemon = world.daemon()?;
    let pushed = world.pushed.as_deref().context("no step has pushed anything")?;
    let what = format!("{service} in phase {phase} at revision {pushed}");
    let reached = wait::until(&what, DEADLINE, async || match daemon.status.get().await {
        Err(error) => Seen::NotYet(format!("{error:#}")),
        Ok(status) => match status.service(&service) {
            None => Seen::NotYet("the daemon does not know it".into()),
            Some(report) => {
                let there = report.has_applied(pushed) && report.phase.as_deref() == Some(&phase);
                Seen::when(there, report.summary())
            }
        },
    });
    daemon.process.alive(reached).await
}
