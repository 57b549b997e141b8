//! One service as it should be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::backend::{Backend, Need, Pods};
use super::observation::Observation;
use crate::kind::RouteApi;
use crate::object::Manifest;
use crate::object_state::{Detail, falls_back};
use crate::traffic::Shares;

/// One service as it should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Deployments and Services, and the policies that routes rest on.
    pub workloads: Vec<Manifest>,
    /// Upstreams.
    pub upstreams: Vec<Manifest>,
    /// RouteTable or VirtualService, and HTTPRoutes.
    pub routes: Vec<Manifest>,
    /// Who gets the requests by these routes.
    pub shares: Shares,
    /// What the routes use.
    pub routed: Vec<Backend>,
    /// The versions of ours that no route uses.
    pub unrouted: Vec<Pods>,
    /// Whether routes with a warning are good enough. For the platform's own VirtualServices they
    /// are: the warning is about some team's routes, and stays with that team.
    pub tolerates_warnings: bool,
    /// Whether rules of HTTPRoutes come and go in stages, because Envoy's clusters may be named by their indices,
    /// or because policies have to be there first.
    pub is_staged: bool,
    /// Whether HTTPRoutes are written again while a gateway gives them no status, because it may have missed them.
    pub is_repeated: bool,
}

impl Desired {
    /// All objects, in the order in which they are written.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.workloads.iter().chain(&self.upstreams).chain(&self.routes)
    }

    /// Whether it uses pods that no watch of ours shows.
    pub fn uses_foreign_pods(&self) -> bool {
        let is_foreign = |backend: &Backend| matches!(backend, Backend::Pods(pods) if !pods.ours);
        self.routed.iter().any(is_foreign)
    }

    /// Those of the manifests that are missing in the cluster or differ.
    pub(super) fn changed(&self, manifests: &[Manifest], seen: &Observation) -> Vec<Manifest> {
        manifests.iter().filter(|manifest| seen.changed.contains(manifest.id())).cloned().collect()
    }

    /// Those of the manifests that changed: first those that have to wait until the routes do without
    /// what they take away, then the others.
    pub(super) fn changed_late_and_early(
        &self,
        manifests: &[Manifest],
        seen: &Observation,
    ) -> (Vec<Manifest>, Vec<Manifest>) {
        self.changed(manifests, seen).into_iter().partition(|manifest| takes_away(manifest, seen))
    }

    /// What has to be ready before the routes may change: the versions that get more than before.
    ///
    /// A version that gets less is no reason to wait: taking requests from one that fails is what a
    /// rollback is for. Nor is a primary that takes its share back, as long as it answers, nor one that
    /// is to have no pods. But routes that leave an Upstream which falls back leave behind whoever
    /// answered for it.
    pub(super) fn gains<'a>(&'a self, seen: &Observation) -> Vec<Need<'a>> {
        let apis: BTreeSet<RouteApi> =
            self.routes.iter().filter_map(|manifest| manifest.id().route_api()).collect();
        let needs = |backend: &'a Backend| {
            let needs = apis.iter().filter_map(|api| self.gain(backend, *api, seen));
            needs.max_by_key(|need| matches!(need, Need::Everything(_)))
        };
        self.routed.iter().filter_map(needs).collect()
    }

    /// What has to hold of a version before the routes of one API change.
    fn gain<'a>(
        &'a self,
        backend: &'a Backend,
        api: RouteApi,
        seen: &Observation,
    ) -> Option<Need<'a>> {
        if matches!(backend, Backend::Pods(pods) if pods.parked) {
            return None;
        }
        // The pods of another namespace are others, whatever version they are called.
        let applied = |pods: &Pods| seen.applied_routes_in(api, pods.service.namespace.as_deref());
        let (Some(before), Backend::Pods(pods)) = (of_pods(backend).and_then(applied), backend)
        else {
            return Some(Need::Everything(backend));
        };
        let old = before.share(&pods.version);
        if leaves_fallback(pods, seen) {
            Some(Need::Everything(backend))
        } else if !self.shares.gains(&before).any(|version| version == pods.version) {
            None
        } else if old > 0 && self.shares.primary() == Some(&pods.version) {
            Some(Need::Answers(pods))
        } else {
            Some(Need::Everything(backend))
        }
    }
}

fn of_pods(backend: &Backend) -> Option<&Pods> {
    match backend {
        Backend::Pods(pods) => Some(pods),
        Backend::Upstream(_) => None,
    }
}

/// Whether routes that are still in use may rest on what this takes away: the pods of a Deployment
/// that goes to none, and those of other versions that answered for it.
fn takes_away(manifest: &Manifest, seen: &Observation) -> bool {
    let wanted = manifest.object();
    match seen.objects.get(manifest.id()).map(|facts| &facts.detail) {
        Some(Detail::Deployment { replicas, .. }) => {
            *replicas > 0 && wanted.pointer("/spec/replicas").and_then(Value::as_u64) == Some(0)
        }
        Some(Detail::Upstream { falls_back: true, .. }) => !falls_back(wanted),
        _ => false,
    }
}

/// Whether the service's shared Upstream falls back and is not wanted any more.
fn leaves_fallback(pods: &Pods, seen: &Observation) -> bool {
    seen.to_prune.iter().any(|id| {
        let detail = seen.objects.get(id).map(|facts| &facts.detail);
        id.name == pods.service.name
            && matches!(detail, Some(Detail::Upstream { falls_back: true, .. }))
    })
}
