//! The objects that decide about routing, as the API server holds them, change by change.

use std::{
    collections::BTreeSet,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{
    Stream, StreamExt as _,
    stream::{BoxStream, SelectAll, select_all},
};
use gloo::{ObjectRef, Snapshot};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher, watcher::Event},
};
use serde_json::Value;

use super::{
    kinds::{KINDS, resource},
    statuses::Statuses,
};

/// One change of one object.
pub(super) enum Change {
    /// The object as it is now.
    Is(ObjectRef, Value),
    /// The object is gone.
    Gone(ObjectRef),
    /// Every object of the kind there is: what is not among them is gone.
    All(&'static str, BTreeSet<ObjectRef>),
}

/// All changes of all kinds; each kind begins with the objects that are there.
pub(super) struct Objects {
    changes: SelectAll<BoxStream<'static, Change>>,
    missing: BTreeSet<&'static str>,
}

impl Objects {
    pub(super) fn new(client: &Client) -> Self {
        let kinds = KINDS.map(|(_, _, kind, _)| kind);
        let streams = kinds.iter().filter_map(|kind| Some(watch(client, kind, &resource(kind)?)));
        Self { changes: select_all(streams), missing: kinds.into_iter().collect() }
    }

    /// Whether every kind was listed once.
    pub(super) fn complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Stream for Objects {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let next = self.changes.poll_next_unpin(context);
        if let Poll::Ready(Some(Change::All(kind, _))) = &next {
            self.missing.remove(kind);
        }
        next
    }
}

/// Takes a change over into the translation's input, and into what is known about statuses.
pub(super) fn apply(change: Change, snapshot: &mut Snapshot, statuses: &mut Statuses) {
    let gone = match change {
        Change::Is(object, value) => {
            snapshot.upsert(&value);
            statuses.seen(object, &value);
            return;
        }
        Change::Gone(object) => vec![object],
        Change::All(kind, there) => statuses.others(kind, &there),
    };
    for object in gone {
        snapshot.remove(&object.kind, &object.namespace, &object.name);
        statuses.gone(&object);
    }
}

fn watch(
    client: &Client,
    kind: &'static str,
    resource: &ApiResource,
) -> BoxStream<'static, Change> {
    let api = Api::<DynamicObject>::all_with(client.clone(), resource);
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut listed = BTreeSet::new();
    let change = move |event| {
        let change = match event {
            Ok(Event::Init) => {
                listed.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                let change = is(kind, object);
                if let Some(Change::Is(object, _)) = &change {
                    listed.insert(object.clone());
                }
                change
            }
            Ok(Event::InitDone) => Some(Change::All(kind, std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => is(kind, object),
            Ok(Event::Delete(object)) => Some(Change::Gone(reference(kind, &object))),
            Err(error) => {
                tracing::warn!(kind, %error, "the watch was interrupted");
                None
            }
        };
        futures::future::ready(change)
    };
    events.filter_map(change).boxed()
}

fn is(kind: &str, object: DynamicObject) -> Option<Change> {
    let reference = reference(kind, &object);
    // What came as JSON goes back to JSON.
    let mut value = serde_json::to_value(object).ok()?;
    // The items of a list do not repeat their kind.
    value["kind"] = kind.into();
    Some(Change::Is(reference, value))
}

fn reference(kind: &str, object: &DynamicObject) -> ObjectRef {
    ObjectRef::new(kind, &object.namespace().unwrap_or_default(), &object.name_any())
}
