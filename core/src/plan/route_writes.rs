//! Which routes are written next, and in which order.

use serde_json::Value;

use super::desired::Desired;
use super::observation::Observation;
use crate::kind::{Kind, RouteApi};
use crate::object::{Manifest, ObjectId};
use crate::render::gateway_api::{first_rules, is_emptied, is_staged, next_rules};

/// What to write next of these routes, in the order in which no request is without a route.
pub(super) fn next_writes(
    desired: &Desired,
    routes: Vec<Manifest>,
    seen: &Observation,
) -> Vec<Manifest> {
    let mut writes: Vec<Manifest> =
        routes.into_iter().map(|manifest| next_write(desired, manifest, seen)).collect();
    // Rules move from one HTTPRoute to the next when there are more of them, and back when there are fewer: a rule is
    // written where it goes before it is gone from where it was.
    let own = || desired.routes.iter().filter(|manifest| manifest.id().is(Kind::HttpRoute));
    let live: Vec<_> = own().filter_map(|manifest| live_rules(manifest.id(), seen)).collect();
    let (before, after) = (live.iter().map(|rules| rules.len()).sum::<usize>(), own().map(rules));
    if live.len() > 1 && after.map(<[Value]>::len).sum::<usize>() >= before {
        writes.reverse();
    }
    writes
}

/// Whether what the live routes have besides is there for what comes or for what has been, so that the next write waits
/// until every proxy knows it.
pub(super) fn is_under_way(desired: &Desired, routes: &[Manifest], seen: &Observation) -> bool {
    let mut live = routes.iter().filter_map(|manifest| live_rules(manifest.id(), seen));
    desired.is_staged && live.any(is_staged)
}

/// Whether something that goes may have requests until every proxy knows the routes that stay: routes of another API,
/// and rules that moved to another HTTPRoute.
pub(super) fn leaves_requests(desired: &Desired, id: &ObjectId) -> bool {
    let mut stays = desired.routes.iter().filter_map(|manifest| manifest.id().route_api());
    stays.any(|api| id.route_api() != Some(api) || api == RouteApi::GatewayApi)
}

/// Of the routes that go, those whose clusters may leave Envoy before the routes that name them do: no request may fit
/// them any more when they are deleted. Nothing of what has been emptied already.
pub(super) fn to_empty(goes: &[ObjectId], seen: &Observation) -> Vec<ObjectId> {
    let takes_requests = |id: &&ObjectId| {
        let facts = seen.object(id).filter(|facts| !facts.terminating);
        let route = facts.and_then(|facts| facts.http_route.as_ref());
        route.is_some_and(|it| it.has_clusters_by_rule && !is_emptied(&it.rules))
    };
    goes.iter().filter(takes_requests).cloned().collect()
}

/// Whether one of the routes that go has been emptied.
pub(super) fn has_emptied(goes: &[ObjectId], seen: &Observation) -> bool {
    goes.iter().filter_map(|id| live_rules(id, seen)).any(is_emptied)
}

fn next_write(desired: &Desired, manifest: Manifest, seen: &Observation) -> Manifest {
    if !desired.is_staged {
        return manifest;
    }
    let next = match live_rules(manifest.id(), seen) {
        Some(live) => next_rules(live, rules(&manifest)),
        None => first_rules(rules(&manifest)),
    };
    if next == rules(&manifest) {
        return manifest;
    }
    let mut object = manifest.object().clone();
    object["spec"]["rules"] = next.into();
    Manifest::new(object).unwrap_or(manifest)
}

pub(super) fn live_rules<'a>(id: &ObjectId, seen: &'a Observation) -> Option<&'a [Value]> {
    let facts = seen.object(id).filter(|facts| !facts.terminating)?;
    facts.http_route.as_ref().map(|route| route.rules.as_slice())
}

fn rules(manifest: &Manifest) -> &[Value] {
    let rules = manifest.object().pointer("/spec/rules").and_then(Value::as_array);
    rules.map(Vec::as_slice).unwrap_or_default()
}
