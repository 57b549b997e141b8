//! What is wrong in the cluster and keeps changes from reaching Envoy.

use std::collections::HashSet;
use std::sync::Arc;

use gloo::config::{Action, VirtualHost};
use gloo::{Finding, ObjectRef, Severity};

use super::broken::{gateway_of, rejected, rejected_by_gloo};
use super::change::{Change, is_route, reference};
use super::regressions::on_one_line;
use super::sharing::destinations;
use super::translated_cluster::TranslatedCluster;
use crate::kind::Kind;
use crate::reason::Blocker;

/// The mistakes of a cluster that hold up changes, each with whom it concerns: gathered once for all changes.
pub(super) struct Obstacles<'a> {
    base: &'a TranslatedCluster,
    last: &'a TranslatedCluster,
    undecodable: Vec<(ObjectRef, &'a str)>,
    everything: Option<&'a Finding>,
    frozen: Vec<(Frozen, Reach<'a>)>,
    rejected: Vec<(&'a ObjectRef, &'a str, Reach<'a>)>,
}

/// A Gateway that takes no change, the object that is to blame, and why.
struct Frozen {
    object: Arc<ObjectRef>,
    gateway: ObjectRef,
    words: String,
}

impl<'a> Obstacles<'a> {
    /// Those in the cluster after all changes: what a change puts right itself does not count. What stands where Gloo
    /// does not look, or may not look, is none.
    pub(super) fn of(base: &'a TranslatedCluster, last: &'a TranslatedCluster) -> Self {
        let known = last.snapshot.knows_namespaces();
        let findings = if known { last.translation.findings.as_slice() } else { &[] };
        let freezes = |finding: &&Finding| {
            let rejected = finding.severity == Severity::Rejected;
            finding.severity == Severity::Refused
                || rejected && Kind::of_reference(&finding.object) == Some(Kind::Gateway)
        };
        let desired = || [base, last].into_iter().flat_map(|it| it.translation.desired_hosts());
        let served = || [base, last].into_iter().flat_map(|it| it.translation.served_hosts());
        let found = findings.iter().filter(freezes).map(|finding| Frozen {
            object: Arc::clone(&finding.object),
            gateway: gateway_of(finding),
            words: on_one_line(&finding.words),
        });
        let reported = rejected_by_gloo(last).filter(|_| known);
        let reported = reported.map(|(object, gateway, words)| {
            let object = Arc::new(object.clone());
            Frozen { object, gateway, words }
        });
        let frozen = found.chain(reported).map(|frozen| {
            let hosts = desired().chain(served()).filter(|host| *host.gateway == frozen.gateway);
            let reach = Reach::of(hosts.map(AsRef::as_ref));
            (frozen, reach)
        });
        let rejected = rejected(last).filter(|_| known).map(|(object, reason)| {
            let hosts = desired().filter(|host| *host.holder == *object);
            (object, reason, Reach::of(hosts.map(AsRef::as_ref)))
        });
        let mut undecodable = last.snapshot.undecodable();
        undecodable.retain(|(object, _)| last.snapshot.surely_sees(&object.namespace));
        Self {
            base,
            last,
            undecodable,
            everything: findings.iter().find(|it| it.severity >= Severity::ClustersRefused),
            frozen: frozen.collect(),
            rejected: rejected.collect(),
        }
    }

    /// Why what the change does to routes and Upstreams would not reach Envoy.
    pub(super) fn before(&self, change: &Change) -> Option<Blocker> {
        let altered = change.own().filter(|it| !self.last.snapshot.agrees(&self.base.snapshot, it));
        let altered: Vec<&ObjectRef> = altered.collect();
        let deletes = !change.to_prune.is_empty();
        let alters = |kind: &str| altered.iter().any(|object| object.kind == kind);
        let has_status =
            |object: &ObjectRef| Kind::of_reference(object).is_some_and(Kind::has_gloo_status);
        let held_up = |object: &ObjectRef| alters(&object.kind) || deletes && has_status(object);
        if let Some((object, reason)) = self.undecodable.iter().find(|(it, _)| held_up(it)) {
            let (object, words) = (Arc::new(object.clone()), (*reason).to_owned());
            return Some(Blocker::Undecodable { object, words });
        }
        if let Some(finding) = self.everything.filter(|_| deletes || !altered.is_empty()) {
            let (object, words) = (Arc::clone(&finding.object), on_one_line(&finding.words));
            return Some(Blocker::Everything { object, words });
        }
        if !deletes && !altered.iter().any(|object| is_route(object)) {
            return None;
        }
        if let Some((frozen, _)) = self.frozen.iter().find(|(_, reach)| reach.concerns(change)) {
            let (object, words) = (Arc::clone(&frozen.object), frozen.words.clone());
            let gateway = Arc::new(frozen.gateway.clone());
            return Some(Blocker::Frozen { object, gateway, words });
        }
        let concerns = |host: &ObjectRef, reach: &Reach<'_>| {
            change.own().any(|it| it == host || reach.holders.contains(it))
        };
        let (host, reason, _) =
            self.rejected.iter().find(|(host, _, reach)| concerns(host, reach))?;
        let host = Arc::new(ObjectRef::clone(host));
        Some(Blocker::RejectedHost { host, words: on_one_line(reason) })
    }
}

/// What some virtual hosts have to do with.
struct Reach<'a> {
    /// The objects that they and their routes are written in.
    holders: HashSet<&'a ObjectRef>,
    /// The clusters that their routes send requests and copies to.
    clusters: HashSet<&'a str>,
}

impl<'a> Reach<'a> {
    fn of(hosts: impl Iterator<Item = &'a VirtualHost>) -> Self {
        let mut reach = Self { holders: HashSet::new(), clusters: HashSet::new() };
        for host in hosts {
            reach.holders.insert(&host.holder);
            for route in &host.routes {
                reach.holders.insert(&route.holder);
                reach.clusters.extend(destinations(route).into_iter().map(|(cluster, _)| cluster));
                if let Action::Forward(forward) = &route.action {
                    reach.clusters.extend(forward.mirrors.iter().map(|it| it.cluster.as_str()));
                }
            }
        }
        reach
    }

    /// Whether they have routes of this change, or send requests to an Upstream that goes with it.
    fn concerns(&self, change: &Change) -> bool {
        let mut going = change.to_prune.iter().filter(|id| id.is(Kind::Upstream));
        change.own().any(|object| self.holders.contains(object))
            || going.any(|id| self.clusters.contains(&*reference(id).resource().cluster()))
    }
}
