//! What people and controllers change behind the repository's back.

use anyhow::{Context, Result, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use futures::StreamExt;
use harness::wait::Seen;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use harness::status::Service;

use super::cluster::objects_of;
use super::rollout::reported;
use crate::wait;
use crate::world::World;

#[when(regex = r"^somebody deletes the (\w+) (\S+)/(\S+)$")]
async fn deletes(_: &mut World, kind: String, namespace: String, name: String) -> Result<()> {
    objects_of(&kind, &namespace)?.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}

#[given(regex = r#"^"([\w-]+)" changes the (\w+) (\S+)/(\S+):$"#)]
#[when(regex = r#"^"([\w-]+)" changes the (\w+) (\S+)/(\S+):$"#)]
async fn changes(
    _: &mut World,
    manager: String,
    kind: String,
    namespace: String,
    name: String,
    step: &Step,
) -> Result<()> {
    let patch: Value = read(step)?;
    let parameters = PatchParams { field_manager: Some(manager), ..PatchParams::default() };
    objects_of(&kind, &namespace)?.patch(&name, &parameters, &Patch::Merge(patch)).await?;
    Ok(())
}

#[when(regex = r#"^"([\w-]+)" keeps changing the (\w+) (\S+)/(\S+):$"#)]
async fn keeps_changing(
    world: &mut World,
    manager: String,
    kind: String,
    namespace: String,
    name: String,
    step: &Step,
) -> Result<()> {
    let patch = Patch::Merge(read(step)?);
    let parameters = PatchParams { field_manager: Some(manager), ..PatchParams::default() };
    let api = objects_of(&kind, &namespace)?;
    let stubborn = async move {
        let mut states = watcher::watch_object(api.clone(), &name).default_backoff().boxed();
        while let Some(state) = states.next().await {
            // A change that nothing undid is none to the API server.
            if let Ok(Some(_)) = state {
                let _ = api.patch(&name, &parameters, &patch).await;
            }
        }
    };
    world.rivals.push(AbortOnDropHandle::new(tokio::spawn(stubborn)));
    Ok(())
}

#[given(regex = r#"^"([\w-]+)" adds to the (\w+) (\S+)/(\S+):$"#)]
#[when(regex = r#"^"([\w-]+)" takes over of the (\w+) (\S+)/(\S+):$"#)]
async fn applies_with_force(
    _: &mut World,
    manager: String,
    kind: String,
    namespace: String,
    name: String,
    step: &Step,
) -> Result<()> {
    let object: Value = read(step)?;
    let parameters = PatchParams::apply(&manager).force();
    objects_of(&kind, &namespace)?.patch(&name, &parameters, &Patch::Apply(object)).await?;
    Ok(())
}

#[then(regex = r#"^the (\w+) (\S+)/(\S+) has (.+) at "([^"]+)"$"#)]
async fn has(
    _: &mut World,
    kind: String,
    namespace: String,
    name: String,
    value: String,
    field: String,
) -> Result<()> {
    let wanted: Value = serde_json::from_str(&value).context("the value is JSON")?;
    let api = objects_of(&kind, &namespace)?;
    wait::until(&format!("{kind} {namespace}/{name} with {value}"), async || {
        match api.get_opt(&name).await {
            Ok(Some(object)) => {
                let object = serde_json::to_value(object).unwrap_or_default();
                let found = object.pointer(&field).cloned().unwrap_or_default();
                Seen::when(found == wanted, format!("{field} is {found}"))
            }
            Ok(None) => Seen::NotYet("it does not exist".into()),
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

#[then(regex = r#"^(\w+) is (Drifted|Fighting) because of "([^"]+)"$"#)]
async fn shows(world: &mut World, service: String, condition: String, why: String) -> Result<()> {
    let shows = |report: &Service| {
        let mut conditions = report.conditions.iter();
        report.holds(&condition)
            && conditions.any(|one| one.r#type == condition && one.message.contains(&why))
    };
    reported(world, &service, &format!("{service} {condition} because of {why}"), shows).await
}

#[then(regex = r#"^coalmine's log says "(.+)"$"#)]
async fn log_says(world: &mut World, words: String) -> Result<()> {
    let log = world.directory.path().join("coalmine.log");
    wait::until(&format!("{words} in the log"), async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        Seen::when(text.contains(&words), "the log does not say it")
    })
    .await
}

#[then(regex = r#"^coalmine's log never says "(.+)"$"#)]
async fn log_never_says(world: &mut World, words: String) -> Result<()> {
    let text = std::fs::read_to_string(world.directory.path().join("coalmine.log"))?;
    let line = text.lines().find(|line| line.contains(&words));
    ensure!(line.is_none(), "the log says: {}", line.unwrap_or_default());
    Ok(())
}

fn read(step: &Step) -> Result<Value> {
    let text = step.docstring.as_deref().context("the step needs an object")?;
    Ok(serde_yaml::from_str(text.trim_start())?)
}
