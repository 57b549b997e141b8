//! What becomes of objects at the API server, as somebody beside the daemon sees it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};

/// The kinds that a service becomes.
const KINDS: [(&str, &str, &str); 4] = [
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("gloo.solo.io", "v1", "Upstream"),
    ("gateway.solo.io", "v1", "RouteTable"),
];
/// What every object that is measured carries.
const LABEL: &str = "app.kubernetes.io/managed-by=coalmine";

/// Nobody changes an object this long: the controllers have caught up.
const REST: Duration = Duration::from_secs(5);

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// An object as it is from now on.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: Id,
    pub(super) spec: Value,
    pub(super) version: u64,
    pub(super) at: Instant,
}

/// Every object that is measured, with its spec.
pub(super) async fn list(client: &Client) -> Result<Vec<(Id, Value)>> {
    let mut all = Vec::new();
    for kind in KINDS {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
        let listed = api.list(&ListParams::default().labels(LABEL)).await;
        let listed = listed.with_context(|| format!("cannot list every {}", kind.2))?;
        all.extend(listed.into_iter().map(|object| taken_apart(kind.2, object)));
    }
    Ok(all)
}

/// Watches of all kinds; dropping it ends them.
pub(super) struct Observer {
    seen: mpsc::UnboundedReceiver<Seen>,
    _watches: JoinSet<()>,
}

impl Id {
    pub(super) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    pub(super) fn of(object: &Value) -> Option<Self> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let (kind, name) = (text("/kind")?, text("/metadata/name")?);
        Some(Self::new(kind, text("/metadata/namespace").unwrap_or_default(), name))
    }

    /// The API of the object's kind, in its namespace.
    pub(super) fn api(&self, client: &Client) -> Result<Api<DynamicObject>> {
        let kind = KINDS.iter().find(|(_, _, kind)| *kind == self.kind);
        let kind = kind.with_context(|| format!("{} is none of the kinds", self.kind))?;
        Ok(Api::namespaced_with(client.clone(), &self.namespace, &resource(*kind)))
    }
}

impl Observer {
    pub(super) fn start(client: &Client) -> Self {
        let (report, seen) = mpsc::unbounded_channel();
        let mut watches = JoinSet::new();
        for kind in KINDS {
            let api = Api::all_with(client.clone(), &resource(kind));
            watches.spawn(watch(api, kind.2, report.clone()));
        }
        Self { seen, _watches: watches }
    }

    /// Forgets what was seen until now.
    pub(super) fn skip(&mut self) {
        while self.seen.try_recv().is_ok() {}
    }

    /// Waits until nobody has changed an object for a while.
    pub(super) async fn rest(&mut self, deadline: Duration) {
        let end = Instant::now() + deadline;
        while self.next(end.min(Instant::now() + REST)).await.is_some() {}
    }

    /// The next sight; `None` when there is none before `end`.
    async fn next(&mut self, end: Instant) -> Option<Seen> {
        tokio::time::timeout_at(end.into(), self.seen.recv()).await.ok().flatten()
    }

    /// When an object was first seen as it should be; `None` when it is not before the deadline.
    pub(super) async fn when(
        &mut self,
        deadline: Duration,
        fits: impl Fn(&Seen) -> bool,
    ) -> Option<Instant> {
        let end = Instant::now() + deadline;
        loop {
            let seen = self.next(end).await?;
            if fits(&seen) {
                return Some(seen.at);
            }
        }
    }
}

fn resource((group, version, kind): (&str, &str, &str)) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

async fn watch(api: Api<DynamicObject>, kind: &str, report: mpsc::UnboundedSender<Seen>) {
    let config = watcher::Config::default().labels(LABEL);
    let mut events = watcher(api, config).default_backoff().boxed();
    while let Some(event) = events.next().await {
        let object = match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => object,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, kind, "a watch is interrupted");
                continue;
            }
        };
        let version = object.metadata.resource_version.as_deref().and_then(|v| v.parse().ok());
        let (id, spec) = taken_apart(kind, object);
        let seen = Seen { id, spec, version: version.unwrap_or_default(), at: Instant::now() };
        if report.send(seen).is_err() {
            return;
        }
    }
}

fn taken_apart(kind: &str, object: DynamicObject) -> (Id, Value) {
    let DynamicObject { metadata, mut data, .. } = object;
    let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
    let id = Id::new(kind, namespace.unwrap_or_default(), name.unwrap_or_default());
    (id, data.get_mut("spec").map(Value::take).unwrap_or_default())
}
