//! What the objects of the Gateway API mean at one moment, to every implementation that has a Gateway.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use gateway_api::{
    Environment, ObjectRef, Profile, ResourceRef, Snapshot, Translation, Validation, translate,
};

use super::super::change::Change;
use super::stand_ins;
use super::surroundings::environment;

/// The implementations that are modelled.
const PROFILES: [Profile; 2] = [Profile::Kgateway(Validation::Standard), Profile::EnvoyGateway];

/// Objects, and what they mean.
#[derive(Debug)]
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    /// Whose rules hold for Gateways that nobody has read; `None`: nobody can tell.
    unread: Option<Profile>,
    /// The objects with what [stands in](stand_ins) for those that nobody has read.
    pub(super) seen: Snapshot,
    /// The Gateways that stand in.
    pub(super) stand_ins: BTreeSet<ObjectRef>,
    /// By implementation; only of those that have a Gateway.
    pub(super) models: Vec<Model>,
    /// See [`World::serving`]. Found out when first asked for.
    serving: OnceLock<HashSet<Serving>>,
}

/// An HTTPRoute, and a Gateway that serves routes of it, or would.
type Serving = (Arc<ObjectRef>, Arc<ObjectRef>);

/// What an implementation makes of the objects.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) profile: Profile,
    pub(super) translation: Translation,
}

impl World {
    /// Translates the objects; what Envoys remember is taken from `before`. Pods are assumed behind every Service: the
    /// order of a rollout waits for them. Gateways that nobody has read are those of `unread`.
    pub(super) fn read(snapshot: Snapshot, unread: Option<Profile>, before: Option<&Self>) -> Self {
        let mut seen = snapshot.with_every_endpoint(before.map(|it| (&it.snapshot, &it.seen)));
        let stand_ins = unread.map(|profile| stand_ins::put(&mut seen, profile));
        // A Gateway without its GatewayClass is served by nobody.
        let classless: Vec<ResourceRef> = seen
            .gateways()
            .filter(|(_, controller)| controller.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for gateway in classless {
            seen.remove("Gateway", &gateway.namespace, &gateway.name);
        }
        let serves = |profile: &Profile| {
            let mut controllers = seen.gateways().filter_map(|(_, controller)| controller);
            controllers.any(|controller| controller == profile.controller())
        };
        let models = PROFILES.into_iter().filter(serves).map(|profile| {
            let memory = before.and_then(|before| before.model(profile));
            let memory = memory.map(|model| model.translation.memory.clone());
            let seen = seen.clone().within(Environment { profile, ..environment() });
            let translation = translate(&seen, &memory.unwrap_or_default());
            Model { profile, translation }
        });
        let models = models.collect();
        let stand_ins = stand_ins.unwrap_or_default();
        Self { models, snapshot, unread, stand_ins, seen, serving: OnceLock::new() }
    }

    /// Every HTTPRoute with each Gateway that serves routes of it, or would.
    pub(super) fn serving(&self) -> &HashSet<Serving> {
        self.serving.get_or_init(|| {
            let mut all = HashSet::new();
            for desired in self.models.iter().flat_map(|model| &model.translation.desired) {
                let routes = desired.virtual_hosts.iter().flat_map(|host| &host.routes);
                let mut last: Option<&Arc<ObjectRef>> = None;
                for route in routes {
                    // Those of one HTTPRoute often lie behind one another.
                    if !last.is_some_and(|last| Arc::ptr_eq(last, &route.holder)) {
                        all.insert((Arc::clone(&route.holder), Arc::clone(&desired.gateway)));
                    }
                    last = Some(&route.holder);
                }
            }
            all
        })
    }

    /// The same with these objects.
    pub(super) fn after(&self, snapshot: Snapshot) -> Self {
        Self::read(snapshot, self.unread, Some(self))
    }

    /// Whether it is the very same, see [`Snapshot::is`].
    pub(super) fn is(&self, snapshot: &Snapshot, unread: Option<Profile>) -> bool {
        self.snapshot.is(snapshot) && self.unread == unread
    }

    /// What this implementation makes of the objects, if it has a Gateway.
    pub(super) fn model(&self, profile: Profile) -> Option<&Model> {
        self.models.iter().find(|model| model.profile == profile)
    }

    /// Whether there is such a Gateway, and its implementation is modelled.
    pub(super) fn is_modelled(&self, gateway: &ObjectRef) -> bool {
        let own = self.seen.gateway_controller(&gateway.resource());
        own.is_some_and(|it| PROFILES.iter().any(|profile| profile.controller() == it))
    }

    /// Whether the Gateway is not there: it is not in what was read.
    pub(super) fn lacks(&self, gateway: &ObjectRef) -> bool {
        !self.snapshot.contains(gateway)
            && self.snapshot.is_complete_in("Gateway", &gateway.namespace)
    }
}

/// The stages that the changes go through, taken together. One that is like the one before is left out.
pub(super) struct Stages {
    /// All but HTTPRoutes is written.
    prepared: Option<World>,
    /// The new HTTPRoutes as well, and the old ones are still there.
    pub(super) routed: Option<World>,
    /// What nothing desires any more is gone.
    pub(super) done: Option<World>,
}

impl Stages {
    pub(super) fn of(base: &World, changes: &[Arc<Change>]) -> Self {
        let prepared = with_backends(&base.snapshot, changes);
        let routed = with_routes(&prepared, changes);
        let mut done = routed.clone();
        for object in changes.iter().flat_map(|change| &change.http_routes.deleted) {
            done.remove(&object.kind, &object.namespace, &object.name);
        }
        let read = |snapshot: &Snapshot, before: &Snapshot| {
            (!snapshot.is(before)).then(|| base.after(snapshot.clone()))
        };
        Self {
            done: read(&done, &routed),
            routed: read(&routed, &prepared),
            prepared: read(&prepared, &base.snapshot),
        }
    }

    /// Those that differ from the one before, in order.
    pub(super) fn each(&self) -> impl Iterator<Item = &World> {
        [&self.prepared, &self.routed, &self.done].into_iter().flatten()
    }
}

fn with_backends(base: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    let mut snapshot = base.clone();
    changes.iter().for_each(|change| snapshot.extend_backends(&change.http_routes.decoded));
    snapshot
}

fn with_routes(prepared: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    let mut snapshot = prepared.clone();
    changes.iter().for_each(|change| snapshot.extend_routes(&change.http_routes.decoded));
    snapshot
}

/// The objects as they are while the changes are under way: what is new is there, and what is to go is there too.
pub(super) fn under_way(base: &Snapshot, changes: &[Arc<Change>]) -> Snapshot {
    with_routes(&with_backends(base, changes), changes)
}
