//! What Gloo would make of a change, before it is written.
//!
//! Gloo does not protect teams from each other: one route that Envoy refuses stops updates for
//! everybody, mostly with `Accepted` in every status (gloo-conformance cases 08-weights,
//! 12-domains-duplicate, 13-undecodable). So the cluster's Gloo objects are translated as they are
//! and as they would be, and a change that would harm anybody is not made.
//!
//! A change is checked against the live cluster, and again with every change applied that was admitted before it.

mod broken;
mod change;
mod claims;
mod domains;
mod expected_changes;
mod group;
mod http_routes;
mod obstacles;
mod overlap;
mod ownership;
mod pairs;
mod regressions;
mod rivals;
mod sharing;
mod translated_cluster;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use gloo::{Memory, Note, ObjectRef, Snapshot, State};

use crate::object::ObjectId;
use crate::reason::{Blocker, Refusal};
use http_routes::HttpRoutes;
use obstacles::Obstacles;
use ownership::Owners;
use translated_cluster::{Stages, TranslatedCluster};

pub use broken::{Blocks, Broken, Rule};
pub use change::Change;
pub use expected_changes::are_expected;
pub(crate) use http_routes::stand_ins;
pub use http_routes::{http_route_snapshot, http_routes_are_expected};

/// What is known about a change that harms nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prediction {
    /// See [`crate::plan::Observation::judged_upstreams`].
    pub judged_upstreams: BTreeSet<ObjectId>,
    /// Why what the change does to routes would not reach Envoy, if it would not. Then routes must
    /// not be written, and nothing that the old ones may use may be deleted: Envoy still goes by
    /// them. Everything before the routes may go on.
    pub blocked_by: Option<Blocker>,
}

/// The cluster that changes are compared with: what is live, and what is admitted and not to be seen
/// yet. Copies share both.
#[derive(Clone, Debug)]
pub struct Baseline {
    live: Arc<TranslatedCluster>,
    ahead: Option<Ahead>,
    /// The same for the Gateway API; `None`: nobody has looked.
    http_routes: Option<HttpRoutes>,
}

/// The live objects with those of admitted changes over them.
#[derive(Clone, Debug)]
struct Ahead {
    snapshot: Snapshot,
    /// Who is about to write what.
    writers: Arc<BTreeMap<ObjectRef, String>>,
    /// Who is about to delete what.
    leaving: Arc<BTreeMap<ObjectRef, String>>,
    /// Read when first asked for.
    translated: Arc<OnceLock<TranslatedCluster>>,
}

impl Ahead {
    /// What goes is still there in the snapshot, so that changes could come to rely on it.
    fn keeps_what_is_used(&self, live: &Snapshot, changes: &[Arc<Change>]) -> Result<(), Refusal> {
        if self.leaving.is_empty() {
            return Ok(());
        }
        let coming = translated_cluster::under_way(live, changes);
        for change in changes {
            for object in &change.written {
                for used in coming.uses(object) {
                    let Some(service) = self.leaving.get(&used) else { continue };
                    if *service != change.service {
                        let (object, used) = (Arc::new(object.clone()), Arc::new(used));
                        return Err(Refusal::Leaving { object, used, service: service.clone() });
                    }
                }
            }
        }
        Ok(())
    }
}

impl Baseline {
    /// The live cluster: every object of [`Snapshot::ROUTING`].
    pub fn new(live: Snapshot) -> Self {
        let live = Arc::new(TranslatedCluster::read(live, &Memory::default()));
        Self { live, ahead: None, http_routes: None }
    }

    /// The same with these objects of the Gateway API, of which everything has to be there that the preflight looks at:
    /// every object of [`gateway_api::Snapshot::ROUTING`], in a copy of [`http_route_snapshot`]. EndpointSlices do not
    /// count: pods are assumed. What Envoys remember is taken along.
    ///
    /// Of what [was not read](gateway_api::Snapshot::of_what_is_read), Gateways count as ones of `unread` that take every
    /// route, if that is known.
    #[must_use]
    pub fn beside(
        &self,
        http_routes: gateway_api::Snapshot,
        unread: Option<gateway_api::Profile>,
    ) -> Self {
        let http_routes = HttpRoutes::read(http_routes, unread, self.http_routes.as_ref());
        Self { http_routes: Some(http_routes), ..self.clone() }
    }

    /// The live cluster some time later. What Gloo and Envoy remember is taken along: a virtual host
    /// in error goes on as it was, and keeps its domains (case 12-last-good).
    #[must_use]
    pub fn follow(&self, live: Snapshot) -> Self {
        let memory = &self.live.translation.memory;
        let live = Arc::new(TranslatedCluster::read(live, memory));
        let http_routes = self.http_routes.as_ref().map(HttpRoutes::alone);
        Self { live, ahead: None, http_routes }
    }

    /// The same with changes that were admitted and are not to be seen in the live objects yet. What
    /// they delete is still there. A change that is checked again must not be among them.
    #[must_use]
    pub fn with(&self, changes: &[Arc<Change>]) -> Self {
        let (base, mut writers, mut leaving) = match &self.ahead {
            Some(ahead) => {
                (&ahead.snapshot, BTreeMap::clone(&ahead.writers), BTreeMap::clone(&ahead.leaving))
            }
            None => (&self.live.snapshot, BTreeMap::new(), BTreeMap::new()),
        };
        let snapshot = translated_cluster::under_way(base, changes);
        for change in changes {
            let of_service = |object: &ObjectRef| (object.clone(), change.service.clone());
            writers.extend(change.own().map(of_service));
            leaving.extend(change.deleted.iter().map(of_service));
        }
        let translated = match &self.ahead {
            Some(ahead) if snapshot.is(base) => Arc::clone(&ahead.translated),
            _ => Arc::default(),
        };
        let (writers, leaving) = (Arc::new(writers), Arc::new(leaving));
        let ahead = Ahead { snapshot, writers, leaving, translated };
        let http_routes = self.http_routes.as_ref().map(|routes| routes.with(changes));
        Self { live: Arc::clone(&self.live), ahead: Some(ahead), http_routes }
    }

    /// What is broken in the live cluster, whoever broke it; the same mistake is equal from one
    /// baseline to the next, so that it can be told once.
    pub fn broken(&self) -> Vec<Broken> {
        let mut all = broken::list(&self.live);
        all.extend(self.http_routes.iter().flat_map(HttpRoutes::broken));
        all.sort();
        all.dedup();
        all
    }

    /// The objects whose routes a Gateway serves, or would, each with that Gateway.
    pub fn served_by(&self) -> BTreeSet<(&ObjectRef, &ObjectRef)> {
        let hosts = self.live.translation.desired_hosts();
        let of_host = hosts.flat_map(|host| {
            let holders = host.routes.iter().map(|route| &*route.holder);
            holders.chain([&*host.holder]).map(move |holder| (holder, &*host.gateway))
        });
        of_host.chain(self.http_routes.iter().flat_map(HttpRoutes::served_by)).collect()
    }

    /// What of the live cluster could not be judged: neither good nor bad.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        let http_routes = self.http_routes.iter().flat_map(HttpRoutes::notes);
        self.live.translation.notes.iter().chain(http_routes)
    }

    /// Says of each change whether it harms anybody: the same as if they were checked one after the
    /// other, each with those admitted before it. A batch where all is well takes a few translations,
    /// whatever its size.
    pub fn check(&self, changes: &[Arc<Change>]) -> Vec<Result<Prediction, Refusal>> {
        let mut ahead = self.clone();
        let mut verdicts = Vec::with_capacity(changes.len());
        for run in group::independent(&self.live, self.http_routes.as_ref(), changes) {
            ahead.admit(run, &mut verdicts);
        }
        verdicts
    }

    /// Checks changes that have nothing to do with each other together, and by halves if that fails.
    fn admit(&mut self, changes: &[Arc<Change>], verdicts: &mut Vec<Result<Prediction, Refusal>>) {
        match self.examine(changes) {
            Ok(predictions) => {
                *self = self.with(changes);
                verdicts.extend(predictions.into_iter().map(Ok));
            }
            Err(refusal) if changes.len() == 1 => verdicts.push(Err(refusal)),
            Err(_) => {
                let (first, second) = changes.split_at(changes.len() / 2);
                self.admit(first, verdicts);
                self.admit(second, verdicts);
            }
        }
    }

    fn examine(&self, changes: &[Arc<Change>]) -> Result<Vec<Prediction>, Refusal> {
        let mut predictions = self.examine_gloo(changes)?;
        if let Some(http_routes) = &self.http_routes {
            let blockers = http_routes.examine(changes)?;
            for (prediction, blocker) in predictions.iter_mut().zip(blockers) {
                prediction.blocked_by = prediction.blocked_by.take().or(blocker);
            }
        }
        Ok(predictions)
    }

    fn examine_gloo(&self, changes: &[Arc<Change>]) -> Result<Vec<Prediction>, Refusal> {
        let owners = Owners::of(changes)?;
        let predictions = examine(&self.live, changes, &owners)?;
        let Some(ahead) = &self.ahead else { return Ok(predictions) };
        let writers = ahead.writers.iter();
        for (object, service) in writers {
            if owners.of_object(object).is_some_and(|at| changes[at].service != *service) {
                return Err(Refusal::Claimed {
                    object: Arc::new(object.clone()),
                    service: service.clone(),
                });
            }
        }
        ahead.keeps_what_is_used(&self.live.snapshot, changes)?;
        if !ahead.snapshot.is(&self.live.snapshot) {
            let memory = &self.live.translation.memory;
            let coming = ahead
                .translated
                .get_or_init(|| TranslatedCluster::read(ahead.snapshot.clone(), memory));
            examine(coming, changes, &owners)?;
        }
        Ok(predictions)
    }
}

/// Compares the cluster at every stage of the changes with the cluster without them.
fn examine(
    base: &TranslatedCluster,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<Vec<Prediction>, Refusal> {
    let stages = Stages::of(base, changes);
    for stage in stages.each() {
        regressions::undecodable(stage, owners)?;
        regressions::findings(base, stage, changes, owners)?;
        sharing::check(base, stage, owners)?;
    }
    let routed = [&stages.routed, &stages.done].into_iter().flatten();
    for stage in routed {
        claims::check(base, stage, owners)?;
    }
    let last = stages.each().last().unwrap_or(base);
    claims::served(base, last, changes, owners)?;
    claims::leaving(base, last, owners)?;

    let obstacles = Obstacles::of(base, last);
    let judged = &stages.prepared.as_ref().unwrap_or(base).translation.statuses;
    let prediction = |change: &Arc<Change>| {
        let has_verdict = |id: &&ObjectId| {
            let status = judged.get(&change::reference(id));
            status.is_some_and(|status| status.state != State::Pending)
        };
        Prediction {
            judged_upstreams: change.upstreams.iter().filter(has_verdict).cloned().collect(),
            blocked_by: obstacles.before(change),
        }
    };
    Ok(changes.iter().map(prediction).collect())
}

#[cfg(test)]
mod tests;
