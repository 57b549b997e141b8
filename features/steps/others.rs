//! What belongs to others, and that it stays as it is.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cucumber::then;
use futures::future::try_join_all;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, TypeMeta};
use kube::discovery::{Discovery, verbs};
use kube::{Client, ResourceExt};
use serde_json::Value;

use crate::world::{World, bed};

/// Kinds whose objects other programs write all the time, or that are written for each change of any route.
const RESTLESS: [&str; 4] = ["Event", "Lease", "Node", "Proxy"];
/// Parts of the metadata that follow each write of a status; of Gloo's kinds the generation does, too.
const FOLLOWING: [&str; 3] = ["resourceVersion", "managedFields", "generation"];

#[then("nothing of others has changed")]
async fn nothing_has_changed(world: &mut World) -> Result<()> {
    let before = &world.company.objects;
    ensure!(!before.is_empty(), "no step has looked at what others have");
    let now = everything().await?;
    let changes = before
        .iter()
        .filter_map(|(name, object)| Some(format!("{name} {}", change(object, now.get(name))?)));
    let changes: Vec<String> = changes.collect();
    ensure!(changes.is_empty(), "of others has changed: {}", changes.join("; "));
    Ok(())
}

/// What has become of an object; nothing where only its status, which controllers write, is another. A
/// Namespace may be shared: it keeps what it has.
fn change(before: &Value, now: Option<&Value>) -> Option<String> {
    let Some(now) = now else { return Some("is gone".to_owned()) };
    if before["metadata"]["uid"] != now["metadata"]["uid"] {
        return Some("was deleted and made again".to_owned());
    }
    if now["kind"] == "Namespace" {
        let (before, now) = (&before["metadata"]["labels"], &now["metadata"]["labels"]);
        let mut labels = before.as_object().into_iter().flatten();
        let lost = labels.find(|(key, value)| now.get(key) != Some(value))?;
        return Some(format!("has lost its label {}", lost.0));
    }
    let managers = now["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut managers = managers.filter_map(|entry| entry["manager"].as_str());
    if let Some(manager) = managers.find(|manager| manager.starts_with("coalmine")) {
        return Some(format!("has fields of {manager}"));
    }
    let content = |object: &Value| {
        let mut object = object.clone();
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.retain(|key, _| !FOLLOWING.contains(&key.as_str()));
        }
        object
    };
    let (before, now) = (content(before), content(now));
    (before != now).then(|| format!("was {before} and is {now}"))
}

/// Everything that is on the cluster, but for what Kubernetes has for itself and what it is deleting.
pub(super) async fn everything() -> Result<BTreeMap<String, Value>> {
    let client = bed().client();
    let discovery = Discovery::new(client.clone()).run_aggregated().await?;
    let kinds = discovery.groups().flat_map(|group| group.recommended_resources());
    let kinds = kinds.filter(|(kind, can)| {
        [verbs::LIST, verbs::WATCH, verbs::DELETE].iter().all(|verb| can.supports_operation(verb))
            && !RESTLESS.contains(&kind.kind.as_str())
    });
    let lists = kinds.map(|(kind, _)| list(client.clone(), kind));
    let objects: Vec<DynamicObject> = try_join_all(lists).await?.into_iter().flatten().collect();
    let (ending, lasting): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object.metadata.deletion_timestamp.is_some());
    let ending: Vec<String> = ending.iter().map(ResourceExt::name_any).collect();
    let theirs = lasting.into_iter().filter(|object| {
        let namespace = object.namespace().unwrap_or_default();
        !namespace.starts_with("kube-") && !ending.contains(&namespace)
    });
    theirs.map(|object| Ok((name(&object), serde_json::to_value(object)?))).collect()
}

async fn list(client: Client, kind: ApiResource) -> Result<Vec<DynamicObject>> {
    let list = Api::<DynamicObject>::all_with(client, &kind).list(&ListParams::default()).await;
    let list = list.with_context(|| format!("cannot list {}", kind.plural))?;
    let types = TypeMeta { api_version: kind.api_version, kind: kind.kind };
    // The items of a list do not repeat their kind.
    let items = list.items.into_iter();
    Ok(items.map(|object| DynamicObject { types: Some(types.clone()), ..object }).collect())
}

pub(super) fn name(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
    let namespace = object.namespace().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{kind} {namespace}{}", object.name_any())
}
