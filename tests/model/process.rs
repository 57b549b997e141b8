//! The daemon's process: the real schedule and the real passes over the real live state. What it knows is
//! lost when it dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use coalmine::cache::{Cache, Touched};
use coalmine::reconcile::{
    Memory, PreflightService, ReconcileOutcome, Reconciler, RolloutSettings, leaves,
};
use coalmine::scheduler::{KnownServices, Next, Pass, PassResult, Request, Schedule};
use coalmine::shard::Shard;
use coalmine_core::plan::{Job, gone};
use coalmine_core::render::Owner;
use coalmine_core::values::{Drift, Policy, Service, Timing};
use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::cluster::{GLOO_NAMESPACE, INSTANCE, server};
use crate::world::{World, clock, patience};

/// How long a wait may take before the service is stalled.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A process of the daemon.
pub(crate) struct Process {
    world: Arc<Mutex<World>>,
    reconciler: Reconciler,
    touched: Mutex<mpsc::UnboundedReceiver<Touched>>,
    accepted: Mutex<Accepted>,
    memories: BTreeMap<Arc<str>, Memory>,
    outcomes: BTreeMap<Arc<str>, ReconcileOutcome>,
}

/// The newest commit that was accepted, and what follows from it.
struct Accepted {
    revision: u64,
    schedule: Schedule<Values>,
}

/// The commit that changed the values last, and the values; without them the service is to go.
#[derive(Clone)]
struct Values(u64, Option<Arc<Service>>);

impl Request for Values {
    fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn is_removal(&self) -> bool {
        self.1.is_none()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

impl Process {
    /// Starts, and lists everything.
    pub(crate) fn start(world: &Arc<Mutex<World>>) -> Self {
        let (cache, touched) = Cache::new(INSTANCE, Arc::new(|_, _| ()));
        let preflight = PreflightService::new(cache.clone());
        {
            let mut world = lock(world);
            world.is_dead = false;
            world.tell("a process begins".into());
            world.follow_for(&cache);
        }
        let cluster = server::client(world);
        let instance = INSTANCE.into();
        let reconciler = Reconciler { cluster, cache, preflight, proxies: None, instance, clock };
        let touched = Mutex::new(touched);
        let accepted = Accepted { revision: 0, schedule: Schedule::new(LONGEST_PAUSE) };
        let (accepted, memories, outcomes) =
            (Mutex::new(accepted), BTreeMap::new(), BTreeMap::new());
        Self { world: world.clone(), reconciler, touched, accepted, memories, outcomes }
    }

    /// Accepts the newest commit.
    pub(crate) fn accept(&self) {
        let world = lock(&self.world);
        let mut accepted = lock(&self.accepted);
        if world.repository.revision == accepted.revision {
            return;
        }
        accepted.revision = world.repository.revision;
        let services = &world.repository.services;
        let kept = services.iter().filter(|(_, (_, service))| service.is_some());
        let known =
            KnownServices::new(kept.clone().map(|(name, _)| name.to_string()), Shard::WHOLE);
        let requests = kept.map(|(name, (revision, service))| {
            (name.to_string().into(), Values(*revision, service.clone()))
        });
        let inventory = self.reconciler.cache.inventory();
        let owners = inventory.iter().map(|(id, owner, keep)| (id, &**owner, *keep));
        let orphans: BTreeSet<String> = gone(owners, |name| known.has(name));
        let orphans = orphans.into_iter().map(Into::into);
        let removal = |name: &Arc<str>| world.removal(name);
        accepted.schedule.on_revision(known, requests, orphans, removal, now(&world));
    }

    /// When a pass is due next.
    pub(crate) fn next(&self) -> Option<i64> {
        self.look_at_changes();
        let due = lock(&self.accepted).schedule.next_due()?;
        i64::try_from(due.as_millis()).ok()
    }

    fn look_at_changes(&self) {
        let world = lock(&self.world);
        let schedule = &mut lock(&self.accepted).schedule;
        let has_objects = |name: &str| leaves(&self.reconciler.cache.of_service(name));
        while let Ok(touched) = lock(&self.touched).try_recv() {
            let is_orphan = schedule.on_change(&touched, has_objects, now(&world));
            if let Touched::Service(name) = touched
                && is_orphan
            {
                schedule.request(&name, world.removal(&name), now(&world));
            }
        }
    }

    /// The passes that are due, all at the same time. False when the process died meanwhile.
    pub(crate) async fn run(&mut self) -> bool {
        let died = lock(&self.world).died.clone();
        let mut passes = Vec::new();
        while let Some(pass) = self.take() {
            let new = || Memory::new(moment(lock(&self.world).now));
            let memory = self.memories.remove(&pass.name).unwrap_or_else(new);
            passes.push((pass, memory));
        }
        let process = &*self;
        let passes = passes.into_iter().map(|(pass, memory)| process.pass(pass, memory));
        let ended = tokio::select! {
            biased;
            () = died.notified() => None,
            ended = join_all(passes) => Some(ended),
        };
        patience();
        let Some(ended) = ended else { return false };
        for (name, memory, outcome, next) in ended {
            if next == Next::Removed {
                self.outcomes.remove(&name);
            } else {
                self.memories.insert(name.clone(), memory);
                self.outcomes.insert(name, outcome);
            }
        }
        true
    }

    fn take(&self) -> Option<Pass<Values>> {
        let now = now(&lock(&self.world));
        lock(&self.accepted).schedule.take(now)
    }

    /// Where each service stands.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Option<ReconcileOutcome>> {
        let of = |name: &Arc<str>| (name.to_string(), self.outcomes.get(name).cloned());
        lock(&self.accepted).schedule.names().map(of).collect()
    }

    /// A pass that nobody asked for, over every service: as if this process had begun to lead again.
    pub(crate) fn look_again(&mut self) {
        let now = now(&lock(&self.world));
        lock(&self.accepted).schedule.on_leadership(now);
    }

    async fn pass(
        &self,
        pass: Pass<Values>,
        mut memory: Memory,
    ) -> (Arc<str>, Memory, ReconcileOutcome, Next) {
        let name = pass.name.clone();
        let Values(revision, service) = &pass.request;
        let owner = Owner { instance: INSTANCE.into(), revision: revision.to_string() };
        let job = match service {
            Some(service) => Job::for_service(service, &owner),
            None => Job::removal(&name),
        };
        let rollout_settings = RolloutSettings {
            timing: Timing { deadline: DEADLINE, settle: Duration::from_secs(3) },
            gloo_namespace: GLOO_NAMESPACE.into(),
            edition: gloo::Edition::Unknown,
            gateway_api: None,
            policy: Policy::default(),
            drift: Drift::Repair,
        };
        let is_superseded = || {
            self.accept();
            lock(&self.accepted).schedule.current(&pass).is_none()
        };
        let tell = |event| lock(&self.world).tell(format!("{name}: {event:?}"));
        lock(&self.world).rules.pass_begins(&name);
        let outcome =
            self.reconciler.pass(&job, &rollout_settings, &mut memory, &is_superseded, &tell).await;
        patience();
        // What has changed meanwhile is known before the pass has ended.
        self.look_at_changes();
        let mut world = lock(&self.world);
        if self.outcomes.get(&name) != Some(&outcome) {
            world.tell(format!("{name}: {outcome:?}"));
        }
        let is_ready = matches!(outcome, ReconcileOutcome::Ready) && service.is_some();
        // What is ready by what was known before the store was restored need not be.
        if is_ready && world.is_informed() {
            world.rules.ready(&name);
        }
        let result = PassResult::of(&outcome, moment(world.now));
        let next = lock(&self.accepted).schedule.on_result(&pass, result, now(&world));
        (name, memory, outcome, next)
    }
}

impl World {
    /// What is requested of a service that is gone.
    fn removal(&self, name: &str) -> Values {
        Values(self.repository.services.get(name).map_or(0, |(revision, _)| *revision), None)
    }
}

/// The present, as the schedule counts it.
fn now(world: &World) -> Duration {
    Duration::from_millis(world.now.try_into().expect("after 1970"))
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("within the calendar")
}
