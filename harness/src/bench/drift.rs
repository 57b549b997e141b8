//! From somebody's edit to its repair.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{
    figures::{Drift, Spread, seconds},
    fleet::{Objects, covers},
    observer::{Id, Observer, Seen},
    stage::Stage,
};

/// How long one repair may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Edits in a row that nobody repairs.
const VAIN: usize = 2;
/// Who edits.
const SOMEBODY: &str = "kubectl-edit";

/// Edits one RouteTable or Deployment after the other, none of them twice: that would be a fight,
/// which the daemon does not have to win.
pub(super) async fn measure(
    stage: &Stage,
    observer: &mut Observer,
    expected: &Objects,
    edits: usize,
    limit: Duration,
) -> Result<Drift> {
    let objects: Vec<(&Id, &Value)> = expected.iter().filter(|(id, _)| is_edited(id)).collect();
    anyhow::ensure!(!objects.is_empty(), "there is nothing to edit");
    let end = Instant::now() + limit;
    let (mut repaired, mut missed) = (Vec::new(), 0);
    let edits = edits.min(objects.len());
    for n in 0..edits {
        if Instant::now() >= end || missed >= VAIN {
            break;
        }
        let (id, asked) = objects[n * objects.len() / edits];
        observer.skip();
        let begun = Instant::now();
        let edited = edit(stage, id).await?;
        let fits =
            |seen: &Seen| seen.id == *id && seen.version > edited && covers(&seen.spec, asked);
        match observer.when(PATIENCE, fits).await {
            None => missed += 1,
            Some(at) => repaired.push(seconds(begun, at)),
        }
    }
    Ok(Drift { repaired: Spread::of(repaired), missed })
}

fn is_edited(id: &Id) -> bool {
    id.kind == "RouteTable" || id.kind == "Deployment"
}

/// Changes one field and gives the object's version with that change.
async fn edit(stage: &Stage, id: &Id) -> Result<u64> {
    let (path, value) = match id.kind.as_str() {
        "RouteTable" => ("/spec/routes/0/matchers/0/prefix", "/elsewhere"),
        _ => ("/spec/template/spec/containers/0/image", "elsewhere/echo"),
    };
    let patch = serde_json::from_value(json!([{"op": "replace", "path": path, "value": value}]))?;
    let parameters = PatchParams { field_manager: Some(SOMEBODY.into()), ..Default::default() };
    let edited = id.api(&stage.bed.client())?;
    let edited = edited.patch(&id.name, &parameters, &Patch::<()>::Json(patch)).await;
    let edited = edited.with_context(|| format!("cannot edit {} {}", id.kind, id.name))?;
    let version = edited.metadata.resource_version.and_then(|version| version.parse().ok());
    version.context("an object without a resource version")
}
