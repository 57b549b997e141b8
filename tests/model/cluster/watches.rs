//! What the watches tell the daemon, and when: late, in another order between the kinds (never within
//! one), or only with the next list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use coalmine::cache::Cache;
use coalmine::cluster::WatchedKind;
use coalmine_core::labels::INSTANCE as LABEL;
use coalmine_core::object::ObjectId;
use kube::runtime::watcher::Event as Told;
use serde_json::Value;

use super::INSTANCE;
use super::store::Change;
use crate::actions::Watching;
use crate::world::{Event, World};

/// How often everything is listed anew.
const RELIST: i64 = 100_000;

/// The watches of one process.
#[derive(Default)]
pub(crate) struct Watches {
    cache: Option<Cache>,
    queues: BTreeMap<WatchedKind, Queue>,
    /// Until when events of a kind come late or not at all.
    pub(crate) stale_until: BTreeMap<String, i64>,
    pub(crate) losing_until: BTreeMap<String, i64>,
}

#[derive(Default)]
struct Queue {
    /// When it is due, of which moment it speaks, and what it says.
    waiting: VecDeque<(i64, i64, Told<Value>)>,
    /// What the watch has shown, for the kinds of which it shows only ours.
    shown: BTreeSet<ObjectId>,
    /// Since when something is missing that only a list brings.
    lost_since: Option<i64>,
    /// It goes on from a version that the store has yet to reach: nothing comes until the next list.
    is_ahead: bool,
}

impl World {
    /// A new process begins: everything is listed.
    pub(crate) fn follow_for(&mut self, cache: &Cache) {
        self.watches.cache = Some(cache.clone());
        self.watches.queues.clear();
        for kind in WatchedKind::of_services() {
            self.list(&kind, 0);
            self.deliver(&kind);
        }
    }

    /// Nobody watches any more.
    pub(crate) fn stop_following(&mut self) {
        self.watches.cache = None;
        self.watches.queues.clear();
    }

    /// Lists a kind anew; the answer comes after a while.
    pub(crate) fn list(&mut self, kind: &WatchedKind, lag: i64) {
        let Some(cache) = &self.watches.cache else { return };
        cache.receive(kind, Told::Init);
        let now = self.now;
        let listed = self.store.of_kind(&kind.kind);
        let listed: Vec<_> = listed.into_iter().filter(|(_, object)| shows(kind, object)).collect();
        let queue = self.watches.queues.entry(kind.clone()).or_default();
        let of = queue.waiting.front().map_or(now, |(_, of, _)| *of);
        let of = queue.lost_since.take().map_or(of, |lost| lost.min(of));
        queue.is_ahead = false;
        queue.waiting.clear();
        queue.shown = listed.iter().map(|(id, _)| id.clone()).collect();
        let told = listed.into_iter().map(|(_, object)| Told::InitApply(object));
        queue.waiting.extend(told.chain([Told::InitDone]).map(|told| (now + lag, of, told)));
        self.plan(lag, Event::Deliver(kind.clone()));
        let next = RELIST + self.random.i64(0..RELIST / 10);
        self.plan(next, Event::Relist(kind.clone()));
    }

    /// Something has changed: the watch will tell it.
    pub(crate) fn tell_watches(&mut self, id: &ObjectId, change: &Change) {
        let mut kinds = WatchedKind::of_services();
        let Some(kind) = kinds.find(|k| k.kind == id.kind && k.api_version == id.api_version)
        else {
            return;
        };
        if self.watches.cache.is_none() {
            return;
        }
        let until = |of: &BTreeMap<String, i64>| of.get(&kind.kind).copied().unwrap_or(0);
        let (stale_until, losing_until) =
            (until(&self.watches.stale_until), until(&self.watches.losing_until));
        let now = self.now;
        let lag = self.random.i64(1..150);
        let queue = self.watches.queues.entry(kind.clone()).or_default();
        let told = match change {
            Change::Now(object) if shows(&kind, object) => {
                queue.shown.insert(id.clone());
                Told::Apply(object.clone())
            }
            Change::Now(object) | Change::Gone(object) => {
                if !queue.shown.remove(id) {
                    return;
                }
                Told::Delete(object.clone())
            }
        };
        if losing_until > now || queue.is_ahead {
            queue.lost_since.get_or_insert(now);
            return;
        }
        let due = stale_until.max(now + lag);
        let due = queue.waiting.back().map_or(due, |(last, ..)| due.max(*last));
        queue.waiting.push_back((due, now, told));
        self.plan(due - now, Event::Deliver(kind));
    }

    /// Tells what is due.
    pub(crate) fn deliver(&mut self, kind: &WatchedKind) {
        let Some(cache) = self.watches.cache.clone() else { return };
        let Some(queue) = self.watches.queues.get_mut(kind) else { return };
        while queue.waiting.front().is_some_and(|(due, ..)| *due <= self.now) {
            let Some((_, _, told)) = queue.waiting.pop_front() else { return };
            cache.receive(kind, told);
        }
    }

    /// The store went back: what the daemon knows of a kind counts for nothing until the next list.
    pub(crate) fn outdate(&mut self, watching: Watching) {
        if self.watches.cache.is_none() {
            return;
        }
        for kind in WatchedKind::of_services() {
            let queue = self.watches.queues.entry(kind.clone()).or_default();
            queue.lost_since.get_or_insert(self.now);
            match watching {
                Watching::Expires => {
                    let soon = self.random.i64(1..2_000);
                    self.plan(soon, Event::Relist(kind));
                }
                Watching::GoesOn => {}
                Watching::IsSilent => queue.is_ahead = true,
            }
        }
    }

    /// Up to which moment the daemon knows all about these kinds.
    pub(crate) fn known_until(&self, kinds: &[&str]) -> i64 {
        let queues = self.watches.queues.iter().filter(|(kind, _)| kinds.contains(&&*kind.kind));
        let moments = queues.flat_map(|(_, queue)| {
            let waiting = queue.waiting.front().map(|(_, of, _)| *of);
            waiting.into_iter().chain(queue.lost_since)
        });
        moments.min().unwrap_or(self.now)
    }
}

fn shows(kind: &WatchedKind, object: &Value) -> bool {
    !kind.only_ours || object["metadata"]["labels"][LABEL] == INSTANCE
}
