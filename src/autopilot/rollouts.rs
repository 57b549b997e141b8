//! What the newest revision says of services with an autopilot, and which of their canaries are aborted in the cluster
//! before git says so. The passes over services and the autopilot share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::source::Revision;
use coalmine_core::marks::AheadMark;
use coalmine_core::tree::Tree;
use coalmine_core::values::{Mode, Policy, Service};

/// What the newest revision says.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The revision.
    pub revision: Arc<Revision>,
    /// Its files.
    pub tree: Arc<Tree>,
    /// When the autopilot may promote.
    pub policy: Policy,
    /// The services that have an autopilot which is not off.
    pub services: BTreeMap<String, Arc<Service>>,
}

/// A canary that is aborted in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Withdrawal {
    /// What stands on the routes.
    pub mark: AheadMark,
    /// Our commit, once the branch has it.
    pub landed: Option<String>,
    /// Why the branch has it not yet.
    pub trouble: String,
}

/// What passes and the autopilot share.
#[derive(Debug)]
pub struct Rollouts {
    cache: CacheHandle,
    accepted: watch::Sender<Option<Arc<Accepted>>>,
    withdrawals: Mutex<Withdrawals>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Withdrawals {
    by_service: BTreeMap<String, Arc<Withdrawal>>,
    /// Those that are over. Their marks may stand on the routes for a while.
    over: BTreeSet<(String, Timestamp)>,
}

struct CacheHandle(Cache);

impl std::fmt::Debug for CacheHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}

/// The blob of a service's file, where an autopilot looks after it.
pub fn file_of(tree: &Tree, service: &Service) -> Option<Arc<str>> {
    service.autopilot.as_ref().filter(|it| it.mode != Mode::Off)?;
    let file = tree.files.get(&service.file)?;
    Some(file.identity().to_string().into())
}

impl Rollouts {
    /// Nothing is accepted yet. The passes of services come by the cache's word.
    pub fn new(cache: Cache) -> Self {
        let (accepted, changes) = (watch::Sender::new(None), watch::Sender::new(0));
        Self { cache: CacheHandle(cache), accepted, withdrawals: Mutex::default(), changes }
    }

    /// What the newest revision says; `None` before the first one.
    pub fn accepted(&self) -> Option<Arc<Accepted>> {
        self.accepted.borrow().clone()
    }

    /// A revision was accepted, and its services are requested.
    pub fn accept(&self, accepted: Accepted) {
        let files: BTreeMap<&str, Option<Arc<str>>> = accepted
            .services
            .iter()
            .map(|(name, service)| (name.as_str(), file_of(&accepted.tree, service)))
            .collect();
        let is_over = |name: &str, withdrawal: &Withdrawal| {
            files.get(name).and_then(Option::as_deref) != Some(&withdrawal.mark.file)
        };
        let over: Vec<String> = {
            let withdrawals = self.withdrawals();
            let over = withdrawals.by_service.iter().filter(|(name, it)| is_over(name, it));
            over.map(|(name, _)| name.clone()).collect()
        };
        over.iter().for_each(|name| self.end(name));
        self.accepted.send_replace(Some(accepted.into()));
        self.changed();
    }

    /// Changes whenever something of it does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes the canary's requests away in the cluster, or says something else of a canary that is aborted there.
    pub fn withdraw(&self, service: &str, withdrawal: Withdrawal) {
        self.withdrawals().by_service.insert(service.to_owned(), withdrawal.into());
        self.cache.0.touch(service);
        self.changed();
    }

    /// The canary is no longer aborted before git: git says so, or a person has decided.
    pub fn end(&self, service: &str) {
        let mut withdrawals = self.withdrawals();
        let Some(ended) = withdrawals.by_service.remove(service) else { return };
        withdrawals.over.insert((service.to_owned(), ended.mark.at));
        drop(withdrawals);
        self.cache.0.touch(service);
        self.changed();
    }

    /// Whether the canary of a service whose file is this blob is aborted in the cluster. `live` is the mark on its
    /// routes, which a daemon before this one may have written.
    pub fn withdrawal(
        &self,
        service: &str,
        file: &str,
        live: Option<&AheadMark>,
    ) -> Option<Arc<Withdrawal>> {
        let mut withdrawals = self.withdrawals();
        if let Some(known) = withdrawals.by_service.get(service) {
            return Some(known.clone()).filter(|known| known.mark.file == file);
        }
        let mark = live.filter(|mark| mark.file == file)?;
        if withdrawals.over.contains(&(service.to_owned(), mark.at)) {
            return None;
        }
        let trouble = "the daemon has begun again since".to_owned();
        let found = Arc::new(Withdrawal { mark: mark.clone(), landed: None, trouble });
        withdrawals.by_service.insert(service.to_owned(), found.clone());
        drop(withdrawals);
        self.changed();
        Some(found)
    }

    /// Every canary that is aborted in the cluster, by its service.
    pub fn all_withdrawn(&self) -> BTreeMap<String, Arc<Withdrawal>> {
        self.withdrawals().by_service.clone()
    }

    fn changed(&self) {
        self.changes.send_modify(|number| *number += 1);
    }

    fn withdrawals(&self) -> MutexGuard<'_, Withdrawals> {
        self.withdrawals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::service;

    const VALUES: &str = "deployment: {v1: {}, v2: {}}\nroutes: {apiGroup: a, primary: {version: v1}, canary: {version: v2, weight: 5}}\nautopilot: {}\n";

    fn mark(file: &str, second: i64) -> AheadMark {
        AheadMark {
            file: file.to_owned(),
            revision: "a".to_owned(),
            reason: "why".to_owned(),
            body: String::new(),
            evidence: Value::Null,
            started_by: String::new(),
            at: Timestamp::from_second(second).expect("a time"),
        }
    }

    fn rollouts() -> Rollouts {
        let (cache, _) = Cache::new("default", Arc::new(|_, _| ()));
        Rollouts::new(cache)
    }

    fn accepted(values: &str) -> (Accepted, Arc<str>) {
        let service = Arc::new(service(values));
        let files = [(service.file.clone(), values.into())].into();
        let tree = Tree { revision: "b".to_owned(), files };
        let file = file_of(&tree, &service).expect("an autopilot");
        let revision = Revision {
            id: "b".to_owned(),
            author: String::new(),
            subject: String::new(),
            committed: Timestamp::UNIX_EPOCH,
        };
        let services = [("echo".to_owned(), service)].into();
        let policy = Policy::default();
        (Accepted { revision: revision.into(), tree: tree.into(), policy, services }, file)
    }

    #[test]
    fn an_abort_holds_as_long_as_the_file_is_what_it_was_decided_on() {
        let rollouts = rollouts();
        let (revision, file) = accepted(VALUES);
        let withdrawal =
            Withdrawal { mark: mark(&file, 1), landed: None, trouble: "away".to_owned() };
        rollouts.withdraw("echo", withdrawal);
        let holds = |file: &str| rollouts.withdrawal("echo", file, None).is_some();
        assert!(holds(&file) && !holds("another"));
        rollouts.accept(revision.clone());
        assert!(holds(&file), "a commit about others ends nothing");
        rollouts.accept(accepted(&VALUES.replace("weight: 5", "weight: 6")).0);
        assert!(!holds(&file), "a person's commit about this service does");
        assert!(rollouts.all_withdrawn().is_empty());
    }

    #[test]
    fn an_abort_is_known_again_by_the_mark_on_the_routes_and_ended_once() {
        let rollouts = rollouts();
        let live = mark("f", 1);
        assert!(rollouts.withdrawal("echo", "g", Some(&live)).is_none(), "of another file");
        let found = rollouts.withdrawal("echo", "f", Some(&live)).expect("found");
        assert_eq!(found.mark, live);
        assert_eq!(rollouts.all_withdrawn().len(), 1, "whoever pushes is told");
        rollouts.end("echo");
        assert!(rollouts.withdrawal("echo", "f", Some(&live)).is_none(), "it still stands there");
        let later = mark("f", 2);
        assert!(rollouts.withdrawal("echo", "f", Some(&later)).is_some(), "another one");
    }

    #[test]
    fn of_a_service_without_an_autopilot_no_file_is_known() {
        let off = service(&VALUES.replace("autopilot: {}", "autopilot: {mode: off}"));
        let files = [(off.file.clone(), VALUES.into())].into();
        assert_eq!(file_of(&Tree { revision: "b".to_owned(), files }, &off), None);
    }
}
