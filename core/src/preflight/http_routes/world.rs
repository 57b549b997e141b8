//! What the objects of the Gateway API mean at one moment, to every implementation that has a Gateway.

use std::sync::Arc;

use gateway_api::{Environment, ObjectRef, Profile, Snapshot, Translation, Validation, translate};

use super::super::change::Change;
use super::surroundings::environment;

/// The implementations that are modelled.
const PROFILES: [Profile; 2] = [Profile::Kgateway(Validation::Standard), Profile::EnvoyGateway];

/// Objects, and what they mean.
#[derive(Debug)]
pub(super) struct World {
    pub(super) snapshot: Snapshot,
    /// By implementation; only of those that have a Gateway.
    pub(super) models: Vec<Model>,
}

/// What an implementation makes of the objects.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) profile: Profile,
    pub(super) translation: Translation,
}

impl World {
    /// Translates the objects; what Envoys remember is taken from `before`. Pods are assumed behind every Service: the
    /// order of a rollout waits for them.
    pub(super) fn read(snapshot: Snapshot, before: Option<&Self>) -> Self {
        let mut seen = snapshot.with_every_endpoint();
        // A Gateway without its GatewayClass is served by nobody.
        let classless = snapshot.gateways().filter(|(_, controller)| controller.is_none());
        for (gateway, _) in classless {
            seen.remove("Gateway", &gateway.namespace, &gateway.name);
        }
        let serves = |profile: &Profile| {
            let mut controllers = snapshot.gateways().filter_map(|(_, controller)| controller);
            controllers.any(|controller| controller == profile.controller())
        };
        let models = PROFILES.into_iter().filter(serves).map(|profile| {
            let memory = before.and_then(|before| before.model(profile));
            let memory = memory.map(|model| model.translation.memory.clone());
            let seen = seen.clone().within(Environment { profile, ..environment() });
            let translation = translate(&seen, &memory.unwrap_or_default());
            Model { profile, translation }
        });
        Self { models: models.collect(), snapshot }
    }

    /// What this implementation makes of the objects, if it has a Gateway.
    pub(super) fn model(&self, profile: Profile) -> Option<&Model> {
        self.models.iter().find(|model| model.profile == profile)
    }

    /// Whether the implementation of this Gateway is modelled.
    pub(super) fn is_modelled(&self, gateway: &ObjectRef) -> bool {
        let own = self.snapshot.gateways().find(|(name, _)| **name == gateway.resource());
        let controller = own.and_then(|(_, controller)| controller);
        controller.is_some_and(|it| PROFILES.iter().any(|profile| profile.controller() == it))
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
            (!snapshot.is(before)).then(|| World::read(snapshot.clone(), Some(base)))
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
