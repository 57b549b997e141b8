//! Everything that is simulated, and its clock: events wait in an agenda and happen when time has come.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use coalmine::cluster::WatchedKind;
use coalmine_core::object::ObjectId;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::actions::Action;
use crate::cluster::gateway::Gateway;
use crate::cluster::kubernetes::Pods;
use crate::cluster::server::Trouble;
use crate::cluster::store::Store;
use crate::cluster::watches::Watches;
use crate::cluster::{GLOO_NAMESPACE, id};
use crate::repository::{Repository, SERVICES};
use crate::restore::Backups;
use crate::rules::Rules;

/// 2026-01-01T00:00:00Z, in milliseconds.
const BEGINNING: i64 = 1_767_225_600_000;
/// How often a pass may ask for the time before it counts as one that never ends.
const PATIENCE: u32 = 500;

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(BEGINNING) };
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

/// The virtual present, for [`coalmine::reconcile::Reconciler::clock`].
pub(crate) fn clock() -> Timestamp {
    ASKED.set(ASKED.get() + 1);
    assert!(ASKED.get() < PATIENCE, "a pass goes on and on");
    Timestamp::from_millisecond(NOW.get()).expect("within the calendar")
}

/// A pass has ended.
pub(crate) fn patience() {
    ASKED.set(0);
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Act(Action),
    Deployment(ObjectId),
    PodStarts(String),
    NotReady(String),
    PodGone(String),
    Endpoints(String, String),
    LetGo(ObjectId),
    Translate,
    /// Routes that Gloo dislikes since this moment have to be gone.
    WayBackDue(ObjectId, i64),
    Serve(ObjectId, Option<Value>),
    Deliver(WatchedKind),
    Relist(WatchedKind),
}

/// Everything that is simulated but the daemon.
pub(crate) struct World {
    /// Milliseconds.
    pub(crate) now: i64,
    agenda: BTreeMap<(i64, u64), Event>,
    planned: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) store: Store,
    pub(crate) backups: Backups,
    pub(crate) watches: Watches,
    pub(crate) pods: Pods,
    pub(crate) gateway: Gateway,
    pub(crate) repository: Repository,
    pub(crate) trouble: Trouble,
    pub(crate) rules: Rules,
    /// The daemon's process has died.
    pub(crate) is_dead: bool,
    pub(crate) died: Arc<Notify>,
    /// What happened, for people.
    pub(crate) story: Vec<String>,
}

impl World {
    /// A cluster with a platform and without services.
    pub(crate) fn new(seed: u64) -> Self {
        NOW.set(BEGINNING);
        patience();
        let mut world = Self {
            now: BEGINNING,
            agenda: BTreeMap::new(),
            planned: 0,
            random: fastrand::Rng::with_seed(seed),
            store: Store::default(),
            backups: Backups::default(),
            watches: Watches::default(),
            pods: Pods::default(),
            gateway: Gateway::default(),
            repository: Repository::default(),
            trouble: Trouble::default(),
            rules: Rules::default(),
            is_dead: false,
            died: Arc::new(Notify::new()),
            story: Vec::new(),
        };
        world.store.finalizers = world.random.u32(0..4) == 0;
        world.furnish();
        world.elapse(10_000);
        world
    }

    /// What the platform team and others have there: the VirtualService that all share, an Upstream,
    /// and pods of a v3 that nobody but they deploy. The last service's namespace is still missing.
    fn furnish(&mut self) {
        let objects = [
            (
                "Gateway",
                "gateway-proxy",
                json!({"bindAddress": "::", "bindPort": 8080,
                "httpGateway": {}, "proxyNames": ["gateway-proxy"]}),
            ),
            (
                "VirtualService",
                "app",
                json!({"virtualHost": {"domains": ["*"], "routes": [{
                "matchers": [{"prefix": "/"}], "delegateAction": {"selector": {
                    "labels": {"apiGroup": "example"}, "namespaces": ["*"]}}}]}}),
            ),
        ];
        for (kind, name, spec) in objects {
            let object = id(kind, GLOO_NAMESPACE, name);
            self.store.update(&object, "platform", self.now / 1000, |o| o["spec"] = spec);
        }
        for service in &SERVICES[..SERVICES.len() - 1] {
            self.make_namespace(service);
        }
        self.follow_up();
    }

    /// The namespace of a service appears, with what others have in it.
    pub(crate) fn make_namespace(&mut self, service: &str) {
        if !self.store.namespaces.insert(service.into()) {
            return;
        }
        let legacy = json!({"static": {"hosts": [{"addr": "192.0.2.1", "port": 80}]}});
        self.store.update(&id("Upstream", service, "legacy"), "stranger", self.now / 1000, |o| {
            o["spec"] = legacy;
        });
        self.add_pod_of_another_owner(service, &json!({"app": service, "version": "v3"}));
    }

    /// Something happens after so many milliseconds.
    pub(crate) fn plan(&mut self, after: i64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + after.max(0), self.planned), event);
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<i64> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Whether the proxy is about to learn of a pod: before routes that are written now can reach it.
    pub(crate) fn is_about_to_learn(&self, pod: &str) -> bool {
        let soon = self.agenda.range(..=(self.now + 1_000, u64::MAX));
        soon.into_iter().any(|(_, event)| match event {
            Event::Serve(id, Some(object)) if id.kind == "Endpoints" => {
                let addresses = object["subsets"][0]["addresses"].as_array();
                addresses.into_iter().flatten().any(|one| one["targetRef"]["name"] == pod)
            }
            _ => false,
        })
    }

    /// Time goes by, and what is due happens.
    pub(crate) fn elapse(&mut self, time: i64) {
        let end = self.now + time;
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), event) = entry.remove_entry();
            self.set_now(at);
            self.happen(event);
            self.follow_up();
        }
        self.set_now(end);
    }

    fn set_now(&mut self, now: i64) {
        self.now = self.now.max(now);
        NOW.set(self.now);
    }

    /// Everybody who is concerned learns of what was changed, and the rules are checked.
    pub(crate) fn follow_up(&mut self) {
        while !self.store.changes.is_empty() {
            for (id, change) in std::mem::take(&mut self.store.changes) {
                self.tell_watches(&id, &change);
                self.tell_controllers(&id, &change);
                self.tell_gloo(&id, &change);
            }
        }
        if std::mem::take(&mut self.gateway.is_to_be_asked) {
            self.judge_load();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(action) => {
                self.tell(format!("{action:?}"));
                self.act(action);
            }
            Event::Deployment(id) => self.deployment(&id),
            Event::PodStarts(name) => self.pod_starts(&name),
            Event::NotReady(name) => {
                self.set_ready(&name, false);
            }
            Event::PodGone(name) => self.pod_gone(&name),
            Event::Endpoints(namespace, name) => self.endpoints(&namespace, &name),
            Event::LetGo(id) => self.store.remove(&id),
            Event::Translate => self.translate(),
            Event::WayBackDue(id, since) => self.judge_rollback(&id, since),
            Event::Serve(id, object) => self.serve(&id, object.as_ref()),
            Event::Deliver(kind) => self.deliver(&kind),
            Event::Relist(kind) => {
                let lag = self.random.i64(1..200);
                self.list(&kind, lag);
            }
        }
    }

    /// The daemon's process ends, whatever it was about to do.
    pub(crate) fn die(&mut self) {
        self.tell("the process dies".into());
        self.trouble.dies_in = None;
        self.rules.died();
        self.is_dead = true;
        self.agenda.retain(|_, event| !matches!(event, Event::Deliver(_) | Event::Relist(_)));
        self.stop_following();
        self.died.notify_one();
    }

    /// Adds to the story.
    pub(crate) fn tell(&mut self, what: String) {
        let time = self.now - BEGINNING;
        self.story.push(format!("{:>7}.{:03} {what}", time / 1000, time % 1000));
    }
}
