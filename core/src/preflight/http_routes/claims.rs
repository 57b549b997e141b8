//! Requests, and the HTTPRoutes and hosts that claim them, judged by what the objects ask for: whether Envoy takes it at
//! the moment does not count.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use gateway_api::config::{Match, Route, VirtualHost};
use gateway_api::{ObjectRef, Snapshot, Translation};

use super::super::change::Change;
use super::super::ownership::Owners;
use super::super::pairs::pairs;
use super::super::rivals::{Rival, conflict, refusal};
use super::findings::mended;
use super::overlap::{covers, meet, takes_from};
use super::surroundings::delegates;
use super::world::{Model, World};
use crate::domain::wider;
use crate::reason::Refusal;

/// Virtual hosts with where they are.
pub(super) type Hosts<'a> = BTreeMap<Place<'a>, &'a VirtualHost>;

/// Gateway, route configuration and virtual host.
pub(super) type Place<'a> = (&'a ObjectRef, &'a str, &'a str);

pub(super) fn hosts(translation: &Translation) -> Hosts<'_> {
    let mut hosts = BTreeMap::new();
    for desired in &translation.desired {
        for host in &desired.virtual_hosts {
            hosts.insert((&*desired.gateway, desired.routes.as_str(), host.name.as_str()), &**host);
        }
    }
    hosts
}

impl Rival for Route {
    fn holder(&self) -> &Arc<ObjectRef> {
        &self.holder
    }

    fn path(&self) -> String {
        path(&self.matcher)
    }

    fn does_the_same(&self, other: &Self) -> bool {
        self.action == other.action
    }

    fn covers(&self, other: &Self) -> bool {
        covers(&self.matcher, &other.matcher)
    }

    fn takes_from(&self, other: &Self) -> bool {
        takes_from(&self.matcher, &other.matcher)
    }
}

/// # Errors
/// Requests of one that another would get, another owner's route that would go or be answered otherwise, and a route of
/// ours that none would reach.
pub(super) fn check(base: &World, stage: &World, owners: &Owners) -> Result<(), Refusal> {
    let mut own = owners.objects();
    let inherits = own.any(|(object, _)| is_above(&stage.snapshot, object));
    for model in &stage.models {
        let before = base.model(model.profile);
        let mended = before.map(|before| mended(before, model)).unwrap_or_default();
        let known = before.map(|before| hosts(&before.translation)).unwrap_or_default();
        let now = hosts(&model.translation);
        for (place, old) in &known {
            unchanged(old, now.get(place).copied(), inherits, owners, &mended)?;
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

/// Finds a route of another owner's that is not there any more, or does otherwise. `inherits`: whose the surroundings are
/// may change what routes inherit, but may not lose one of them.
fn unchanged(
    before: &VirtualHost,
    after: Option<&VirtualHost>,
    inherits: bool,
    owners: &Owners,
    mended: &HashSet<Arc<ObjectRef>>,
) -> Result<(), Refusal> {
    if after == Some(before) {
        return Ok(());
    }
    let foreign = |host: &'_ VirtualHost| -> Vec<usize> {
        let routes = host.routes.iter().enumerate();
        routes.filter(|(_, route)| !owners.has(&route.holder)).map(|(at, _)| at).collect()
    };
    let old: Vec<&Route> = foreign(before).into_iter().map(|at| &before.routes[at]).collect();
    let new: Vec<&Route> = after.map_or_else(Vec::new, |after| {
        foreign(after).into_iter().map(|at| &after.routes[at]).collect()
    });
    let is_same = |(one, other): (&&Route, &&Route)| {
        one.holder == other.holder && one.matcher == other.matcher && answers_alike(one, other)
    };
    if old.len() == new.len() && old.iter().zip(&new).all(is_same) {
        return Ok(());
    }
    let mut now: HashMap<(&ObjectRef, usize), Vec<&Route>> = HashMap::new();
    for route in new {
        now.entry((&*route.holder, route.rule)).or_default().push(route);
    }
    for route in old.into_iter().filter(|it| !mended.contains(&it.holder)) {
        let places = now.get(&(&*route.holder, route.rule));
        let mut same = places.into_iter().flatten().filter(|it| it.matcher == route.matcher);
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

/// Equal but for the name, which counts positions, and for what tells them apart.
fn answers_alike(one: &Route, other: &Route) -> bool {
    let Route {
        holder: _,
        rule,
        name: _,
        matcher: _,
        action,
        request_headers,
        response_headers,
        cors,
        session,
        jwt,
        opaque,
    } = one;
    *rule == other.rule
        && *action == other.action
        && *request_headers == other.request_headers
        && *response_headers == other.response_headers
        && *cors == other.cors
        && *session == other.session
        && *jwt == other.jwt
        && *opaque == other.opaque
}

/// Compares the routes of each change with all others of the virtual host that may take the same requests.
fn conflicts(
    before: Option<&VirtualHost>,
    host: &VirtualHost,
    owners: &Owners,
) -> Result<(), Refusal> {
    let owner: Vec<Option<usize>> =
        host.routes.iter().map(|route| owners.of_object(&route.holder)).collect();
    if owner.iter().all(Option::is_none) {
        return Ok(());
    }
    let matchers: Vec<&Match> = host.routes.iter().map(|route| &route.matcher).collect();
    pairs(
        &matchers,
        |at| owner[at].is_some(),
        |position, behind| {
            let (first, second) = (&host.routes[position], &host.routes[behind]);
            let (one, other) = ((first, owner[position]), (second, owner[behind]));
            let Some(refusal) = refusal(one, other, owners, || name(host)) else { return Ok(()) };
            match before.is_some_and(|before| has_order(before, first, second)) {
                true => Ok(()),
                false => Err(refusal),
            }
        },
    )
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
    let (before, after) = (base.serving(), last.serving());
    let mut lost: Vec<_> = before.difference(after).map(|(object, _)| object).collect();
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
    // A parent that selects it may be where nobody has looked.
    if route.parent_refs.is_empty() && !last.snapshot.is_complete("HTTPRoute") {
        return None;
    }
    let mut missing = None;
    for gateway in gateways {
        if last.lacks(&gateway) {
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
            let Some(host) = now.get(place).copied() else { continue };
            let going = unlike(old, host, owners);
            if going.is_empty() {
                continue;
            }
            let goes = going.len();
            let routes: Vec<&Route> = going.into_iter().chain(unlike(host, old, owners)).collect();
            let matchers: Vec<&Match> = routes.iter().map(|route| &route.matcher).collect();
            pairs(
                &matchers,
                |at| at < goes,
                |at, behind| {
                    let (one, other) = (routes[at], routes[behind]);
                    let (a, b) = (owners.of_object(&one.holder), owners.of_object(&other.holder));
                    let comes = at < goes && behind >= goes;
                    match comes && a != b && meet(&one.matcher, &other.matcher) {
                        true => Err(conflict(name(old), other, one, true)),
                        false => Ok(()),
                    }
                },
            )?;
        }
    }
    Ok(())
}

/// The routes of the changes that the other virtual host does not have.
fn unlike<'a>(host: &'a VirtualHost, other: &VirtualHost, owners: &Owners) -> Vec<&'a Route> {
    let mut known: HashMap<&ObjectRef, Vec<&Route>> = HashMap::new();
    for route in other.routes.iter().filter(|it| owners.has(&it.holder)) {
        known.entry(&*route.holder).or_default().push(route);
    }
    let is_known = |wanted: &Route| {
        let mut routes = known.get(&*wanted.holder).into_iter().flatten();
        routes.any(|it| it.matcher == wanted.matcher)
    };
    let own = host.routes.iter().filter(|it| owners.has(&it.holder));
    own.filter(|it| !is_known(it)).collect()
}

/// The domain, by which people know a virtual host.
pub(super) fn name(host: &VirtualHost) -> String {
    host.domains.first().unwrap_or(&host.name).clone()
}

pub(super) fn path(matcher: &Match) -> String {
    matcher.path.text().to_owned()
}

/// Whose routes a Gateway serves, or would, each with that Gateway.
pub(super) fn holders(model: &Model) -> impl Iterator<Item = (&ObjectRef, &ObjectRef)> {
    model.translation.desired.iter().flat_map(|desired| {
        let routes = desired.virtual_hosts.iter().flat_map(|host| &host.routes);
        routes.map(|route| (&*route.holder, &*desired.gateway))
    })
}
