//! The safe order (design, section 5): which steps lead from what is live to what is desired.
//!
//! A pure function. Whatever the live state is, after a crash as well, the same function gives the
//! steps that are still to do. No step points a route at a version that a step before it has not
//! waited for, and nothing is deleted before the routes that could use it have settled.

use std::collections::BTreeSet;

use crate::inventory::{Manifest, ObjectId};

/// A version as the steps see it: what must be ready before a route may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Pods labelled `app` and `version` behind the service's Service.
    Pods {
        /// The Service whose Endpoints Gloo reads.
        service: ObjectId,
        /// The label selector of its pods.
        selector: String,
        /// The Deployment it has, or would have if somebody else did not deploy it.
        deployment: ObjectId,
        /// Whether that Deployment is ours.
        ours: bool,
    },
    /// An Upstream that somebody else keeps.
    Upstream(ObjectId),
}

/// One service as it should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Deployments and the Service.
    pub workloads: Vec<Manifest>,
    /// Upstreams.
    pub upstreams: Vec<Manifest>,
    /// RouteTable or VirtualService.
    pub routes: Vec<Manifest>,
    /// What the routes use.
    pub routed: Vec<Backend>,
    /// The Deployments of ours that no route uses, and the label selectors of their pods.
    pub unrouted: Vec<(ObjectId, String)>,
}

impl Desired {
    /// All objects, in the order in which they are written.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.workloads.iter().chain(&self.upstreams).chain(&self.routes)
    }
}

/// What has to be done about a service, next to what it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Desired objects that are missing or differ.
    pub changed: BTreeSet<ObjectId>,
    /// Objects of this service with our label that nothing desires any more.
    pub surplus: BTreeSet<ObjectId>,
    /// Upstreams on which Gloo will give a verdict before the new routes are there. Without any
    /// VirtualService Gloo writes no status on an Upstream (case 15-delete-virtualservice).
    pub judged_upstreams: BTreeSet<ObjectId>,
    /// Whether the service has routes already, and with them requests that must not fail.
    pub has_routes: bool,
}

/// One thing to do. A step that waits ends with its condition or its deadline.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write these; for Gloo's kinds with the status `Pending`, so that its verdict is fresh.
    Apply(Vec<Manifest>),
    /// Wait until each is available with ready endpoints.
    AwaitBackends(Vec<Backend>),
    /// Wait until each Deployment (with its pods' label selector) is rolled out.
    AwaitRollout(Vec<(ObjectId, String)>),
    /// Wait until Gloo accepts each.
    AwaitVerdict(Vec<ObjectId>),
    /// Wait until every proxy has had the settle time to learn of these: endpoints take another way
    /// to Envoy than routes do, and a slower one (gloo.md: up to 3.6 s against 2.5 s).
    AwaitKnown {
        /// What the new routes use.
        backends: Vec<Backend>,
        /// Through what.
        upstreams: Vec<ObjectId>,
    },
    /// Write the routes, wait for Gloo's verdict, and put the previous ones back if it is worse.
    Route(Vec<Manifest>),
    /// Give Envoy the settle time to take up the routes and to finish what it sent elsewhere.
    Settle,
    /// Delete these.
    Delete(Vec<ObjectId>),
}

/// The steps from the findings to the desired state, in the safe order. Empty lists are left out.
pub fn plan(desired: &Desired, findings: &Findings) -> Vec<Step> {
    let changed = |manifests: &[Manifest]| -> Vec<Manifest> {
        let differs = |manifest: &&Manifest| findings.changed.contains(manifest.id());
        manifests.iter().filter(differs).cloned().collect()
    };
    let ids = |manifests: &[Manifest]| -> Vec<ObjectId> {
        manifests.iter().map(|manifest| manifest.id().clone()).collect()
    };
    let mut judged = ids(&desired.upstreams);
    judged.retain(|id| findings.judged_upstreams.contains(id));
    let (old_routes, old_rest): (Vec<_>, Vec<_>) =
        findings.surplus.iter().cloned().partition(is_route);

    let routes = changed(&desired.routes);
    let mut steps = vec![
        Step::Apply(changed(&desired.workloads)),
        Step::Apply(changed(&desired.upstreams)),
        Step::AwaitBackends(desired.routed.clone()),
        Step::AwaitVerdict(judged),
    ];
    if findings.has_routes && !routes.is_empty() {
        let backends = desired.routed.clone();
        steps.push(Step::AwaitKnown { backends, upstreams: ids(&desired.upstreams) });
    }
    steps.extend([
        Step::Route(routes),
        Step::AwaitVerdict(ids(&desired.routes)),
        Step::Delete(old_routes),
    ]);
    if !old_rest.is_empty() {
        // Also when the routes did not change now: a daemon that died right after it had changed
        // them must not forget the wait.
        steps.push(Step::Settle);
        steps.push(Step::Delete(old_rest));
    }
    steps.push(Step::AwaitRollout(desired.unrouted.clone()));
    steps.retain(|step| match step {
        Step::Apply(manifests) | Step::Route(manifests) => !manifests.is_empty(),
        Step::AwaitBackends(backends) => !backends.is_empty(),
        Step::AwaitRollout(deployments) => !deployments.is_empty(),
        Step::AwaitVerdict(ids) | Step::Delete(ids) => !ids.is_empty(),
        Step::AwaitKnown { .. } | Step::Settle => true,
    });
    steps
}

/// True for the kinds that send requests to Upstreams.
pub fn is_route(id: &ObjectId) -> bool {
    matches!(id.kind.as_str(), "RouteTable" | "VirtualService")
}

/// True for the kinds on which Gloo gives a verdict in their status.
pub fn is_judged_by_gloo(id: &ObjectId) -> bool {
    is_route(id) || id.kind == "Upstream"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn manifest(kind: &str, name: &str) -> Manifest {
        let object = json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": name, "namespace": "echo"}});
        Manifest::new(object).expect("complete")
    }

    fn pods(version: &str) -> Backend {
        Backend::Pods {
            service: manifest("Service", "echo").id().clone(),
            selector: format!("app=echo,version={version}"),
            deployment: rollout(version).0,
            ours: true,
        }
    }

    fn rollout(version: &str) -> (ObjectId, String) {
        let deployment = manifest("Deployment", &format!("echo-{version}")).id().clone();
        (deployment, format!("app=echo,version={version}"))
    }

    fn service(versions: &[&str], routed: &[&str]) -> Desired {
        let deployments = versions.iter().map(|v| manifest("Deployment", &format!("echo-{v}")));
        Desired {
            workloads: deployments.chain([manifest("Service", "echo")]).collect(),
            upstreams: vec![manifest("Upstream", "echo")],
            routes: vec![manifest("RouteTable", "echo-routes")],
            routed: routed.iter().map(|v| pods(v)).collect(),
            unrouted: versions.iter().filter(|v| !routed.contains(v)).map(|v| rollout(v)).collect(),
        }
    }

    fn position(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> Option<usize> {
        steps.iter().position(wanted)
    }

    #[test]
    fn a_service_where_nothing_changed_is_only_looked_at() {
        let steps = plan(&service(&["v1"], &["v1"]), &Findings::default());
        assert_eq!(
            steps,
            [
                Step::AwaitBackends(vec![pods("v1")]),
                Step::AwaitVerdict(vec![manifest("RouteTable", "echo-routes").id().clone()]),
            ]
        );
    }

    #[test]
    fn a_version_that_is_deployed_and_not_routed_delays_no_route() {
        let desired = service(&["v1", "v2"], &["v1"]);
        let changed = desired.manifests().map(|manifest| manifest.id().clone()).collect();
        let steps = plan(&desired, &Findings { changed, ..Findings::default() });
        let route = position(&steps, |step| matches!(step, Step::Route(_))).expect("a route step");
        let waits_for_v2 =
            position(&steps, |step| *step == Step::AwaitRollout(vec![rollout("v2")]));
        assert!(waits_for_v2.expect("waited for in the end") > route);
    }

    #[test]
    fn a_service_that_nothing_desires_loses_its_routes_first() {
        let objects = service(&["v1"], &["v1"]);
        let surplus = objects.manifests().map(|manifest| manifest.id().clone()).collect();
        let steps = plan(&Desired::default(), &Findings { surplus, ..Findings::default() });
        let [Step::Delete(first), Step::Settle, Step::Delete(rest)] = steps.as_slice() else {
            panic!("unexpected steps {steps:?}")
        };
        assert!(first.iter().all(is_route) && !rest.iter().any(is_route));
        assert_eq!(first.len() + rest.len(), 4);
    }

    proptest! {
        /// Whatever differs and whatever is left over, the order is safe.
        #[test]
        fn the_order_is_safe_whatever_was_found(
            changed in prop::collection::vec(any::<bool>(), 6),
            surplus in prop::collection::vec(any::<bool>(), 4),
            has_routes in any::<bool>(),
        ) {
            let desired = service(&["v2", "v3"], &["v2"]);
            let pick = |objects: Vec<ObjectId>, picked: &[bool]| -> BTreeSet<ObjectId> {
                objects.into_iter().zip(picked).filter(|(_, take)| **take).map(|(id, _)| id).collect()
            };
            let old = ["Deployment", "Upstream", "RouteTable", "VirtualService"];
            let findings = Findings {
                changed: pick(desired.manifests().map(|m| m.id().clone()).collect(), &changed),
                surplus: pick(old.iter().map(|kind| manifest(kind, "old").id().clone()).collect(), &surplus),
                judged_upstreams: desired.upstreams.iter().map(|m| m.id().clone()).collect(),
                has_routes,
            };
            let steps = plan(&desired, &findings);

            let routed = position(&steps, |s| *s == Step::AwaitBackends(vec![pods("v2")])).unwrap();
            let verdict = steps.iter().rposition(|s| matches!(s, Step::AwaitVerdict(_))).unwrap();
            for (index, step) in steps.iter().enumerate() {
                match step {
                    Step::Apply(_) => prop_assert!(index < routed),
                    Step::Route(_) => {
                        prop_assert!(routed < index && index < verdict);
                        let known = matches!(steps[index - 1], Step::AwaitKnown { .. });
                        prop_assert_eq!(known, has_routes);
                    }
                    Step::Delete(ids) => {
                        prop_assert!(index > verdict);
                        if ids.iter().any(|id| !is_route(id)) {
                            prop_assert_eq!(&steps[index - 1], &Step::Settle);
                        }
                    }
                    _ => {}
                }
            }
            let written: BTreeSet<ObjectId> = steps.iter().flat_map(|step| match step {
                Step::Apply(manifests) | Step::Route(manifests) => {
                    manifests.iter().map(|m| m.id().clone()).collect()
                }
                _ => Vec::new(),
            }).collect();
            prop_assert_eq!(written, findings.changed);
            let deleted: BTreeSet<ObjectId> = steps.iter().flat_map(|step| match step {
                Step::Delete(ids) => ids.clone(),
                _ => Vec::new(),
            }).collect();
            prop_assert_eq!(deleted, findings.surplus);
        }
    }
}
