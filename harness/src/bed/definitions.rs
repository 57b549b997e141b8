//! Definitions of kinds, from YAML files.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::Value;

use super::objects;

/// The API server needs milliseconds for each; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(180);

/// Installs definitions and returns when their kinds can be used.
pub(super) async fn install(client: &Client, definitions: &[Value]) -> Result<()> {
    try_join_all(definitions.iter().map(|definition| objects::apply(client, definition))).await?;
    try_join_all(definitions.iter().map(|definition| established(client, definition))).await?;
    Ok(())
}

async fn established(client: &Client, definition: &Value) -> Result<()> {
    let name = definition.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let established = await_condition(api, name, is_crd_established());
    let waited = tokio::time::timeout(DEADLINE, established).await;
    waited.with_context(|| format!("CustomResourceDefinition {name} is not Established"))??;
    Ok(())
}

/// Every CustomResourceDefinition of a folder's YAML files.
///
/// # Errors
/// The folder cannot be read, holds a file that is no YAML, or no definition.
pub(super) fn read(folder: &Path) -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    let list = fs::read_dir(folder);
    for entry in list.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let found = parse([text.as_str()]);
        definitions.extend(found.with_context(|| format!("cannot read {}", path.display()))?);
    }
    ensure!(
        !definitions.is_empty(),
        "{}: no CustomResourceDefinition in any *.yaml",
        folder.display()
    );
    Ok(definitions)
}

/// Every CustomResourceDefinition of some YAML texts.
pub(super) fn parse<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    for text in files {
        let documents: Vec<Value> = serde_yaml::from_multiple(text)?;
        definitions.extend(
            documents.into_iter().filter(|object| object["kind"] == "CustomResourceDefinition"),
        );
    }
    Ok(definitions)
}
