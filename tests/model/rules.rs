//! What must always hold (design, section 5), checked at every write and whenever the proxy or a pod
//! changes; and what excuses a failure that no order of steps could have prevented.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::diff;
use coalmine_core::labels::{self, FIELD_MANAGER};
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::traffic::Shares;
use serde_json::Value;

use crate::cluster::store::is_ours;
use crate::repository::{COMMON, VERSIONS, Workload};
use crate::rollback::WaysBack;
use crate::world::World;

/// How long the proxy takes at most to learn that a pod has died or come back, and a margin.
const RECOVERY: i64 = 15_000;

/// How long a request takes at most, and the fraction of a second that Kubernetes cuts off.
const ON_ITS_WAY: i64 = 4_000;

/// A write of the daemon.
pub(crate) enum Write<'a> {
    Apply(&'a Value),
    Delete,
}

/// How much was tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) actions: usize,
    /// Requests of the daemon, the writes among them, and those of routes.
    pub(crate) requests: usize,
    pub(crate) writes: usize,
    pub(crate) route_writes: usize,
    /// Passes that found a service as desired.
    pub(crate) arrivals: usize,
    /// Requests of the load.
    pub(crate) answers: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.actions += other.actions;
        self.requests += other.requests;
        self.writes += other.writes;
        self.route_writes += other.route_writes;
        self.arrivals += other.arrivals;
        self.answers += other.answers;
    }
}

/// What is known about whose fault things are.
#[derive(Default)]
pub(crate) struct Rules {
    /// Rules that were broken.
    pub(crate) broken: Vec<String>,
    pub(crate) tally: Tally,
    /// When a pod of a service last died or recovered by itself.
    troubled: BTreeMap<String, i64>,
    /// When another owner last changed objects of a service, while it is not as desired again.
    meddled: BTreeMap<String, i64>,
    /// Services that were taken away by a commit, while they are not back again.
    pub(crate) removed: BTreeSet<String>,
    /// Writes of which the daemon did not hear that they were done, and when that was.
    unheard: BTreeMap<ObjectId, i64>,
    /// When another owner made an object with a name of ours.
    collisions: BTreeMap<ObjectId, i64>,
    /// When the API server's store was restored last.
    pub(crate) restored_at: i64,
    pub(crate) ways_back: WaysBack,
    /// When the pass began that is under way, or the last one did.
    passes: BTreeMap<String, i64>,
    /// The services whose requests were all answered, with and without the header.
    pub(crate) served: BTreeSet<(&'static str, bool)>,
    pub(crate) now: i64,
}

impl Rules {
    pub(crate) fn trouble(&mut self, service: &str, now: i64) {
        self.troubled.insert(service.into(), now);
    }

    pub(crate) fn meddled(&mut self, service: &str, now: i64) {
        self.meddled.insert(service.into(), now);
    }

    pub(crate) fn removed(&mut self, service: &str) {
        self.removed.insert(service.into());
    }

    pub(crate) fn collided(&mut self, id: &ObjectId, now: i64) {
        self.collisions.insert(id.clone(), now);
    }

    pub(crate) fn unheard(&mut self, id: &ObjectId, now: i64) {
        self.unheard.insert(id.clone(), now);
    }

    /// The process died, and what it knew is lost.
    pub(crate) fn died(&mut self) {
        self.ways_back.forget();
    }

    pub(crate) fn is_meddled(&self, service: &str) -> bool {
        self.meddled.contains_key(service)
    }

    pub(crate) fn pass_begins(&mut self, service: &str) {
        self.passes.insert(service.into(), self.now);
    }

    /// The service is as desired.
    pub(crate) fn ready(&mut self, service: &str) {
        self.tally.arrivals += 1;
        let was_removed = self.removed.remove(service);
        if self.meddled.remove(service).is_some() || was_removed {
            // What was done may still show for a while.
            self.troubled.insert(service.into(), self.now);
        }
    }
}

impl World {
    /// Whether pods of the service died by themselves, or another owner had a hand in it.
    pub(crate) fn is_excused(&self, service: &str) -> bool {
        let troubled = self.rules.troubled.get(service).is_some_and(|at| {
            // What happens while Gloo is down shows when it is up again, and a death that the watches
            // have not told yet is as fresh as on its first day.
            let at = *at.max(&self.gateway.down_until);
            self.now.min(self.known_until(&["Pod", "Endpoints"])) < at + RECOVERY
        });
        let mut pods = self.pods.all.values().filter(|pod| pod.app == service);
        troubled
            || self.rules.meddled.contains_key(service)
            || pods.any(|pod| pod.died.is_some() && !pod.terminating)
    }

    pub(crate) fn broken(&mut self, rule: &str, what: String) {
        self.tell(format!("BROKEN {rule}: {what}"));
        self.rules.broken.push(format!("{rule}: {what}"));
    }

    /// Checks a write before it is done.
    pub(crate) fn judge_write(&mut self, id: &ObjectId, write: &Write<'_>) {
        self.rules.now = self.now;
        self.rules.tally.writes += 1;
        let live = self.store.get(id);
        let service = id.namespace.clone().unwrap_or_default();
        let what = match write {
            Write::Apply(_) => "apply",
            Write::Delete => "delete",
        };
        self.tell(format!("{service}: {what} {id}"));
        self.judge_other_owner(id, live.as_ref(), &service);
        match write {
            Write::Delete if live.is_some() => self.judge_removal(id, &service, true),
            Write::Delete => {}
            Write::Apply(manifest) => {
                self.judge_need(id, manifest, live.as_ref());
                if id.kind == "RouteTable" {
                    self.judge_claim(id, manifest, live.as_ref());
                    self.judge_routes(id, manifest, live.as_ref(), &service);
                }
                let replicas = |object: &Value| object["spec"]["replicas"].as_u64();
                let parks = replicas(manifest) == Some(0);
                if id.kind == "Deployment" && parks && live.as_ref().and_then(replicas) > Some(0) {
                    self.judge_removal(id, &service, false);
                }
            }
        }
    }

    /// Objects of others are never written, unless they were made after the daemon looked.
    fn judge_other_owner(&mut self, id: &ObjectId, live: Option<&Value>, service: &str) {
        let adopts = self.repository.values(service).is_some_and(|values| values.adopt);
        if adopts || live.is_none_or(is_ours) {
            return;
        }
        let made = self.rules.collisions.get(id).copied().unwrap_or(0);
        let looked = self.rules.passes.get(service).copied().unwrap_or(0);
        // Of Deployments the watch shows only ours; each is tried before it is written.
        let known = match id.kind.as_str() {
            "Deployment" => looked,
            kind => looked.min(self.known_until(&[kind])),
        };
        if made < known {
            self.broken("a stranger's object is written", id.to_string());
        }
    }

    /// Nothing is written where nothing differs.
    fn judge_need(&mut self, id: &ObjectId, manifest: &Value, live: Option<&Value>) {
        let Some(live) = live else { return };
        let now = self.now / 1000;
        let Ok(after) = self.store.apply(id, manifest, FIELD_MANAGER, true, now) else { return };
        // What changed while the request was in flight could not be known.
        let changed = last_changed(live).unwrap_or(0) + ON_ITS_WAY;
        let is_known = changed < self.known_until(&[&id.kind])
            && self.rules.restored_at < self.known_until(&[&id.kind])
            && self.trouble.lost_answers == 0
            && self.trouble.hangs.0 == 0;
        if !diff::changes(Some(live), &after)
            && Digest::of_live(live) == Digest::of_live(&after)
            && is_known
        {
            self.broken("nothing differs and yet it is written", id.to_string());
        }
    }

    /// Of all that claim the same requests one has them: also where each is asked for alone, and each of
    /// them would do no harm without the others.
    fn judge_claim(&mut self, id: &ObjectId, new: &Value, live: Option<&Value>) {
        if !claims_common(new) || live.is_some_and(claims_common) {
            return;
        }
        let known = self.known_until(&["RouteTable"]);
        let tables = self.store.of_kind("RouteTable").into_iter();
        let mut rivals = tables.filter(|(other, table)| {
            let made = match is_ours(table) {
                // The daemon reckons with what it admitted, whether or not it sees it.
                true => self.rules.unheard.get(other).copied(),
                false => self.rules.collisions.get(other).copied(),
            };
            other != id && claims_common(table) && made.is_none_or(|at| at + ON_ITS_WAY < known)
        });
        if let Some((rival, _)) = rivals.next() {
            self.broken("two have the same requests", format!("{id} and {rival}"));
        }
    }

    /// A version gets more requests only if the proxy knows a pod of it that answers.
    fn judge_routes(&mut self, id: &ObjectId, new: &Value, live: Option<&Value>, service: &str) {
        self.rules.tally.route_writes += 1;
        let old = live.map(|live| Shares::read(service, live)).unwrap_or_default();
        let new = Shares::read(service, new);
        self.rules.ways_back.note(id, live, &new, self.now);
        // Of routes that Gloo has not judged the proxy knows nothing.
        let sent = self.sent(id).map(|sent| Shares::read(service, &sent)).unwrap_or_default();
        let has_routes = old.iter().next().is_some();
        let gaining: BTreeSet<&str> = new.gains(&sent).collect();
        let lost: BTreeSet<String> = new
            .gains(&old)
            .filter(|version| gaining.contains(version))
            .filter(|version| !self.is_reachable(service, version, has_routes))
            .map(str::to_owned)
            .collect();
        if !lost.is_empty() && !self.is_excused(service) {
            let what =
                format!("{id} gives more to {}", lost.into_iter().collect::<Vec<_>>().join(", "));
            self.broken("a version without ready pods that the proxy knows gets requests", what);
        }
    }

    pub(crate) fn is_reachable(&self, service: &str, version: &str, has_routes: bool) -> bool {
        let is_external = self
            .repository
            .values(service)
            .is_some_and(|values| values.versions[2] == Some(Workload::Upstream));
        if version == "v3" && is_external || version == "legacy" {
            return true;
        }
        // Where nothing runs nothing is lost, and a service that begins may begin as it likes.
        let mut pods = self.pods.all.values().filter(|pod| pod.app == service);
        if self.is_parked(service, version) && (!has_routes || !pods.any(|pod| pod.answers)) {
            return true;
        }
        // Without routes there is no request to lose. A Gloo that is down tells the proxy of all at
        // once when it is up again.
        let in_endpoints = !has_routes || self.gateway.down_until > self.now;
        let known: BTreeSet<&str> = self
            .gateway
            .serving
            .clusters
            .iter()
            .flat_map(|cluster| &cluster.endpoints)
            .filter_map(|endpoint| Some(endpoint.pod.as_ref()?.name.as_str()))
            .collect();
        let mut pods = self.pods.all.iter().filter(|(_, pod)| pod.app == service);
        pods.any(|(name, pod)| {
            pod.version == version
                && pod.answers
                && (in_endpoints || known.contains(&**name) || self.is_about_to_learn(name))
        })
    }

    /// Whether the values ask for no pod of this version.
    pub(crate) fn is_parked(&self, service: &str, version: &str) -> bool {
        let index = VERSIONS.iter().position(|name| *name == version);
        let workload = self.repository.values(service).zip(index).map(|(v, i)| v.versions[i]);
        workload.flatten() == Some(Workload::Ours(Some(0)))
    }

    /// Nothing goes that a route of the proxy's still names.
    fn judge_removal(&mut self, id: &ObjectId, service: &str, whole: bool) {
        let is_backend = matches!(id.kind.as_str(), "Deployment" | "Service" | "Upstream");
        // When routes go, nothing tells when Gloo has heard of it; who is to go has no requests to lose.
        let is_unheard =
            self.gateway.down_until + 4_000 > self.now && self.repository.values(service).is_none();
        if !is_backend || is_unheard || self.rules.meddled.contains_key(service) {
            return;
        }
        let own = format!("{}_{service}", id.name);
        let version = id.name.strip_prefix(&format!("{service}-")).unwrap_or_default().to_owned();
        let uses = |cluster: &str, subset: &BTreeMap<String, String>| match id.kind.as_str() {
            "Upstream" => cluster == own,
            "Service" => {
                cluster.ends_with(&format!("_{service}")) && !cluster.starts_with("legacy_")
            }
            _ => {
                cluster == own
                    || cluster == format!("{service}_{service}")
                        && subset.get("version") == Some(&version)
            }
        };
        let mut targets = self.targets().into_iter();
        let is_used = targets
            .any(|(cluster, subset, gets_some)| (whole || gets_some) && uses(cluster, subset));
        if is_used {
            self.broken("what the proxy still uses goes", id.to_string());
        }
    }
}

/// Whether the table has routes for what is common to all.
pub(crate) fn claims_common(table: &Value) -> bool {
    let routes = table["spec"]["routes"].as_array().into_iter().flatten();
    let mut matchers = routes.flat_map(|route| route["matchers"].as_array()).flatten();
    matchers.any(|matcher| matcher["prefix"].as_str().is_some_and(|it| it.starts_with(COMMON)))
}

/// When anybody changed the object last, in milliseconds, cut off to the second.
fn last_changed(object: &Value) -> Option<i64> {
    labels::last_changed(object).map(|at| at.as_millisecond())
}
