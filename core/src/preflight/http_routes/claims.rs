//! Requests, and the HTTPRoutes and hosts that claim them, judged by what the objects ask for: whether Envoy takes it at
//! the moment does not count.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use gateway_api::config::{Match, Route, VirtualHost};
use gateway_api::{ObjectRef, Snapshot, Translation};

use super::super::change::Change;
use super::super::ownership::Owners;
use super::findings::mended;
use super::overlap::{covers, meet, takes_from};
use super::surroundings::delegates;
use super::world::{Model, World};
use crate::domain::wider;
use crate::reason::{Conflict, Refusal};

/// A virtual host with where it is: Gateway and route configuration.
type Hosts<'a> = BTreeMap<(&'a ObjectRef, &'a str, &'a str), &'a VirtualHost>;

fn hosts(translation: &Translation) -> Hosts<'_> {
    let mut hosts = BTreeMap::new();
    for desired in &translation.desired {
        for host in &desired.virtual_hosts {
            hosts.insert((&*desired.gateway, desired.routes.as_str(), host.name.as_str()), &**host);
        }
    }
    hosts
}

/// # Errors
/// Requests of one that another would get, another owner's route that would go or be answered otherwise, and a route of
/// ours that none would reach.
pub(super) fn check(base: &World, stage: &World, owners: &Owners) -> Result<(), Refusal> {
    for model in &stage.models {
        let before = base.model(model.profile);
        let mended = before.map(|before| mended(before, model)).unwrap_or_default();
        let known = before.map(|before| hosts(&before.translation)).unwrap_or_default();
        let now = hosts(&model.translation);
        for (place, old) in &known {
            unchanged(old, now.get(place).copied(), stage, owners, &mended)?;
        }
        for (place, host) in &now {
            let old = known.get(place).copied();
            if old == Some(host) {
                continue;
            }
            conflicts(old, host, owners)?;
            if old.is_none() {
                carved_out(place.0, host, &known, &base.snapshot, owners)?;
            }
        }
    }
    Ok(())
}

/// Finds a route of another owner's that is not there any more, or does otherwise.
fn unchanged(
    before: &VirtualHost,
    after: Option<&VirtualHost>,
    stage: &World,
    owners: &Owners,
    mended: &HashSet<Arc<ObjectRef>>,
) -> Result<(), Refusal> {
    if after == Some(before) {
        return Ok(());
    }
    let mut now: HashMap<(&ObjectRef, usize), Vec<&Route>> = HashMap::new();
    for route in after.into_iter().flat_map(|host| &host.routes) {
        now.entry((&*route.holder, route.rule)).or_default().push(route);
    }
    let foreign = before.routes.iter().filter(|it| !owners.has(&it.holder));
    for route in foreign.filter(|it| !mended.contains(&it.holder)) {
        let places = now.get(&(&*route.holder, route.rule));
        let mut same = places.into_iter().flatten().filter(|it| it.matcher == route.matcher);
        // Who owns the surroundings may change what routes inherit, but may not lose one of them.
        let inherits = owners.objects().any(|(object, _)| is_above(&stage.snapshot, object));
        if !same.any(|it| inherits || answers_alike(route, it)) {
            return Err(Refusal::RouteChanged {
                object: Arc::clone(&route.holder),
                path: path(&route.matcher),
                host: name(before),
            });
        }
    }
    Ok(())
}

/// Whether others inherit from the object: all but Services, and HTTPRoutes without children.
fn is_above(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    match object.kind.as_str() {
        "Service" => false,
        "HTTPRoute" => delegates(snapshot, object),
        _ => true,
    }
}

/// Equal but for the name, which counts positions.
fn answers_alike(one: &Route, other: &Route) -> bool {
    let renamed = Route { name: one.name.clone(), ..other.clone() };
    *one == renamed
}

/// Compares the routes of each change with all others of the virtual host.
fn conflicts(
    before: Option<&VirtualHost>,
    host: &VirtualHost,
    owners: &Owners,
) -> Result<(), Refusal> {
    let owner = |route: &Route| owners.of_object(&route.holder);
    for (position, first) in host.routes.iter().enumerate() {
        for second in host.routes.iter().skip(position + 1) {
            let refusal = match (owner(first), owner(second)) {
                (None, None) => continue,
                (one, other) if one == other => {
                    let moves = owners.goes(&first.holder) || owners.goes(&second.holder);
                    if moves
                        || first.action == second.action
                        || !covers(&first.matcher, &second.matcher)
                    {
                        continue;
                    }
                    Refusal::Shadowed {
                        object: Arc::clone(&second.holder),
                        path: path(&second.matcher),
                        before: path(&first.matcher),
                    }
                }
                (Some(at), None) if owners.succeeds(at, &second.holder) => continue,
                (None, Some(at)) if owners.succeeds(at, &first.holder) => continue,
                (Some(_), _) if takes_from(&first.matcher, &second.matcher) => {
                    conflict(host, first, second, true)
                }
                (_, Some(_)) if covers(&first.matcher, &second.matcher) => {
                    conflict(host, second, first, false)
                }
                _ => continue,
            };
            if !before.is_some_and(|before| has_order(before, first, second)) {
                return Err(refusal);
            }
        }
    }
    Ok(())
}

/// Whether both routes took the same requests, in this order.
fn has_order(host: &VirtualHost, first: &Route, second: &Route) -> bool {
    let place = |wanted: &'_ Route| {
        let same = |it: &Route| it.holder == wanted.holder && it.matcher == wanted.matcher;
        host.routes.iter().position(same)
    };
    matches!((place(first), place(second)), (Some(first), Some(second)) if first < second)
}

/// # Errors
/// A host that comes and that another owner's wildcard has covered so far: its routes get none of the requests any more.
/// What no HTTPRoute names is for whatever nobody claims.
fn carved_out(
    gateway: &ObjectRef,
    host: &VirtualHost,
    known: &Hosts<'_>,
    before: &Snapshot,
    owners: &Owners,
) -> Result<(), Refusal> {
    let own = host.routes.iter().find(|route| owners.has(&route.holder));
    let Some(own) = own else { return Ok(()) };
    let at = owners.of_object(&own.holder);
    for domain in host.domains.iter().filter(|domain| *domain != "*") {
        for wildcard in wider(domain) {
            let is_served = known.iter().any(|((serving, _, _), it)| {
                *serving == gateway
                    && it.domains.iter().any(|it| it.eq_ignore_ascii_case(&wildcard))
            });
            if !is_served || wildcard == "*" {
                continue;
            }
            let names =
                |hosts: &[String]| hosts.iter().any(|it| it.eq_ignore_ascii_case(&wildcard));
            let mut naming = before.http_routes().filter(|(_, route)| names(&route.hostnames));
            let owner = naming.find_map(|(name, _)| {
                let object = ObjectRef::new("HTTPRoute", &name.namespace, &name.name);
                (owners.of_object(&object) != at).then_some(object)
            });
            if let Some(owner) = owner {
                return Err(Refusal::Domain {
                    object: Arc::clone(&own.holder),
                    domain: domain.clone(),
                    wildcard,
                    owner: Arc::new(owner),
                });
            }
        }
    }
    Ok(())
}

/// # Errors
/// An HTTPRoute that nobody would serve: one of ours, or another owner's that a Gateway serves now.
pub(super) fn served(
    base: &World,
    last: &World,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<(), Refusal> {
    let serving = |world: &'_ World| -> HashSet<(Arc<ObjectRef>, Arc<ObjectRef>)> {
        let all = world.models.iter().flat_map(|model| &model.translation.desired);
        let hosts = all.flat_map(|it| it.virtual_hosts.iter().map(|host| (&it.gateway, host)));
        let routes =
            hosts.flat_map(|(gateway, host)| host.routes.iter().map(move |it| (it, gateway)));
        routes.map(|(it, gateway)| (Arc::clone(&it.holder), Arc::clone(gateway))).collect()
    };
    let (before, after) = (serving(base), serving(last));
    let mut lost: Vec<_> = before.difference(&after).map(|(object, _)| object).collect();
    lost.sort();
    // A parent has a route of its own only as long as no child is there.
    let stays = |it: &ObjectRef| last.snapshot.contains(it) && !delegates(&last.snapshot, it);
    let lost = lost.into_iter().find(|it| !owners.has(it) && stays(it));
    if let Some(object) = lost {
        return Err(Refusal::Unattached { object: Arc::clone(object), missing: None });
    }
    if last.models.is_empty() {
        return Ok(());
    }
    let reached: HashSet<&ObjectRef> = after.iter().map(|(object, _)| &**object).collect();
    for change in changes.iter().filter(|change| !change.tolerates_warnings) {
        for object in change.http_routes.written.iter().filter(|it| it.kind == "HTTPRoute") {
            if reached.contains(object) || delegates(&last.snapshot, object) {
                continue;
            }
            if let Some(missing) = unreached(last, object) {
                return Err(Refusal::Unattached { object: Arc::new(object.clone()), missing });
            }
        }
    }
    Ok(())
}

/// Whether nobody serves the HTTPRoute for sure, with the Gateway that it names and that is not there. One whose
/// Gateway is another implementation's may be served.
fn unreached(last: &World, object: &ObjectRef) -> Option<Option<Arc<ObjectRef>>> {
    let route = last.snapshot.http_route(&object.resource())?;
    let gateways = route.parent_refs.iter().filter(|it| it.kind == "Gateway");
    let gateways = gateways.map(|it| {
        let namespace = it.namespace.as_deref().unwrap_or(&object.namespace);
        ObjectRef::new("Gateway", namespace, &it.name)
    });
    let mut missing = None;
    for gateway in gateways {
        if !last.snapshot.contains(&gateway) {
            missing = Some(Arc::new(gateway));
        } else if !last.is_modelled(&gateway) {
            return None;
        }
    }
    Some(missing)
}

/// # Errors
/// Requests that one of several changes gives up and another takes: each may be written first, so they cannot go
/// together.
pub(super) fn leaving(base: &World, last: &World, owners: &Owners) -> Result<(), Refusal> {
    for model in &last.models {
        let Some(before) = base.model(model.profile) else { continue };
        let known = hosts(&before.translation);
        let now = hosts(&model.translation);
        for (place, old) in &known {
            let host = now.get(place).copied();
            let going = old.routes.iter().filter(|it| owners.has(&it.holder));
            let going = going.filter(|it| !host.is_some_and(|host| has(host, it)));
            for one in going {
                let coming = host.into_iter().flat_map(|host| &host.routes);
                let taken = coming.filter(|it| !has(old, it)).find(|other| {
                    let (a, b) = (owners.of_object(&one.holder), owners.of_object(&other.holder));
                    b.is_some() && a != b && meet(&one.matcher, &other.matcher)
                });
                if let Some(other) = taken {
                    return Err(conflict(old, other, one, true));
                }
            }
        }
    }
    Ok(())
}

fn has(host: &VirtualHost, wanted: &Route) -> bool {
    host.routes.iter().any(|it| it.holder == wanted.holder && it.matcher == wanted.matcher)
}

fn conflict(host: &VirtualHost, ours: &Route, theirs: &Route, ours_is_first: bool) -> Refusal {
    Refusal::Conflict(Conflict {
        host: name(host),
        ours: path(&ours.matcher),
        theirs: path(&theirs.matcher),
        ours_is_first,
        owner: Arc::clone(&theirs.holder),
    })
}

/// The domain, by which people know a virtual host.
fn name(host: &VirtualHost) -> String {
    host.domains.first().unwrap_or(&host.name).clone()
}

fn path(matcher: &Match) -> String {
    matcher.path.text().to_owned()
}

/// Whose routes a Gateway serves, or would, each with that Gateway.
pub(super) fn holders(model: &Model) -> impl Iterator<Item = (&ObjectRef, &ObjectRef)> {
    model.translation.desired.iter().flat_map(|desired| {
        let routes = desired.virtual_hosts.iter().flat_map(|host| &host.routes);
        routes.map(|route| (&*route.holder, &*desired.gateway))
    })
}
