//! What kgateway and Envoy Gateway would make of a change of HTTPRoutes, before it is written.
//!
//! The sister of what the rest of the preflight does with Gloo's kinds, by the crate `gateway-api`: the objects are
//! translated as they are and as they would be, for every implementation that has a Gateway in the cluster.

mod change;
mod claims;
mod expected_changes;
mod findings;
mod guards;
mod obstacles;
mod overlap;
pub(crate) mod stand_ins;
mod surroundings;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use gateway_api::{ObjectRef, Profile, Severity, Snapshot};
use gloo::Note;

use super::broken::{Blocks, Broken, Rule};
use super::change::Change;
use super::ownership::Owners;
use super::regressions::on_one_line;
use crate::reason::{Blocker, Refusal};
use surroundings::delegates;
use world::{Stages, World, under_way};

pub(super) use change::RouteChange;
pub use expected_changes::http_routes_are_expected;
pub use surroundings::http_route_snapshot;

/// The HTTPRoutes that changes are compared with, and all that decides about them. Copies share it.
#[derive(Clone, Debug)]
pub(super) struct HttpRoutes {
    live: Arc<World>,
    ahead: Option<Ahead>,
    notes: Arc<Vec<Note>>,
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
    world: Arc<OnceLock<World>>,
}

impl HttpRoutes {
    /// The live objects; what Envoys remember is taken from `before`.
    pub(super) fn read(live: Snapshot, unread: Option<Profile>, before: Option<&Self>) -> Self {
        let before = before.map(|before| &before.live);
        let live = match before.filter(|before| before.is(&live, unread)) {
            Some(before) => Arc::clone(before),
            None => Arc::new(World::read(live, unread, before.map(Arc::as_ref))),
        };
        let notes = Arc::new(notes(&live));
        Self { live, ahead: None, notes }
    }

    /// The same without changes under way.
    pub(super) fn alone(&self) -> Self {
        Self { ahead: None, ..self.clone() }
    }

    /// The same with changes that were admitted and are not to be seen in the live objects yet.
    pub(super) fn with(&self, changes: &[Arc<Change>]) -> Self {
        let (base, mut writers, mut leaving) = match &self.ahead {
            Some(ahead) => {
                (&ahead.snapshot, BTreeMap::clone(&ahead.writers), BTreeMap::clone(&ahead.leaving))
            }
            None => (&self.live.snapshot, BTreeMap::new(), BTreeMap::new()),
        };
        let snapshot = under_way(base, changes);
        for change in changes {
            let of_service = |object: &ObjectRef| (object.clone(), change.service.clone());
            writers.extend(change.http_routes.own().map(of_service));
            leaving.extend(change.http_routes.deleted.iter().map(of_service));
        }
        let world = match &self.ahead {
            Some(ahead) if snapshot.is(base) => Arc::clone(&ahead.world),
            _ => Arc::default(),
        };
        let (writers, leaving) = (Arc::new(writers), Arc::new(leaving));
        Self { ahead: Some(Ahead { snapshot, writers, leaving, world }), ..self.clone() }
    }

    /// What of the live objects could not be judged.
    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The objects whose routes a Gateway serves, or would, each with that Gateway.
    pub(super) fn served_by(&self) -> impl Iterator<Item = (&ObjectRef, &ObjectRef)> {
        let all = self.live.models.iter().flat_map(claims::holders);
        all.filter(|(_, gateway)| gateway.name != stand_ins::STAND_IN)
    }

    /// What is wrong in the live objects.
    pub(super) fn broken(&self) -> Vec<Broken> {
        let undecodable = self.live.snapshot.undecodable().map(|(object, words)| Broken {
            object: object.clone(),
            rule: Rule::Undecodable,
            words: words.to_owned(),
            blocks: Blocks::Nothing,
        });
        let findings = self.live.models.iter().flat_map(|model| {
            findings::counting(model).map(|finding| {
                let gateway = finding.gateway.as_deref();
                let (rule, blocks) = match finding.severity {
                    Severity::Warning => (Rule::Warning, Blocks::Nothing),
                    Severity::RuleError => (Rule::RouteError, Blocks::Nothing),
                    Severity::Rejected => (Rule::Rejected, Blocks::Nothing),
                    Severity::Refused => {
                        let gateway = gateway.unwrap_or(&finding.object);
                        (Rule::Refused, Blocks::Gateway(gateway.clone()))
                    }
                };
                let object = ObjectRef::clone(&finding.object);
                Broken { object, rule, words: on_one_line(&finding.words), blocks }
            })
        });
        undecodable.chain(findings).collect()
    }

    /// Compares the objects at every stage of the changes with those without them. Says by change why what it does would
    /// not reach Envoy, if it would not.
    ///
    /// # Errors
    /// What the changes would do to somebody.
    pub(super) fn examine(&self, changes: &[Arc<Change>]) -> Result<Vec<Option<Blocker>>, Refusal> {
        if changes.iter().all(|change| !self.concerns(change)) {
            return Ok(vec![None; changes.len()]);
        }
        let owners = Owners::of_http_routes(changes)?;
        let blockers = examine(&self.live, changes, &owners)?;
        let Some(ahead) = &self.ahead else { return Ok(blockers) };
        for (object, service) in ahead.writers.iter() {
            if owners.of_object(object).is_some_and(|at| changes[at].service != *service) {
                return Err(Refusal::Claimed {
                    object: Arc::new(object.clone()),
                    service: service.clone(),
                });
            }
        }
        ahead.keeps_what_is_used(&self.live.snapshot, changes)?;
        if !ahead.snapshot.is(&self.live.snapshot) {
            let read = || self.live.after(ahead.snapshot.clone());
            examine(ahead.world.get_or_init(read), changes, &owners)?;
        }
        Ok(blockers)
    }

    /// Whether the change does anything to HTTPRoutes, or to Services that they lead to.
    fn concerns(&self, change: &Change) -> bool {
        change.http_routes.concerns_routes()
            || self.live.snapshot.http_routes().next().is_some()
            || self.ahead.as_ref().is_some_and(|it| it.snapshot.http_routes().next().is_some())
    }

    /// What a change has to do with others, see [`super::group`]: its objects that differ, what it relies on, and
    /// whether what it does may be of use or harm to anybody.
    pub(super) fn footprint(&self, change: &Change, coming: &Snapshot) -> Footprint {
        let live = &self.live.snapshot;
        let own = &change.http_routes;
        let altered = own.own().filter(|it| own.deleted.contains(it) || !live.agrees(coming, it));
        let objects: Vec<ObjectRef> = altered.cloned().collect();
        let uses = [live, coming].into_iter().flat_map(|at| own.own().flat_map(|it| at.uses(it)));
        let broken: BTreeSet<&ObjectRef> = self
            .live
            .models
            .iter()
            .flat_map(findings::counting)
            .filter(|finding| finding.severity >= Severity::Rejected)
            .map(|finding| &*finding.object)
            .chain(live.undecodable().map(|(object, _)| object))
            .collect();
        let alone = objects.iter().any(|object| {
            broken.contains(object)
                || !matches!(object.kind.as_str(), "HTTPRoute" | "Service")
                || delegates(live, object)
                || delegates(coming, object)
        });
        Footprint { uses: uses.collect(), objects, alone }
    }

    /// The objects as they are while the changes are under way.
    pub(super) fn coming(&self, changes: &[Arc<Change>]) -> Snapshot {
        under_way(&self.live.snapshot, changes)
    }
}

/// What a change has to do with others.
pub(super) struct Footprint {
    pub(super) objects: Vec<ObjectRef>,
    pub(super) uses: Vec<ObjectRef>,
    pub(super) alone: bool,
}

impl Ahead {
    /// What goes is still there in the snapshot, so that changes could come to rely on it.
    fn keeps_what_is_used(&self, live: &Snapshot, changes: &[Arc<Change>]) -> Result<(), Refusal> {
        let coming = under_way(live, changes);
        for change in changes {
            for object in &change.http_routes.written {
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

fn examine(
    base: &World,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<Vec<Option<Blocker>>, Refusal> {
    let stages = Stages::of(base, changes);
    findings::unwritable(base, changes, owners)?;
    let last = stages.each().last().unwrap_or(base);
    for stage in stages.each() {
        findings::unwritable(stage, changes, owners)?;
        findings::new(base, stage, last, changes, owners)?;
        guards::kept(base, stage, last, owners)?;
    }
    for stage in [&stages.routed, &stages.done].into_iter().flatten() {
        claims::check(base, stage, owners)?;
    }
    claims::served(base, last, changes, owners)?;
    claims::leaving(base, last, owners)?;
    Ok(changes.iter().map(|change| obstacles::before(base, last, change)).collect())
}

/// What of the objects could not be judged.
fn notes(world: &World) -> Vec<Note> {
    let modelled = world.models.iter().flat_map(|model| &model.translation.notes);
    let mut notes: Vec<Note> = modelled
        .map(|note| Note {
            object: Arc::clone(&note.object),
            words: note.words.clone(),
            gateway: note.gateway.clone(),
            unread: note.unread.clone(),
        })
        .collect();
    for (name, route) in world.snapshot.http_routes() {
        let object = ObjectRef::new("HTTPRoute", &name.namespace, &name.name);
        let gateways = route.parent_refs.iter().filter(|it| it.kind == "Gateway").map(|it| {
            let namespace = it.namespace.as_deref().unwrap_or(&name.namespace);
            ObjectRef::new("Gateway", namespace, &it.name)
        });
        for gateway in gateways {
            let words = if world.stand_ins.contains(&gateway) {
                format!(
                    "{gateway} was not read: the route is judged as if its listeners took every route"
                )
            } else if world.is_modelled(&gateway) {
                continue;
            } else {
                let knows_classes = world.snapshot.is_complete("GatewayClass");
                let why = match (world.snapshot.contains(&gateway), world.lacks(&gateway)) {
                    (true, _) if knows_classes => "its implementation is not modelled",
                    (true, _) => "its GatewayClass was not read",
                    (false, true) => "it is not there",
                    (false, false) => "it was not read",
                };
                format!("what {gateway} makes of it is not judged: {why}")
            };
            let (object, gateway) = (Arc::new(object.clone()), Some(Arc::new(gateway)));
            notes.push(Note { object, words, gateway, unread: None });
        }
    }
    notes.sort();
    notes.dedup();
    notes
}
