//! The cluster as watches show it: one watch per kind, and of each object what decisions need.
//!
//! What we write ourselves is entered at once from the API server's answer, so that no decision rests
//! on a state from before our own last write; a watch event that is older than what is known is
//! passed over. What a complete list says is taken as it is, unless we were answered since it began: after
//! the API server's store was restored from a backup everything is older than what was known.

mod following;
mod state;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gloo::Snapshot;
use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::sync::{mpsc, watch as channel};

use crate::cluster::{Cluster, Namespaces, WatchedKind};
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::{Addresses, Facts, PodFacts};
use coalmine_core::reason::Reason;
use following::Trouble;
use state::{Origin, State};
pub(crate) use watch::longest_silence;

/// Something in the cluster is no longer as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// An object of this service, or a pod of it.
    Service(Arc<str>),
    /// An object of somebody else's that Gloo's routing rests on.
    Foreign,
}

/// How the watch of a kind goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// It has begun, and does not know its objects yet.
    Begun,
    /// It goes on: something came, or its time to list everything anew.
    Alive,
    /// It knows its objects.
    Synced,
    /// It broke, and is begun anew.
    Broken,
}

/// Told how the watches go.
pub type Notice = Arc<dyn Fn(&WatchedKind, Watching) + Send + Sync>;

/// Everything that routing rests on at one moment.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// By Gloo's kinds.
    pub gloo: Snapshot,
    /// By the Gateway API, as far as it was read; `None` where nobody uses it.
    pub gateway_api: Option<gateway_api::Snapshot>,
    /// A number that changes with it.
    pub version: u64,
}

/// The live state; cloning gives another handle on the same.
#[derive(Clone)]
pub struct Cache {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    touched: mpsc::UnboundedSender<Touched>,
    notice: Notice,
    /// How many kinds are still without their first list.
    unsynced: channel::Sender<usize>,
    /// Counts the times at which everything was to be listed anew.
    relist: channel::Sender<u64>,
}

impl Cache {
    /// An empty state, and where it says what changes. `notice` is told how the watches go.
    pub fn new(instance: &str, notice: Notice) -> (Self, mpsc::UnboundedReceiver<Touched>) {
        Self::within(instance, Namespaces::default(), notice)
    }

    /// The same for a cluster of which only these namespaces are watched, each for itself. What is entered of others is
    /// looked at, and never ours.
    pub fn within(
        instance: &str,
        namespaces: Namespaces,
        notice: Notice,
    ) -> (Self, mpsc::UnboundedReceiver<Touched>) {
        let (touched, receiver) = mpsc::unbounded_channel();
        let shared = Shared {
            state: Mutex::new(State::new(instance, namespaces)),
            touched,
            notice,
            unsynced: channel::Sender::new(0),
            relist: channel::Sender::new(0),
        };
        (Self { shared: Arc::new(shared) }, receiver)
    }

    /// Begins to watch a kind; nothing if it is watched already. The returned future keeps the state of the
    /// kind current for as long as it is polled, and does not end. Every `resync` the kind is listed anew,
    /// in case an event was missed.
    pub fn watch(
        &self,
        cluster: &Cluster,
        kind: WatchedKind,
        resync: Duration,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        if !self.state().begin_kind(&kind) {
            return None;
        }
        self.count_unsynced();
        (self.shared.notice)(&kind, Watching::Begun);
        Some(watch::follow(self.clone(), cluster.clone(), kind, resync))
    }

    /// Returns once every kind that services rest on has been listed. Where each namespace is watched for itself, one
    /// that may not be listed is left out: who has objects there [waits](Self::unknown), and nobody else.
    pub async fn synced(&self) {
        let mut unsynced = self.shared.unsynced.subscribe();
        // The sender lives as long as `self`.
        let _ = unsynced.wait_for(|count| *count == 0).await;
    }

    /// What keeps one of these objects from being known: that its kind was not listed yet, or why it
    /// cannot be.
    pub fn unlisted<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> Option<Reason> {
        let state = self.state();
        let mut ids = ids;
        ids.find_map(|id| state.unlisted(id))
    }

    /// Waits no longer for namespaces whose lists do not come, if at least one is known. False when none is.
    pub fn leave_out(&self) -> bool {
        let others_go_on = self.state().leave_out();
        self.count_unsynced();
        others_go_on
    }

    /// What keeps one of these namespaces from being known, where each is watched for itself.
    pub fn unknown(&self, namespaces: &BTreeSet<&str>) -> Option<Reason> {
        self.state().unknown(namespaces)
    }

    /// What is not read where not all namespaces are, for people; `None` where all are.
    pub fn blind_spot(&self) -> Option<String> {
        self.state().blind_spot()
    }

    /// Whether the object's kind is being listed for the first time, and nothing went wrong with that.
    pub fn is_being_listed(&self, id: &ObjectId) -> bool {
        self.state().is_being_listed(id)
    }

    /// Whether the cluster serves none of Gloo's kinds.
    pub fn lacks_gloo(&self) -> bool {
        self.state().lacks_gloo()
    }

    /// Why kinds cannot be watched now, one sentence each.
    pub fn troubles(&self) -> Vec<String> {
        self.state().troubles()
    }

    /// The kinds that may not be listed in the whole cluster, and the API server's words about the first. `None` where
    /// there are none.
    pub fn forbidden(&self) -> Option<(Vec<String>, String)> {
        self.state().forbidden()
    }

    /// Everything that carries our label, with the service it belongs to and what it says about whether it stays.
    pub fn inventory(&self) -> Vec<(ObjectId, Arc<str>, Option<bool>)> {
        self.state().inventory()
    }

    /// The objects of one service.
    pub fn of_service(&self, service: &str) -> BTreeMap<ObjectId, Facts> {
        self.state().of_service(service)
    }

    /// One object, ours or not, of a kind that is watched.
    pub fn object(&self, id: &ObjectId) -> Option<Facts> {
        self.state().object(id).cloned()
    }

    /// The pods that our Deployments made for a service.
    pub fn pods(&self, service: &str) -> Vec<PodFacts> {
        self.state().pods(service)
    }

    /// Those of them in one namespace.
    pub fn pods_in(&self, service: &str, namespace: &str) -> Vec<PodFacts> {
        self.state().pods_in(service, namespace)
    }

    /// The ready pods in the v1 Endpoints of a Service of ours.
    pub fn ready_addresses(&self, namespace: &str, service: &str) -> Addresses {
        self.state().ready_addresses(namespace, service)
    }

    /// Everything that Gloo's routing rests on, and a number that changes with it.
    pub fn gloo(&self) -> (Snapshot, u64) {
        self.state().gloo()
    }

    /// Everything that routing rests on.
    pub fn routing(&self) -> Routing {
        let state = self.state();
        let (gloo, version) = state.gloo();
        Routing { gloo, gateway_api: state.gateway_api(), version }
    }

    /// A number that changes with everything that routing rests on, but for the objects of this
    /// service.
    pub fn gloo_without(&self, service: &str) -> u64 {
        self.state().gloo_without(service)
    }

    /// Handles an event of the watch of a kind. Events of one watch must be handled in order.
    pub fn receive(&self, kind: &WatchedKind, event: Event<Value>) {
        if matches!(event, Event::Apply(_) | Event::Delete(_)) {
            self.state().record_success(kind);
        }
        match event {
            Event::Init => self.state().begin_list(kind),
            Event::InitApply(object) => self.enter(kind, &object, Origin::List),
            Event::Apply(object) => self.enter(kind, &object, Origin::Event),
            Event::InitDone => {
                let touched = self.state().end_list(kind);
                touched.into_iter().for_each(|touched| self.notify(Some(touched)));
                self.count_unsynced();
                (self.shared.notice)(kind, Watching::Synced);
            }
            Event::Delete(object) => {
                let touched = self.state().remove(&kind.api_version, &kind.kind, &object);
                self.notify(touched);
            }
        }
    }

    fn enter(&self, kind: &WatchedKind, object: &Value, origin: Origin) {
        let touched = self.state().upsert(&kind.api_version, &kind.kind, object, origin);
        self.notify(touched);
    }

    /// Enters an object as the API server answered.
    pub fn record(&self, object: &Value) {
        let kind = object["kind"].as_str().unwrap_or_default();
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        let touched = self.state().upsert(api_version, kind, object, Origin::Answer);
        self.notify(touched);
    }

    /// Notes that an object's deletion was accepted.
    pub fn record_deletion(&self, id: &ObjectId) {
        self.state().mark_terminating(id);
    }

    /// Gloo's namespace, under which its verdicts stand. Another one makes everything be listed anew.
    pub fn set_gloo_namespace(&self, namespace: &str) {
        if self.state().set_gloo_namespace(namespace) {
            self.relist();
        }
    }

    /// Lists everything anew.
    pub fn relist(&self) {
        self.shared.relist.send_modify(|count| *count += 1);
    }

    /// Lets the service be looked at as if something of it had changed.
    pub fn touch(&self, service: &str) {
        self.notify(Some(Touched::Service(service.into())));
    }

    fn notify(&self, touched: Option<Touched>) {
        if let Some(touched) = touched {
            // Nobody listens any more when the daemon stops.
            let _ = self.shared.touched.send(touched);
        }
    }

    fn record_alive(&self, kind: &WatchedKind) {
        (self.shared.notice)(kind, Watching::Alive);
    }

    fn record_trouble(&self, kind: &WatchedKind, trouble: Trouble) {
        let is_first = self.state().record_trouble(kind, trouble);
        self.count_unsynced();
        if is_first {
            // Whoever waits for the list is to say why it does not come.
            self.notify(Some(Touched::Foreign));
        }
        (self.shared.notice)(kind, Watching::Broken);
    }

    /// The cluster does not serve the kind, which is no trouble.
    fn record_unserved(&self, kind: &WatchedKind, why: String) {
        self.state().record_unserved(kind, why);
        self.count_unsynced();
        if !kind.is_further() {
            // Whoever waits for the list is to say why it does not come.
            self.notify(Some(Touched::Foreign));
        }
    }

    /// Says how many kinds are without their first list. While it says so nobody else counts: two lists that end at the
    /// same time must not say it in the wrong order.
    fn count_unsynced(&self) {
        let state = self.state();
        self.shared.unsynced.send_replace(state.unsynced());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_list_is_told_as_often_as_it_comes() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let notice: Notice = {
            let told = told.clone();
            Arc::new(move |kind, watching| {
                let synced = matches!(watching, Watching::Synced);
                told.lock().unwrap().push((kind.kind.clone(), synced));
            })
        };
        let (cache, _) = Cache::new("default", notice);
        let pod = WatchedKind::ours("v1", "Pod");
        for _ in 0..2 {
            cache.receive(&pod, Event::Init);
            cache.receive(&pod, Event::InitDone);
        }
        let expected = ["Pod", "Pod"].map(|kind| (kind.to_owned(), true));
        assert_eq!(*told.lock().unwrap(), expected);
    }

    /// Whoever waited for it would wait until everything is listed anew.
    #[test]
    fn all_is_known_when_the_last_list_ends_whichever_ends_at_the_same_time() {
        let kinds: Vec<WatchedKind> = WatchedKind::of_services().collect();
        for _ in 0..2_000 {
            let (cache, _) = Cache::new("default", Arc::new(|_, _| ()));
            for kind in &kinds {
                assert!(cache.state().begin_kind(kind));
            }
            cache.count_unsynced();
            assert_eq!(*cache.shared.unsynced.borrow(), kinds.len());
            let start = std::sync::Barrier::new(kinds.len());
            std::thread::scope(|scope| {
                for kind in &kinds {
                    let (cache, start) = (&cache, &start);
                    scope.spawn(move || {
                        start.wait();
                        cache.receive(kind, Event::InitDone);
                    });
                }
            });
            assert_eq!(*cache.shared.unsynced.borrow(), 0);
        }
    }
}
