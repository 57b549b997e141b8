//! Which changes have nothing to do with each other, so that what holds for all of them together
//! holds for each alone.

use std::collections::HashSet;
use std::sync::Arc;

use gloo::api::Route;
use gloo::{ObjectRef, Severity, Snapshot};

use super::change::Change;
use super::http_routes::HttpRoutes;
use super::translated_cluster::{TranslatedCluster, under_way};
use crate::kind::Kind;

/// Cuts the changes, in their order, into runs of independent ones.
pub(super) fn independent<'a>(
    live: &TranslatedCluster,
    http_routes: Option<&HttpRoutes>,
    changes: &'a [Arc<Change>],
) -> Vec<&'a [Arc<Change>]> {
    let coming = under_way(&live.snapshot, changes);
    let broken = broken(live);
    let routes = http_routes.map(|routes| (routes, routes.coming(changes)));
    let mut runs = Vec::new();
    let (mut start, mut run) = (0, Run::default());
    for (at, change) in changes.iter().enumerate() {
        let mut footprint = Footprint::of(change, &live.snapshot, &coming, &broken);
        if let Some((routes, coming)) = &routes {
            let own = routes.footprint(change, coming);
            footprint.objects.extend(own.objects);
            footprint.uses.extend(own.uses);
            footprint.alone |= own.alone;
        }
        if at > start && !run.takes(&footprint) {
            runs.push(&changes[start..at]);
            (start, run) = (at, Run::default());
        }
        run.add(footprint);
    }
    runs.extend((start < changes.len()).then(|| &changes[start..]));
    runs
}

/// Objects whose repair others may be waiting for.
fn broken(live: &TranslatedCluster) -> HashSet<ObjectRef> {
    let undecodable = live.snapshot.undecodable().into_iter().map(|(object, _)| object);
    let findings = live.translation.findings.iter();
    let grave = findings.filter(|finding| finding.severity >= Severity::Rejected);
    undecodable.chain(grave.map(|finding| ObjectRef::clone(&finding.object))).collect()
}

/// What a change has to do with others.
struct Footprint {
    /// What it writes or deletes.
    objects: Vec<ObjectRef>,
    /// What it relies on, now and then.
    uses: Vec<ObjectRef>,
    /// What it does may be of use or harm to anybody: it says who is served at all, or mends what
    /// holds others up.
    alone: bool,
    /// The domains, now and then, of the VirtualServices among its objects, in small letters.
    domains: Vec<String>,
    /// RouteTables come to those that are selected.
    adds: bool,
    /// RouteTables go from those that are selected.
    removes: bool,
}

impl Footprint {
    fn of(
        change: &Change,
        live: &Snapshot,
        coming: &Snapshot,
        broken: &HashSet<ObjectRef>,
    ) -> Self {
        let goes = |object: &ObjectRef| change.deleted.contains(object);
        let altered = |object: &&ObjectRef| goes(object) || !live.agrees(coming, object);
        let objects: Vec<ObjectRef> = change.own().filter(altered).cloned().collect();
        let alone = objects.iter().any(|object| {
            let kind = Kind::of_reference(object);
            broken.contains(object)
                || kind.is_some_and(concerns_anybody)
                || delegates(live, object)
                || delegates(coming, object)
        });
        // Whether another table comes or goes beside it decides in which order its routes are served.
        let moves =
            |object: &ObjectRef| [live, coming].into_iter().any(|at| is_sorted_late(at, object));
        let alone = alone || change.own().chain(&change.deleted).any(moves);
        let uses = [live, coming]
            .into_iter()
            .flat_map(|snapshot| change.own().flat_map(|object| snapshot.uses(object)));
        let uses = uses.collect();
        let is_table = |object: &&ObjectRef| Kind::of_reference(object) == Some(Kind::RouteTable);
        let tables = objects.iter().filter(is_table);
        let (mut adds, mut removes) = (false, false);
        for object in tables {
            let standing = |snapshot: &Snapshot| {
                let (labels, spec) = snapshot.route_table(&object.resource())?;
                Some((labels.clone(), spec.weight.unwrap_or_default()))
            };
            let (before, after) = (standing(live), standing(coming));
            let moved = before.is_some() && after.is_some() && before != after;
            adds |= before.is_none() || moved;
            removes |= goes(object) || moved;
        }
        let domains = [live, coming]
            .into_iter()
            .flat_map(|snapshot| objects.iter().flat_map(move |object| domains(snapshot, object)));
        let domains = domains.collect();
        Self { objects, uses, alone, domains, adds, removes }
    }
}

/// Whether objects of the kind say who is served, or hold what others refer to.
pub(super) fn concerns_anybody(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Gateway
            | Kind::Settings
            | Kind::UpstreamGroup
            | Kind::RouteOption
            | Kind::VirtualHostOption
            | Kind::MatchableHttpGateway
    )
}

/// Whether the object is a RouteTable whose routes answer in another order beside a second table.
fn is_sorted_late(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    Kind::of_reference(object) == Some(Kind::RouteTable)
        && snapshot
            .route_table(&object.resource())
            .is_some_and(|(_, spec)| gloo::depends_on_other_tables(&spec.routes))
}

/// Whether the object hands requests on to RouteTables.
pub(super) fn delegates(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    let hands_on = |routes: &[Route]| routes.iter().any(|route| route.delegate_action.is_some());
    match Kind::of_reference(object) {
        Some(Kind::RouteTable) => {
            snapshot.route_table(&object.resource()).is_some_and(|(_, spec)| hands_on(&spec.routes))
        }
        Some(Kind::VirtualService) => snapshot
            .virtual_service(&object.resource())
            .and_then(|spec| spec.virtual_host.as_ref())
            .is_some_and(|host| hands_on(&host.routes)),
        _ => false,
    }
}

/// The domains of a VirtualService, in small letters; `*` where it names none.
fn domains(snapshot: &Snapshot, object: &ObjectRef) -> Vec<String> {
    if Kind::of_reference(object) != Some(Kind::VirtualService) {
        return Vec::new();
    }
    let Some(spec) = snapshot.virtual_service(&object.resource()) else { return Vec::new() };
    let named = spec.virtual_host.as_ref().map(|host| host.domains.as_slice()).unwrap_or_default();
    match named {
        [] => vec!["*".into()],
        named => named.iter().map(|domain| domain.to_lowercase()).collect(),
    }
}

/// Whether one of the domains may take requests from the other: they are the same, or one has a
/// wildcard and what it says beside it is part of the other.
fn overlap(one: &str, other: &str) -> bool {
    let (a, b) = (one.trim_matches('*'), other.trim_matches('*'));
    let has_wildcard = a != one || b != other;
    let is_part = |a: &str, b: &str| a.ends_with(b) || a.starts_with(b);
    one == other || has_wildcard && (is_part(a, b) || is_part(b, a))
}

/// Independent changes so far.
#[derive(Default)]
struct Run {
    objects: HashSet<ObjectRef>,
    uses: HashSet<ObjectRef>,
    alone: bool,
    domains: Vec<String>,
    adds: bool,
    removes: bool,
}

impl Run {
    fn takes(&self, other: &Footprint) -> bool {
        let touches =
            other.objects.iter().any(|it| self.objects.contains(it) || self.uses.contains(it))
                || other.uses.iter().any(|it| self.objects.contains(it));
        let moves = self.adds && other.removes || self.removes && other.adds;
        let meets = |one: &String| self.domains.iter().any(|known| overlap(known, one));
        let meets = other.domains.iter().any(meets);
        !(self.alone || other.alone || touches || moves || meets)
    }

    fn add(&mut self, other: Footprint) {
        self.objects.extend(other.objects);
        self.uses.extend(other.uses);
        self.alone |= other.alone;
        self.domains.extend(other.domains);
        self.adds |= other.adds;
        self.removes |= other.removes;
    }
}

#[cfg(test)]
mod tests {
    use super::overlap;

    #[test]
    fn domains_overlap_when_one_may_take_requests_from_the_other() {
        for (one, other) in [("a.example", "a.example"), ("*.example", "a.example"), ("*", "a")] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        assert!(overlap("a.*", "a.example") && overlap("*.example", "*.b.example"));
        assert!(!overlap("a.example", "b.example") && !overlap("*.example", "a.test"));
        assert!(!overlap("example", "a.example"));
    }
}
