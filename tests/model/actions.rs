//! What may happen to a rollout: commits, and everything that goes wrong.

use coalmine_core::labels::{INSTANCE as LABEL, SERVICE};
use gloo::State;
use proptest::prelude::*;
use serde_json::json;

use crate::cluster::id;
use crate::cluster::kubernetes::Fate;
use crate::repository::{COMMON, Canary, SERVICES, VERSIONS, Values, Workload};
use crate::restore::BACKUPS;
use crate::world::World;

/// Something that happens to the repository, the cluster or the daemon. Numbers are indices of
/// [`SERVICES`] and [`VERSIONS`], times are seconds.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A commit changes a service's file, or takes it away.
    Commit(usize, Option<Values>),
    /// Commits of two services, this one and the next, that claim the same requests: one can have them.
    Contest(usize, Values, Values),
    /// A commit takes the last change of a service's file back.
    Revert(usize),
    /// The daemon's process dies after so many requests; the last one is done or not.
    Die(u32, bool),
    /// What becomes of a version's pods from now on.
    Fate(usize, usize, Fate),
    /// A pod dies by itself and is started again.
    Kill(usize, usize),
    /// Gloo gives the next new routes of a service this verdict.
    Dislike(usize, State),
    /// Gloo's verdicts are late.
    GlooSlow(i64),
    /// Gloo does nothing.
    GlooDown(i64),
    /// The Endpoints controller is late.
    EndpointsSlow(i64),
    /// The events of a kind are late.
    Stale(&'static str, i64),
    /// The events of a kind are lost until the next list.
    Lose(&'static str, i64),
    /// The API server refuses all requests.
    Away(i64),
    /// The API server is slow.
    Slow(i64),
    /// The next writes are done and their answers lost.
    LostAnswers(u32),
    /// The API server turns all requests away, because it has too much to do.
    Busy(i64),
    /// A webhook cannot be called: no object can be written or tried.
    Webhook(i64),
    /// The next requests are not answered: they are done, or are not.
    Hang(u32, bool),
    /// The watches of a kind go silent and stay open; what happens shows when they are given up.
    Silent(&'static str),
    /// All connections are open and dead: watches are silent, and the next requests are not answered.
    HalfOpen(u32),
    /// The store is restored from one of the last backups; what becomes of the watches.
    Restore(usize, Watching),
    /// Another owner changes or deletes an object of ours.
    Meddle(usize, Meddling),
    /// Another owner makes an object with a name of ours.
    Collide(usize, &'static str),
    /// Another owner makes a table that claims what is common to all, or takes it away again.
    Claim(usize),
    /// The namespace of the last service appears.
    Namespace,
}

/// What another owner does to our objects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meddling {
    DeleteRoutes,
    DeleteService,
    Unlabel,
    Reroute,
    ScaleUp,
}

/// What becomes of the watches when the store is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watching {
    /// They end, and everything is listed again.
    Expires,
    /// They go on, with versions lower than before.
    GoesOn,
    /// They go on from a version that the store has yet to reach, and are silent until everything is listed again.
    IsSilent,
}

/// How long a watch that is silent is taken for one: the minute after which it is asked for again, and a margin.
const SILENCE: i64 = 65;
/// How long until a connection counts as dead of which nothing is acknowledged.
const DEAD: i64 = 35;

const KINDS: [&str; 7] =
    ["VirtualService", "RouteTable", "Upstream", "Service", "Endpoints", "Pod", "Deployment"];

/// Actions, each with the milliseconds since the one before.
pub(crate) fn story() -> impl Strategy<Value = Vec<(i64, Action)>> {
    let pause = prop_oneof![2 => 0..300_i64, 3 => 300..5_000_i64, 2 => 5_000..20_000_i64];
    prop::collection::vec((pause, action()), 1..30)
}

fn action() -> impl Strategy<Value = Action> {
    let (service, version) = (0..SERVICES.len(), 0..VERSIONS.len());
    let kind = prop::sample::select(KINDS.to_vec());
    let fate = prop::sample::select(vec![Fate::Ready, Fate::Late, Fate::Crashes, Fate::Never]);
    let state = prop::sample::select(vec![State::Warning, State::Rejected]);
    let meddling = prop::sample::select(vec![
        Meddling::DeleteRoutes,
        Meddling::DeleteService,
        Meddling::Unlabel,
        Meddling::Reroute,
        Meddling::ScaleUp,
    ]);
    let silent = kind.clone();
    let watching =
        prop::sample::select(vec![Watching::Expires, Watching::GoesOn, Watching::IsSilent]);
    let ours = prop::sample::select(vec!["RouteTable", "Upstream", "Service", "Deployment"]);
    prop_oneof![
        20 => (service.clone(), values()).prop_map(|(s, v)| Action::Commit(s, Some(v))),
        2 => service.clone().prop_map(|s| Action::Commit(s, None)),
        3 => (service.clone(), values(), values()).prop_map(|(s, one, other)| {
            let claiming = |values| Values { common: true, ..values };
            Action::Contest(s, claiming(one), claiming(other))
        }),
        4 => service.clone().prop_map(Action::Revert),
        8 => (0..12_u32, any::<bool>()).prop_map(|(n, before)| Action::Die(n, before)),
        4 => (service.clone(), version.clone(), fate).prop_map(|(s, v, f)| Action::Fate(s, v, f)),
        2 => (service.clone(), version).prop_map(|(s, v)| Action::Kill(s, v)),
        2 => (service.clone(), state).prop_map(|(s, state)| Action::Dislike(s, state)),
        1 => (5..60_i64).prop_map(Action::GlooSlow),
        1 => (2..90_i64).prop_map(Action::GlooDown),
        2 => (2..15_i64).prop_map(Action::EndpointsSlow),
        3 => (kind.clone(), 1..15_i64).prop_map(|(k, time)| Action::Stale(k, time)),
        2 => (kind, 1..20_i64).prop_map(|(k, time)| Action::Lose(k, time)),
        1 => (1..20_i64).prop_map(Action::Away),
        1 => (1..20_i64).prop_map(Action::Slow),
        2 => (1..4_u32).prop_map(Action::LostAnswers),
        1 => (1..40_i64).prop_map(Action::Busy),
        1 => (1..40_i64).prop_map(Action::Webhook),
        2 => (1..4_u32, any::<bool>()).prop_map(|(n, done)| Action::Hang(n, done)),
        1 => silent.prop_map(Action::Silent),
        1 => (0..4_u32).prop_map(Action::HalfOpen),
        2 => (0..BACKUPS, watching).prop_map(|(n, watching)| Action::Restore(n, watching)),
        2 => (service.clone(), meddling).prop_map(|(s, m)| Action::Meddle(s, m)),
        1 => service.clone().prop_map(Action::Claim),
        1 => (service, ours).prop_map(|(s, kind)| Action::Collide(s, kind)),
        1 => Just(Action::Namespace),
    ]
}

fn values() -> impl Strategy<Value = Values> {
    let replicas = prop_oneof![3 => Just(None), 4 => (1..4_u8).prop_map(Some), 1 => Just(Some(0))];
    let ours = replicas.prop_map(Workload::Ours);
    let own = || prop::option::weighted(0.8, ours.clone());
    let third = prop_oneof![
        6 => own(),
        1 => Just(Some(Workload::Pods)),
        1 => Just(Some(Workload::Upstream)),
    ];
    let weight = prop_oneof![Just(0), Just(100), 1..100_u8];
    let canary = prop::option::weighted(0.7, (0..VERSIONS.len(), weight, any::<bool>()));
    let flag = |chance| prop::bool::weighted(chance);
    (
        (own(), own(), third),
        0..VERSIONS.len(),
        canary,
        flag(0.3),
        flag(0.3),
        flag(0.1),
        (flag(0.2), flag(0.1)),
    )
        .prop_map(|((v1, v2, v3), primary, canary, split, strict, keep, (adopt, common))| {
            let mut versions = [v1, v2, v3];
            // Who is routed is there.
            versions[primary].get_or_insert(Workload::Ours(None));
            let canary = canary.filter(|(version, ..)| *version != primary);
            let canary = canary.map(|(version, weight, by_header)| {
                versions[version].get_or_insert(Workload::Ours(None));
                Canary { version, weight, by_header }
            });
            let split = split || versions.contains(&Some(Workload::Upstream));
            Values { versions, primary, canary, split, strict, keep, adopt, common }
        })
}

impl World {
    /// Makes it happen.
    pub(crate) fn act(&mut self, action: Action) {
        let until = |seconds: i64| self.now + seconds * 1_000;
        match action {
            Action::Commit(service, values) => {
                // A revision without any service is refused as a whole, and so is none of these.
                let others = SERVICES.iter().filter(|other| **other != SERVICES[service]);
                let is_last = others.filter(|s| self.repository.values(s).is_some()).count() == 0;
                self.back_up();
                if values.is_some() || !is_last {
                    self.repository.commit(SERVICES[service], values);
                    self.note_removal(SERVICES[service]);
                }
            }
            Action::Contest(service, one, other) => {
                self.repository.commit(SERVICES[service], Some(one));
                self.repository.commit(SERVICES[(service + 1) % SERVICES.len()], Some(other));
            }
            Action::Revert(service) => self.revert(SERVICES[service]),
            Action::Die(requests, before) => self.trouble.dies_in = Some((requests, before)),
            Action::Fate(service, version, fate) => {
                let key = (SERVICES[service].into(), VERSIONS[version].into());
                self.pods.fates.insert(key, fate);
            }
            Action::Kill(service, version) => self.kill(SERVICES[service], VERSIONS[version]),
            Action::Dislike(service, state) => {
                self.gateway.dislikes_next.insert(SERVICES[service].into(), state);
            }
            Action::GlooSlow(time) => self.gateway.slow_until = until(time),
            Action::GlooDown(time) => {
                // What was held back for the end of an outage comes then.
                self.gateway.down_until = self.gateway.down_until.max(until(time));
            }
            Action::EndpointsSlow(time) => self.pods.endpoints_slow_until = until(time),
            Action::Stale(kind, time) => {
                let until = until(time);
                self.watches.stale_until.insert(kind.into(), until);
            }
            Action::Lose(kind, time) => {
                let until = until(time);
                self.watches.losing_until.insert(kind.into(), until);
            }
            Action::Away(time) => self.trouble.away_until = until(time),
            Action::Slow(time) => self.trouble.slow_until = until(time),
            Action::LostAnswers(count) => self.trouble.lost_answers += count,
            Action::Busy(time) => self.trouble.busy_until = until(time),
            Action::Webhook(time) => self.trouble.webhook_until = until(time),
            Action::Hang(count, done) => self.trouble.hangs = (count, done),
            Action::Silent(kind) => {
                let until = until(SILENCE);
                self.watches.stale_until.insert(kind.into(), until);
            }
            Action::HalfOpen(count) => {
                let until = until(DEAD);
                self.watches.stale_until.extend(KINDS.map(|kind| (kind.to_owned(), until)));
                self.trouble.hangs = (count, false);
            }
            Action::Restore(back, watching) => self.restore(back, watching),
            Action::Meddle(service, meddling) => self.meddle(SERVICES[service], meddling),
            Action::Collide(service, kind) => self.collide(SERVICES[service], kind),
            Action::Claim(service) => self.claim(SERVICES[service]),
            Action::Namespace => self.make_namespace(SERVICES[SERVICES.len() - 1]),
        }
    }

    fn revert(&mut self, service: &'static str) {
        let others = SERVICES.iter().filter(|other| **other != service);
        if others.filter(|s| self.repository.values(s).is_some()).count() > 0 {
            self.repository.revert(service);
            self.note_removal(service);
        }
    }

    fn note_removal(&mut self, service: &str) {
        if self.repository.values(service).is_none() {
            self.rules.removed(service);
        }
    }

    fn meddle(&mut self, service: &str, meddling: Meddling) {
        let now = self.now / 1000;
        let kind = match meddling {
            Meddling::DeleteService => "Service",
            Meddling::ScaleUp => "Deployment",
            _ => "RouteTable",
        };
        let of_kind = self.store.of_kind(kind).into_iter();
        let mut ours =
            of_kind.filter(|(_, object)| object["metadata"]["labels"][SERVICE] == service);
        let Some((id, _)) = ours.next() else { return };
        self.rules.meddled(service, self.now);
        let edit = |edit: fn(&mut serde_json::Value)| edit;
        let edit = match meddling {
            Meddling::DeleteRoutes | Meddling::DeleteService => {
                // It is there.
                let _ = self.store.delete(&id, None, now);
                return;
            }
            Meddling::Unlabel => edit(|object| {
                object["metadata"]["labels"].as_object_mut().map(|labels| labels.remove(LABEL));
            }),
            Meddling::Reroute => edit(|object| object["spec"]["routes"] = json!([])),
            Meddling::ScaleUp => edit(|object| object["spec"]["replicas"] = json!(4)),
        };
        self.store.update(&id, "kubectl-edit", now, edit);
    }

    fn collide(&mut self, service: &str, kind: &'static str) {
        let name = match kind {
            "RouteTable" => format!("{service}-routes"),
            "Deployment" => format!("{service}-v2"),
            _ => service.to_owned(),
        };
        let id = id(kind, service, &name);
        if self.store.get(&id).is_some() || !self.store.namespaces.contains(service) {
            return;
        }
        let spec = match kind {
            "RouteTable" => json!({"routes": []}),
            "Upstream" => json!({"static": {"hosts": [{"addr": "192.0.2.2", "port": 80}]}}),
            "Service" => {
                json!({"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"app": service}})
            }
            _ => {
                json!({"replicas": 0, "selector": {"matchLabels": {"app": service, "version": "v2"}},
                "template": {"metadata": {"labels": {"app": service, "version": "v2"}}}})
            }
        };
        self.rules.collided(&id, self.now);
        self.rules.meddled(service, self.now);
        self.store.update(&id, "stranger", self.now / 1000, |object| object["spec"] = spec);
    }

    fn claim(&mut self, service: &str) {
        let now = self.now / 1000;
        let id = id("RouteTable", service, "stranger");
        if !self.store.namespaces.contains(service) || self.store.delete(&id, None, now).is_ok() {
            return;
        }
        let legacy = json!({"upstream": {"name": "legacy", "namespace": service}});
        let pairs = SERVICES.iter().flat_map(|one| SERVICES.map(|other| format!("{one}-{other}")));
        let matchers: Vec<_> = pairs.map(|it| json!({"prefix": format!("{COMMON}{it}")})).collect();
        let routes = json!([{"matchers": matchers, "routeAction": {"single": legacy}}]);
        self.rules.collided(&id, self.now);
        self.store.update(&id, "stranger", now, |object| {
            object["metadata"]["labels"] = json!({"apiGroup": "example"});
            object["spec"]["routes"] = routes;
        });
    }

    /// Commits and faults have stopped, and everybody recovers; pods, and Gloo from its dislikes, only
    /// if `heal`.
    pub(crate) fn calm(&mut self, heal: bool) {
        self.tell(format!("calm; pods recover: {heal}"));
        self.make_namespace(SERVICES[SERVICES.len() - 1]);
        if heal {
            self.pods.fates.clear();
        }
        self.trouble = Default::default();
        self.pods.endpoints_slow_until = 0;
        self.watches.stale_until.clear();
        self.watches.losing_until.clear();
        self.reconcile_gloo(heal);
        self.follow_up();
    }
}
