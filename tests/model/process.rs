//! The daemon's process: the real passes over the real live state, called when the daemon would call
//! them. What it knows is lost when it dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use coalmine::live::{Live, Touched};
use coalmine::reconcile::{Admission, Conduct, Memory, Reconciler, Retry, Standing, leaves};
use coalmine_core::plan::{Job, gone};
use coalmine_core::render::Owner;
use coalmine_core::values::{Drift, Policy, Service, Timing};
use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::cluster::{GLOO_NAMESPACE, INSTANCE, server};
use crate::world::{World, clock, patience};

/// The longest pause between two attempts.
const SCHEDULE: i64 = 60_000;
/// The first pause after a failed pass.
const FIRST_RETRY: i64 = 500;

/// A process of the daemon.
pub(crate) struct Process {
    world: Arc<Mutex<World>>,
    reconciler: Reconciler,
    touched: mpsc::UnboundedReceiver<Touched>,
    entries: BTreeMap<String, Entry>,
    revision: u64,
}

struct Entry {
    /// The commit that the wanted values are of, and the values; `None`: it is to go.
    wanted: (u64, Option<Arc<Service>>),
    memory: Memory,
    failures: u32,
    due: Option<i64>,
    standing: Option<Standing>,
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().expect("nobody panics with it")
}

impl Process {
    /// Starts, and lists everything.
    pub(crate) fn start(world: &Arc<Mutex<World>>) -> Self {
        let (live, touched) = Live::new(INSTANCE, Arc::new(|_, _| ()));
        let admission = Admission::new(live.clone());
        {
            let mut world = lock(world);
            world.is_dead = false;
            world.tell("a process begins".into());
            world.follow_for(&live);
        }
        let cluster = server::client(world);
        let reconciler = Reconciler { cluster, live, admission, instance: INSTANCE.into(), clock };
        Self { world: world.clone(), reconciler, touched, entries: BTreeMap::new(), revision: 0 }
    }

    /// Takes up the newest commit.
    pub(crate) fn take_up(&mut self) {
        let world = lock(&self.world);
        if world.repository.revision == self.revision {
            return;
        }
        self.revision = world.repository.revision;
        let wanted = &world.repository.services;
        let is_known = |name: &str| wanted.get(name).is_some_and(|(_, service)| service.is_some());
        let inventory = self.reconciler.live.inventory();
        let owners = inventory.iter().map(|(_, owner, kept)| (&**owner, *kept));
        let mut names: BTreeSet<String> = gone(owners, is_known);
        names.extend(self.entries.keys().filter(|name| !is_known(name)).cloned());
        names.extend(wanted.keys().filter(|name| is_known(name)).cloned());
        for name in names {
            let wanted = wanted.get(&name).cloned().unwrap_or((0, None));
            let now = world.now;
            let entry = self.entries.entry(name).or_insert_with(|| Entry {
                wanted: (u64::MAX, None),
                memory: Memory::new(moment(now)),
                failures: 0,
                due: None,
                standing: None,
            });
            if entry.wanted.0 != wanted.0 {
                entry.wanted = wanted;
                (entry.failures, entry.due, entry.standing) = (0, Some(now), None);
            }
        }
    }

    /// Something of a service of which nothing is wanted may have come.
    fn look_for_strays(&mut self, name: &str) {
        let world = lock(&self.world);
        let (revision, service) = world.repository.services.get(name).cloned().unwrap_or((0, None));
        let is_gone = revision <= self.revision && service.is_none();
        if is_gone
            && !self.entries.contains_key(name)
            && leaves(&self.reconciler.live.of_service(name))
        {
            let entry = Entry {
                wanted: (revision, None),
                memory: Memory::new(moment(world.now)),
                failures: 0,
                due: Some(world.now),
                standing: None,
            };
            drop(world);
            self.entries.insert(name.into(), entry);
        }
    }

    /// When a pass is due next.
    pub(crate) fn next(&mut self) -> Option<i64> {
        let now = lock(&self.world).now;
        while let Ok(touched) = self.touched.try_recv() {
            if let Touched::Service(name) = &touched {
                self.look_for_strays(name);
            }
            for (name, entry) in &mut self.entries {
                let concerns = match &touched {
                    Touched::Service(touched) => **touched == **name,
                    Touched::Foreign => !matches!(entry.standing, Some(Standing::Ready)),
                };
                if concerns {
                    entry.due = Some(entry.due.map_or(now, |due| due.min(now)));
                }
            }
        }
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    /// The passes that are due, all at the same time. False when the process died meanwhile.
    pub(crate) async fn run(&mut self) -> bool {
        let (now, died) = {
            let world = lock(&self.world);
            (world.now, world.died.clone())
        };
        let (reconciler, world) = (&self.reconciler, &self.world);
        let due =
            self.entries.iter_mut().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
        let passes = due.map(|(name, entry)| entry.pass(name, reconciler, world));
        let ended = tokio::select! {
            biased;
            () = died.notified() => false,
            _ = join_all(passes) => true,
        };
        patience();
        let standings = &self.entries;
        let is_gone = |entry: &Entry| {
            entry.wanted.1.is_none() && matches!(entry.standing, Some(Standing::Ready))
        };
        let gone: Vec<String> =
            standings.iter().filter(|(_, e)| is_gone(e)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.entries.remove(&name);
        }
        ended
    }

    /// Where each service stands.
    pub(crate) fn standings(&self) -> BTreeMap<String, Option<Standing>> {
        let of = |(name, entry): (&String, &Entry)| (name.clone(), entry.standing.clone());
        self.entries.iter().map(of).collect()
    }

    /// A pass that nobody asked for, over every service: what a process that was restarted would do.
    pub(crate) fn look_again(&mut self) {
        let now = lock(&self.world).now;
        self.entries.values_mut().for_each(|entry| entry.due = Some(now));
    }
}

impl Entry {
    async fn pass(&mut self, name: &str, reconciler: &Reconciler, world: &Mutex<World>) {
        self.due = None;
        let (revision, service) = self.wanted.clone();
        let owner = Owner { instance: INSTANCE.into(), revision: revision.to_string() };
        let job = match &service {
            Some(service) => Job::for_service(service, &owner),
            None => Job::farewell(name),
        };
        let conduct = Conduct {
            timing: Timing { deadline: Duration::from_secs(60), settle: Duration::from_secs(3) },
            gloo_namespace: GLOO_NAMESPACE.into(),
            policy: Policy::default(),
            drift: Drift::Repair,
        };
        let is_superseded = || {
            let world = lock(world);
            world.repository.services.get(name).is_some_and(|(newest, _)| *newest != revision)
        };
        let tell = |deed| lock(world).tell(format!("{name}: {deed:?}"));
        lock(world).rules.pass_begins(name);
        let standing =
            reconciler.pass(&job, &conduct, &mut self.memory, &is_superseded, &tell).await;
        patience();
        let mut world = lock(world);
        if self.standing.as_ref() != Some(&standing) {
            world.tell(format!("{name}: {standing:?}"));
        }
        if matches!(standing, Standing::Ready) && service.is_some() {
            world.rules.ready(name);
        }
        let pause = match &standing {
            Standing::Superseded => Some(0),
            Standing::Ready | Standing::Stalled { retry: Retry::Never, .. } => None,
            Standing::Drifted { until, .. } | Standing::Waiting { until, .. } => {
                until.map(|until| (until.as_millisecond() - world.now).max(0) + 5)
            }
            Standing::Stalled { .. } => {
                self.failures += 1;
                Some((FIRST_RETRY << self.failures.min(16)).min(SCHEDULE))
            }
        };
        if matches!(standing, Standing::Ready | Standing::Waiting { .. }) {
            self.failures = 0;
        }
        self.due = pause.map(|pause| world.now + pause);
        self.standing = Some(standing);
    }
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("within the calendar")
}
