//! Values files with mistakes.

use anyhow::{Context, Result, bail, ensure};
use cucumber::gherkin::Step;
use cucumber::then;
use serde_json::{Value, json};

use super::cluster::objects_of;
use super::rollout::reported;
use crate::world::{World, bed};

#[then(regex = r#"^each of these mistakes in "([^"]+)" is told and changes nothing of (\w+):$"#)]
async fn are_told(world: &mut World, file: String, service: String, step: &Step) -> Result<()> {
    let table = step.table.as_ref().context("the step needs a table of mistakes")?;
    let before = wishes(&service).await?;
    for row in table.rows.iter().skip(1) {
        let [values, told] = row.as_slice() else { bail!("a row is the values and what is told") };
        let repository = world.repository()?;
        repository.write(&file, &values.replace('⏎', "\n"))?;
        repository.commit(&format!("{service}: a mistake")).await?;
        let pushed = repository.push().await?.revision;
        reported(world, &service, &format!("{told} told of {values}"), |report| {
            report.last_attempted_revision == pushed
                && report.state == "Invalid"
                && report.says(told)
        })
        .await?;
        ensure!(wishes(&service).await? == before, "{values} has changed objects of {service}");
    }
    Ok(())
}

/// What the service's objects ask for; their status is the gateway's and changes with any object.
async fn wishes(service: &str) -> Result<Vec<Value>> {
    let (backend, routes) = match bed().gateway_kind().is_of_gateway_api() {
        true => (("Service", format!("{service}-v1")), "HTTPRoute"),
        false => (("Upstream", service.to_owned()), "RouteTable"),
    };
    let mut wishes = Vec::new();
    for (kind, name) in [
        ("Deployment", format!("{service}-v1")),
        ("Service", service.to_owned()),
        backend,
        (routes, format!("{service}-routes")),
    ] {
        let object = objects_of(kind, service)?.get(&name).await?;
        let metadata = object.metadata;
        wishes.push(json!([metadata.labels, metadata.annotations, object.data["spec"]]));
    }
    Ok(wishes)
}
