//! What people type.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cucumber::{given, then, when};
use harness::repository::Repository;
use tokio::process::Command;

use super::rollout::example;
use crate::flaw;
use crate::world::{World, bed};

#[given("a copy of the example rollouts, and no daemon")]
async fn a_copy(world: &mut World) -> Result<()> {
    world.repository = Some(Repository::create(world.directory.path(), &example(world)?).await?);
    Ok(())
}

#[when(regex = r#"^somebody runs "coalmine (.+)"$"#)]
async fn runs(world: &mut World, arguments: String) -> Result<()> {
    runs_as(world, arguments, bed().kubeconfig()).await
}

#[when(regex = r#"^somebody with the daemon's rights runs "coalmine (.+)"$"#)]
async fn runs_with_its_rights(world: &mut World, arguments: String) -> Result<()> {
    let account = world.account().await?;
    runs_as(world, arguments, &account).await
}

async fn runs_as(world: &mut World, arguments: String, kubeconfig: &Path) -> Result<()> {
    let folder = world.repository()?.clone_directory().to_owned();
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    command.args(flaw::arguments(&arguments)).current_dir(folder).env("KUBECONFIG", kubeconfig);
    if let Some(daemon) = &world.daemon {
        command.env("COALMINE_SERVER", daemon.status.base());
    }
    let mut output = command.kill_on_drop(true).output().await?;
    output.status = flaw::exit(output.status);
    world.ended = Some(output);
    Ok(())
}

#[when(regex = r#"^somebody pushes and runs "coalmine run --once"$"#)]
async fn pushes_and_runs_once(world: &mut World) -> Result<()> {
    let repository = world.repository()?;
    repository.commit("by hand").await?;
    repository.push().await?;
    let bare = repository.bare().display().to_string();
    let state = world.directory.path().join("state").display().to_string();
    let account = world.account().await?;
    runs_as(world, format!("run --once --repo {bare} --state-dir {state}"), &account).await
}

#[when(regex = r#"^somebody changes "([^"]+)" to "([^"]+)" in "([^"]+)"$"#)]
async fn changes(world: &mut World, old: String, new: String, file: String) -> Result<()> {
    let repository = world.repository()?;
    let content = std::fs::read_to_string(repository.clone_directory().join(&file))?;
    ensure!(content.contains(&old), "{file} does not contain {old}");
    repository.write(&file, &content.replace(&old, &new))
}

#[then(regex = r#"^it ends with (\d)(?: and says "([^"]+)")?$"#)]
async fn ends_with(world: &mut World, code: i32, words: String) -> Result<()> {
    let output = world.ended.take().context("no step has run a command")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(output.status.code() == Some(code), "it ended with {}:\n{said}", output.status);
    ensure!(said.contains(&words), "it does not say {words}:\n{said}");
    Ok(())
}
