//! Requests, and the routes and domains that claim them.
//!
//! Judged by the virtual hosts that the objects ask for, whether Gloo and Envoy take them at the
//! moment or not: another owner's mistake hides none of ours.

use std::cell::LazyCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gloo::config::{Match, PathMatch, Route, VirtualHost};
use gloo::{Finding, ObjectRef, Severity};

use super::change::Change;
use super::domains::Wildcards;
use super::overlap::{covers, meet, takes_from};
use super::ownership::Owners;
use super::pairs::pairs;
use super::rivals::{Rival, conflict, refusal};
use super::translated_cluster::TranslatedCluster;
use crate::reason::Refusal;

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
/// Requests of one that another would get, another owner's route that would go or be answered otherwise,
/// and a route of ours that none would reach.
pub(super) fn check(
    base: &TranslatedCluster,
    stage: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    let mended = mended(base, stage);
    let (before, after) = (&base.translation, &stage.translation);
    let known = Known::of(before.desired_hosts());
    let wildcards = LazyCell::new(|| Wildcards::of(after));
    for host in after.desired_hosts() {
        let old = known.get(host);
        if old.is_some_and(|old| old == &**host) {
            continue;
        }
        if let Some(old) = old.filter(|_| !owners.has(&host.holder)) {
            unchanged(old, host, owners, &mended)?;
        }
        conflicts(old, host, owners)?;
        if owners.has(&host.holder) {
            wildcards.check(old, host, owners)?;
        }
    }
    let replaced = before.replacement.is_some() || after.replacement.is_some();
    if replaced && before.refused.is_empty() && after.refused.is_empty() {
        let known = Known::of(before.served_hosts());
        let hosts = after.served_hosts().filter(|host| !owners.has(&host.holder));
        for host in hosts {
            if let Some(old) = known.get(host) {
                unchanged(old, host, owners, &mended)?;
            }
        }
    }
    Ok(())
}

/// Virtual hosts by Gateway and name. One name may be served by several Gateways.
struct Known<'a> {
    by_gateway: HashMap<(&'a ObjectRef, &'a str), &'a VirtualHost>,
    by_name: HashMap<&'a str, &'a VirtualHost>,
}

impl<'a> Known<'a> {
    fn of(hosts: impl Iterator<Item = &'a Arc<VirtualHost>>) -> Self {
        let mut known = Self { by_gateway: HashMap::new(), by_name: HashMap::new() };
        for host in hosts {
            known.by_gateway.insert((&host.gateway, &host.name), host);
            known.by_name.entry(&host.name).or_insert(host);
        }
        known
    }

    /// The one on the same Gateway; for a Gateway that serves it anew, the one on another.
    fn get(&self, host: &VirtualHost) -> Option<&'a VirtualHost> {
        let same = self.by_gateway.get(&(&*host.gateway, host.name.as_str()));
        same.or_else(|| self.by_name.get(host.name.as_str())).copied()
    }
}

/// Objects with a mistake that is gone: their routes may come to be what is written.
fn mended(base: &TranslatedCluster, stage: &TranslatedCluster) -> HashSet<Arc<ObjectRef>> {
    let after: HashSet<&Finding> = stage.translation.findings.iter().collect();
    let before = base.translation.findings.iter();
    let gone = before.filter(|it| it.severity < Severity::Rejected && !after.contains(it));
    gone.map(|finding| Arc::clone(&finding.object)).collect()
}

/// Compares the routes of others in another owner's virtual host.
fn unchanged(
    before: &VirtualHost,
    after: &VirtualHost,
    owners: &Owners,
    mended: &HashSet<Arc<ObjectRef>>,
) -> Result<(), Refusal> {
    let foreign = |host: &'_ VirtualHost| -> Vec<usize> {
        let routes = host.routes.iter().enumerate();
        routes.filter(|(_, route)| !owners.has(&route.holder)).map(|(at, _)| at).collect()
    };
    let (old, new) = (foreign(before), foreign(after));
    let old: Vec<&Route> = old.into_iter().map(|at| &before.routes[at]).collect();
    let new: Vec<&Route> = new.into_iter().map(|at| &after.routes[at]).collect();
    if old.len() == new.len() && old.iter().zip(&new).all(|(a, b)| same(a, b)) {
        return Ok(());
    }
    let mut places: HashMap<(&Arc<ObjectRef>, &str), Vec<usize>> = HashMap::new();
    for (at, route) in old.iter().enumerate() {
        places.entry((&route.holder, text(&route.matcher))).or_default().push(at);
    }
    let mut was_at = Vec::with_capacity(new.len());
    for route in &new {
        let places = places.entry((&route.holder, text(&route.matcher))).or_default();
        let fits = |at: &usize| {
            same(old[*at], route)
                || (mended.contains(&route.holder) && old[*at].matcher == route.matcher)
        };
        let found = places.iter().position(fits).map(|index| places.remove(index));
        was_at.push(found);
    }
    let gone = places.into_values().flatten().min().map(|at| old[at]);
    // A route that was left out and is not any more was a mistake that somebody mended.
    let strange = new.iter().zip(&was_at).find_map(|(route, at)| {
        (at.is_none() && !mended.contains(&route.holder)).then_some(*route)
    });
    if let Some(route) = gone.or(strange) {
        return Err(Refusal::RouteChanged {
            object: Arc::clone(&route.holder),
            path: path(&route.matcher),
            host: after.name.clone(),
        });
    }
    let stays = was_at.is_sorted();
    pairs(
        &matchers(&new),
        |_| !stays,
        |first, second| {
            let turned = was_at[first] > was_at[second];
            let (first, second) = (new[first], new[second]);
            if !turned || first.action == second.action || !meet(&first.matcher, &second.matcher) {
                return Ok(());
            }
            Err(Refusal::Reordered {
                object: Arc::clone(&first.holder),
                path: path(&first.matcher),
                other: Arc::clone(&second.holder),
                behind: path(&second.matcher),
                host: after.name.clone(),
            })
        },
    )
}

/// Equal but for the name, which counts positions.
fn same(a: &Route, b: &Route) -> bool {
    a.holder == b.holder
        && a.matcher == b.matcher
        && a.action == b.action
        && a.headers == b.headers
        && a.metadata == b.metadata
        && a.fault == b.fault
        && a.cors == b.cors
}

/// Compares the routes of each change with all others of the virtual host.
fn conflicts(
    before: Option<&VirtualHost>,
    host: &VirtualHost,
    owners: &Owners,
) -> Result<(), Refusal> {
    let routes: Vec<&Route> = host.routes.iter().collect();
    let owner: Vec<Option<usize>> =
        routes.iter().map(|route| owners.of_object(&route.holder)).collect();
    if owner.iter().all(Option::is_none) {
        return Ok(());
    }
    let was_so = LazyCell::new(|| before.map(Orders::of).unwrap_or_default());
    pairs(
        &matchers(&routes),
        |at| owner[at].is_some(),
        |i, j| {
            let (first, second) = (routes[i], routes[j]);
            let (one, other) = ((first, owner[i]), (second, owner[j]));
            let Some(refusal) = refusal(one, other, owners, || host.name.clone()) else {
                return Ok(());
            };
            match was_so.has(first, second) {
                true => Ok(()),
                false => Err(refusal),
            }
        },
    )
}

/// Where the routes of a virtual host are, by holder and path.
#[derive(Default)]
struct Orders<'a>(HashMap<(&'a ObjectRef, &'a str), Vec<(usize, &'a Route)>>);

impl<'a> Orders<'a> {
    fn of(host: &'a VirtualHost) -> Self {
        let mut orders: HashMap<_, Vec<_>> = HashMap::new();
        for (at, route) in host.routes.iter().enumerate() {
            orders.entry((&*route.holder, text(&route.matcher))).or_default().push((at, route));
        }
        Self(orders)
    }

    /// Whether both routes took the same requests, in this order.
    fn has(&self, first: &Route, second: &Route) -> bool {
        let Some(first) = self.places(first).next() else { return false };
        self.places(second).any(|at| at > first)
    }

    fn places<'s>(&'s self, wanted: &'s Route) -> impl Iterator<Item = usize> + 's {
        let places = self.0.get(&(&*wanted.holder, text(&wanted.matcher))).into_iter().flatten();
        places.filter(|(_, route)| route.matcher == wanted.matcher).map(|(at, _)| *at)
    }
}

/// # Errors
/// A table that would reach nobody any more by some Gateway: of a service that has routes still, or another owner's.
pub(super) fn served(
    base: &TranslatedCluster,
    last: &TranslatedCluster,
    changes: &[Arc<Change>],
    owners: &Owners,
) -> Result<(), Refusal> {
    let holders = |translated: &'_ TranslatedCluster| -> HashSet<(Arc<ObjectRef>, Arc<ObjectRef>)> {
        let hosts = translated.translation.desired_hosts();
        let routes = hosts.flat_map(|host| host.routes.iter().map(move |route| (route, host)));
        routes.map(|(it, host)| (Arc::clone(&it.holder), Arc::clone(&host.gateway))).collect()
    };
    let (before, after) = (holders(base), holders(last));
    let reached = after.iter().filter_map(|(object, _)| owners.of_object(object));
    let reached: HashSet<usize> = reached.collect();
    let mut lost: Vec<&(Arc<ObjectRef>, Arc<ObjectRef>)> = before.difference(&after).collect();
    lost.sort();
    for (object, _) in lost {
        let Some(at) = owners.of_object(object) else {
            if last.snapshot.contains(object) {
                return Err(Refusal::Unserved(Arc::clone(object)));
            }
            continue;
        };
        if let Some(routes) = changes[at].first_route()
            && !reached.contains(&at)
        {
            return Err(Refusal::Unserved(Arc::new(routes.clone())));
        }
    }
    Ok(())
}

/// # Errors
/// Requests or a domain that one of several changes gives up and another takes: each may be written
/// first, so they cannot go together.
pub(super) fn leaving(
    base: &TranslatedCluster,
    last: &TranslatedCluster,
    owners: &Owners,
) -> Result<(), Refusal> {
    let known = Known::of(base.translation.desired_hosts());
    let mut left: HashMap<(&ObjectRef, &str), usize> = HashMap::new();
    let now = Known::of(last.translation.desired_hosts());
    for (key, old) in &known.by_gateway {
        let Some(owner) = owners.of_object(&old.holder) else { continue };
        let kept = now.by_gateway.get(key).map(|host| &host.domains);
        let gone = old.domains.iter().filter(|it| !kept.is_some_and(|kept| kept.contains(it)));
        left.extend(gone.map(|domain| ((&*old.gateway, domain.as_str()), owner)));
    }
    for host in last.translation.desired_hosts() {
        let own = owners.of_object(&host.holder);
        let takes = |domain: &&String| {
            let left = left.get(&(&*host.gateway, domain.as_str()));
            left.is_some_and(|owner| Some(*owner) != own)
        };
        if let Some(domain) = host.domains.iter().find(takes).filter(|_| own.is_some()) {
            return Err(Refusal::Domain {
                object: Arc::clone(&host.holder),
                domain: domain.clone(),
                wildcard: domain.clone(),
                owner: Arc::clone(&host.holder),
            });
        }
        let Some(old) = known.get(host) else { continue };
        leaving_routes(old, host, owners)?;
    }
    Ok(())
}

fn leaving_routes(
    before: &VirtualHost,
    host: &VirtualHost,
    owners: &Owners,
) -> Result<(), Refusal> {
    let ours = |host: &'_ VirtualHost| -> HashMap<(Arc<ObjectRef>, String), Vec<Match>> {
        let mut matches: HashMap<_, Vec<Match>> = HashMap::new();
        for route in host.routes.iter().filter(|route| owners.has(&route.holder)) {
            let key = (Arc::clone(&route.holder), text(&route.matcher).to_owned());
            matches.entry(key).or_default().push(route.matcher.clone());
        }
        matches
    };
    let (old, new) = (ours(before), ours(host));
    let is_in = |matches: &HashMap<(Arc<ObjectRef>, String), Vec<Match>>, route: &Route| {
        let key = (Arc::clone(&route.holder), text(&route.matcher).to_owned());
        matches.get(&key).is_some_and(|known| known.contains(&route.matcher))
    };
    let going = before.routes.iter();
    let going = going.filter(|it| owners.has(&it.holder) && !is_in(&new, it));
    let mut routes: Vec<&Route> = going.collect();
    let count = routes.len();
    if count == 0 {
        return Ok(());
    }
    let coming = host.routes.iter();
    routes.extend(coming.filter(|it| owners.has(&it.holder) && !is_in(&old, it)));
    pairs(
        &matchers(&routes),
        |at| at < count,
        |i, j| {
            let (one, other) = (routes[i], routes[j]);
            let apart = (i < count) == (j < count)
                || owners.of_object(&one.holder) == owners.of_object(&other.holder)
                || !meet(&one.matcher, &other.matcher);
            if apart { Ok(()) } else { Err(conflict(host.name.clone(), other, one, true)) }
        },
    )
}

fn matchers<'a>(routes: &[&'a Route]) -> Vec<&'a Match> {
    routes.iter().map(|route| &route.matcher).collect()
}

fn text(matcher: &Match) -> &str {
    matcher.path.as_ref().map_or("/", PathMatch::text)
}

fn path(matcher: &Match) -> String {
    text(matcher).to_owned()
}
