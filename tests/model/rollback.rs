//! The rollback: the routes before take the place of those that Gloo dislikes, as long as the process
//! lives that wrote them.

use std::collections::BTreeMap;

use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::plan::Job;
use coalmine_core::render::Owner;
use coalmine_core::traffic::Shares;
use serde_json::Value;

use crate::cluster::store::is_ours;
use crate::cluster::{GLOO_NAMESPACE, INSTANCE};
use crate::repository::SERVICES;
use crate::rules::claims_common;
use crate::world::{Event, World};

/// How long it takes at most where nothing is in the way: the settle time, and a margin.
const SOON: i64 = 30_000;
/// What the daemon goes by.
const KINDS: [&str; 7] =
    ["VirtualService", "RouteTable", "Upstream", "Service", "Endpoints", "Pod", "Deployment"];

/// Routes that can be rolled back.
#[derive(Clone, Debug)]
struct Before {
    shares: Shares,
    claims_common: bool,
    /// When new routes took their place.
    since: i64,
}

/// The routes before those that are there, where these were accepted.
#[derive(Default)]
pub(crate) struct WaysBack(BTreeMap<ObjectId, Before>);

impl WaysBack {
    /// New routes are about to take the place of these. What Gloo has not accepted is no place to go
    /// back to; then it is the one before.
    pub(crate) fn note(&mut self, id: &ObjectId, live: Option<&Value>, new: &Shares, now: i64) {
        let service = id.namespace.as_deref().unwrap_or_default();
        match live.filter(|live| is_ours(live)) {
            Some(live) if live["status"]["statuses"][GLOO_NAMESPACE]["state"] == "Accepted" => {
                let shares = Shares::read(service, live);
                let claims_common = claims_common(live);
                self.0.insert(id.clone(), Before { shares, claims_common, since: now });
            }
            Some(_) => {}
            None => drop(self.0.remove(id)),
        }
        if self.leads_to(id, new) {
            self.0.remove(id);
        }
    }

    /// The process died, and what it knew is lost.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    pub(crate) fn leads_to(&self, id: &ObjectId, shares: &Shares) -> bool {
        self.0.get(id).is_some_and(|before| before.shares == *shares)
    }
}

impl World {
    /// Gloo has just taken a dislike to these routes.
    pub(crate) fn expect_rollback(&mut self, id: &ObjectId) {
        if self.is_quiet_since(self.now) {
            self.plan(SOON, Event::WayBackDue(id.clone(), self.now));
        }
    }

    /// Routes that Gloo has disliked since then are not there any more, if they could be rolled back. Those that a
    /// process wrote again after they were rolled back have their own time.
    pub(crate) fn judge_rollback(&mut self, id: &ObjectId, since: i64) {
        let is_disliked = self.disliked().any(|(disliked, from)| disliked == id && from == since);
        let is_there_since = self.rules.ways_back.0.get(id).is_some_and(|it| it.since <= since);
        if is_disliked && is_there_since && self.is_quiet_since(since) && self.has_rollback(id) {
            self.broken("routes that Gloo dislikes stay", id.to_string());
        }
    }

    /// Routes that Gloo dislikes are rolled back, unless another owner had a hand in it or nobody would answer.
    pub(crate) fn not_rolled_back(&self) -> Vec<String> {
        let could_be = self.disliked().filter(|(id, _)| self.has_rollback(id));
        could_be
            .map(|(id, _)| format!("{id} is not rolled back although Gloo dislikes it"))
            .collect()
    }

    /// Not while newer values are on their way, or are refused: then what is there stays.
    fn has_rollback(&self, id: &ObjectId) -> bool {
        let service = id.namespace.as_deref().unwrap_or_default();
        let Some(before) = self.rules.ways_back.0.get(id) else { return false };
        let now = self.store.get(id).map(|live| Shares::read(service, &live)).unwrap_or_default();
        before.shares.gains(&now).all(|version| self.is_reachable(service, version, true))
            && self.is_wanted(id)
            && !self.rules.is_meddled(service)
            && !(before.claims_common && self.is_contested(service))
    }

    /// Whether others claim what is common to all, or are about to.
    pub(crate) fn is_contested(&self, service: &str) -> bool {
        let mut others = SERVICES.iter().filter(|other| **other != service);
        let own = format!("{service}-routes");
        others.any(|other| self.repository.values(other).is_some_and(|values| values.common))
            || self
                .store
                .of_kind("RouteTable")
                .into_iter()
                .any(|(id, table)| id.name != own && claims_common(&table))
    }

    /// Whether the newest commit asks for the very routes that are there.
    fn is_wanted(&self, id: &ObjectId) -> bool {
        let service = id.namespace.as_deref().unwrap_or_default();
        let Some((_, Some(values))) = self.repository.services.get(service) else { return false };
        let owner = Owner { instance: INSTANCE.into(), revision: String::new() };
        let live = self.store.get(id).as_ref().map(Digest::of_live);
        let job = Job::for_service(values, &owner);
        job.desired.routes.iter().any(|routes| routes.id() == id && live == Some(routes.digest()))
    }

    /// Whether nothing has been in the daemon's way since then.
    fn is_quiet_since(&self, since: i64) -> bool {
        let watches = [&self.watches.stale_until, &self.watches.losing_until];
        let late = watches.into_iter().flat_map(|until| until.values()).copied();
        let mut troubles = late.chain([
            self.trouble.away_until,
            self.trouble.slow_until,
            self.trouble.busy_until,
            self.trouble.webhook_until,
            self.rules.restored_at,
        ]);
        troubles.all(|until| until < since)
            && self.trouble.lost_answers == 0
            && self.trouble.hangs.0 == 0
            && self.known_until(&KINDS) >= since
    }
}
