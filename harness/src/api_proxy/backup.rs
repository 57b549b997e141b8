//! Objects that are brought back to how they were, as when the API server's store is restored from a backup.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hyper::Method;
use kube::Client;
use serde_json::{Value, json};

use super::versions::{Era, Versions};
use crate::wait::{Seen, until};

/// How long an object may take to be gone, and how often somebody else may write it meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// How some collections were, and the newest version of the store then.
#[derive(Debug)]
pub struct Backup {
    collections: Vec<String>,
    /// By the object's path.
    objects: BTreeMap<String, Value>,
    version: u64,
}

/// What becomes of the watches that are under way when the store goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watches {
    /// They end with 410: their clients list again.
    Expire,
    /// They end without a word, as when the API server is started again. Their clients go on from a version that the
    /// store has not reached yet, and hear nothing until it has.
    Close,
    /// They go on, with versions lower than those before.
    GoOn,
}

impl Backup {
    /// Reads all objects of these collections, paths such as `/apis/apps/v1/deployments`, with a `labelSelector` or
    /// without.
    pub(super) async fn take(
        client: &Client,
        collections: &[&str],
        versions: &Versions,
    ) -> Result<Self> {
        let collections: Vec<String> = collections.iter().map(|it| (*it).to_owned()).collect();
        let (objects, version) = read(client, &collections).await?;
        Ok(Self { collections, objects, version: versions.shown(version) })
    }

    /// Brings the objects back, and says what this means for versions. An object that was deleted since is made again
    /// with another uid; nothing else of it differs.
    pub(super) async fn restore(&self, client: &Client, versions: &Versions) -> Result<Era> {
        let (now, _) = read(client, &self.collections).await?;
        for path in now.keys().filter(|path| !self.objects.contains_key(*path)) {
            remove(client, path).await?;
        }
        let mut restored = BTreeMap::new();
        for (path, before) in &self.objects {
            let is_the_same = now.get(path).is_some_and(|now| number(now) == number(before));
            if !is_the_same {
                let written = bring_back(client, path, before, now.get(path)).await?;
                restored.insert(versions.shown(written), versions.shown(number(before)));
            }
        }
        let (_, version) = read(client, &self.collections).await?;
        Ok(Era { kept: self.version, gone: versions.shown(version), restored })
    }
}

/// The objects of collections by their paths, and the version of the store.
async fn read(client: &Client, collections: &[String]) -> Result<(BTreeMap<String, Value>, u64)> {
    let (mut objects, mut version) = (BTreeMap::new(), 0);
    for collection in collections {
        let list = ask(client, Method::GET, collection, None).await?;
        let list = list.with_context(|| format!("the API server does not serve {collection}"))?;
        version = number(&list).max(version);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&list["apiVersion"]), text(&list["kind"]));
        for item in list["items"].as_array().into_iter().flatten() {
            let mut item = item.clone();
            // The objects of a list need not say their kind.
            item["apiVersion"] = api_version.as_str().into();
            item["kind"] = kind.trim_end_matches("List").into();
            objects.insert(path(collection, &item)?, item);
        }
    }
    Ok((objects, version))
}

/// The path of an object of a collection.
fn path(collection: &str, object: &Value) -> Result<String> {
    let collection = collection.split('?').next().unwrap_or_default();
    let (group, plural) = collection.rsplit_once('/').context("no path of a collection")?;
    let name = object["metadata"]["name"].as_str().context("an object without a name")?;
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("{group}/{plural}/{name}"),
    })
}

fn number(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

async fn remove(client: &Client, path: &str) -> Result<()> {
    let options =
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
    ask(client, Method::DELETE, path, Some(&options)).await?;
    until(&format!("{path} to be gone"), PATIENCE, async || {
        match ask(client, Method::GET, path, None).await {
            Ok(found) => Seen::when(found.is_none(), "it is there"),
            Err(error) => Seen::from_result(Err(error)),
        }
    })
    .await
}

/// Writes an object as it was; returns the version that it has then. Two writes are needed: what the first one changes
/// belongs to whoever makes it, and the second one, which changes nothing else, says to whom each field belonged.
async fn bring_back(
    client: &Client,
    path: &str,
    before: &Value,
    now: Option<&Value>,
) -> Result<u64> {
    let owners = before["metadata"]["managedFields"].clone();
    let mut now = now.cloned();
    for owners in [Value::Null, owners] {
        now = Some(put(client, path, before, now, &owners).await?);
    }
    Ok(now.as_ref().map(number).unwrap_or_default())
}

async fn put(
    client: &Client,
    path: &str,
    before: &Value,
    mut now: Option<Value>,
    owners: &Value,
) -> Result<Value> {
    for _ in 0..20 {
        let mut object = before.clone();
        object["metadata"]["managedFields"] = owners.clone();
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        for field in ["resourceVersion", "uid"] {
            metadata.remove(field);
            if let Some(now) = &now {
                metadata.insert(field.into(), now["metadata"][field].clone());
            }
        }
        let written = match &now {
            Some(_) => ask(client, Method::PUT, path, Some(&object)).await,
            None => {
                let collection = path.rsplit_once('/').context("no path of an object")?.0;
                ask(client, Method::POST, collection, Some(&object)).await
            }
        };
        match written {
            Ok(Some(written)) => return Ok(written),
            // Somebody else has written it, or deleted it.
            Ok(None) => now = None,
            Err(error) if is_conflict(&error) => now = ask(client, Method::GET, path, None).await?,
            Err(error) => return Err(error),
        }
    }
    bail!("{path} cannot be brought back: somebody else writes it again and again")
}

fn is_conflict(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<kube::Error>();
    matches!(status, Some(kube::Error::Api(status)) if status.code == 409)
}

/// What the API server answers, `None` when it has no such object.
async fn ask(
    client: &Client,
    method: Method,
    target: &str,
    body: Option<&Value>,
) -> Result<Option<Value>> {
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request = hyper::Request::builder()
        .method(&method)
        .uri(target)
        .header("content-type", "application/json")
        .body(body)?;
    match client.request::<Value>(request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => {
            Err(anyhow::Error::new(error).context(format!("{method} {target} was not answered")))
        }
    }
}
