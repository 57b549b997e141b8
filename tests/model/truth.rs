//! Whether the reason that the daemon gives for a stall is true: each is held against the simulated world.

use coalmine_core::health::{Cause, Shortfall, Verdict};
use coalmine_core::labels::{INSTANCE as LABEL, SERVICE};
use coalmine_core::object::ObjectId;
use coalmine_core::plan::Job;
use coalmine_core::reason::{
    Blocker, ForeignObject, PodsNotReady, PreflightError, Reason, Refusal, UnsafeChange,
};
use coalmine_core::render::Owner;
use gloo::{ObjectRef, Severity, State};

use crate::cluster::kubernetes::Fate;
use crate::cluster::store::is_ours;
use crate::cluster::{GLOO_NAMESPACE, INSTANCE, id};
use crate::process::DEADLINE;
use crate::repository::{COMMON, VERSIONS, Workload};
use crate::world::World;

impl World {
    /// Whether what is said to be in the way of a service that is desired is in its way.
    pub(crate) fn is_true(&self, service: &str, reason: &Reason) -> bool {
        match reason {
            Reason::PodsNotReady(pods) => self.lacks_pods(service, pods),
            Reason::NotInEndpoints { endpoints, version, missing, .. } => {
                let ready = self.ready_pods(service, version);
                match missing {
                    None => ready.is_empty(),
                    Some(missing) => {
                        let live = self.store.get(endpoints).unwrap_or_default();
                        let addresses = live["subsets"][0]["addresses"].as_array();
                        let known = |pod: &&&str| {
                            let mut all = addresses.into_iter().flatten();
                            all.any(|one| one["targetRef"]["name"] == **pod)
                        };
                        ready.iter().filter(|pod| !known(pod)).count() == *missing
                    }
                }
            }
            Reason::UpstreamMissing(upstream) => self.store.get(upstream).is_none(),
            Reason::NoVerdict { object, .. } => self.verdict_on(object).is_none(),
            Reason::Verdict { object, verdict, unanswered } => {
                let answers = |version: &String| !self.ready_pods(service, version).is_empty();
                self.verdict_on(object).as_ref() == Some(verdict)
                    && !unanswered.as_ref().is_some_and(answers)
            }
            Reason::Blocked(blocker) => self.blocks(blocker),
            Reason::Leaving(object) | Reason::Recreated(object) => {
                let live = self.store.get(object);
                live.is_some_and(|live| live["metadata"]["deletionTimestamp"].is_string())
            }
            Reason::RolledBack(cause) => self.was_rolled_back(service, cause),
            Reason::RollbackRefused { cause, error } => {
                self.is_true(service, cause) && self.is_refused(service, error)
            }
            // Nobody here has an autopilot.
            Reason::AheadOfGit { .. } => false,
            Reason::Unsafe(change) => self.is_unsafe(service, change),
            // Who was admitted before may still be on the way there.
            Reason::Preflight(error) => {
                self.repository.values(service).is_some_and(|values| values.common)
                    && self.is_refused(service, error)
            }
            Reason::Foreign(foreign) => self.is_foreign(service, foreign),
            Reason::Overdue { reason, seconds } => {
                *seconds >= DEADLINE.as_secs() && self.is_true(service, reason)
            }
            // They pass by themselves, or never come, and nobody is stalled by them.
            Reason::ProxiesLearn
            | Reason::ProxyLacks { .. }
            | Reason::RoutesSettle
            | Reason::PassTimedOut(_) => false,
            // No service of the model has a policy, and drift is repaired.
            Reason::Policy(_) | Reason::DriftReported(_) | Reason::DriftBackingOff(_) => false,
            // No service has the path of one that goes, and the platform defines no kinds.
            Reason::SuccessorComes { .. }
            | Reason::PredecessorGoes(_)
            | Reason::NotEstablished { .. } => false,
            // Nobody changes what is applied, and no pass panics.
            Reason::NotKept(_) | Reason::PassPanicked(_) => false,
            // The platform asks for no namespaces and brings no HTTPRoutes; the API server answers in the end, and lets the daemon do
            // whatever it likes.
            Reason::NamespaceComes(_)
            | Reason::PlatformComes(_)
            | Reason::BeingListed(_)
            | Reason::NotListed(_)
            | Reason::Cluster(_) => false,
        }
    }

    /// Whether a service that is to go is stalled because of an object of another owner: somebody else's routes,
    /// or those whose label somebody took away, may still need what is to go.
    pub(crate) fn names_another_owner(&self, reason: &Reason) -> bool {
        let Reason::Preflight(PreflightError::Refused { refusal, .. }) = reason else {
            return false;
        };
        let is_foreign = |object: &ObjectRef| {
            let live = self.store.get(&id(&object.kind, &object.namespace, &object.name));
            live.is_some_and(|live| !is_ours(&live))
        };
        is_foreign(refusal.object())
            || matches!(refusal, Refusal::Shared { user, .. } if is_foreign(user))
    }

    fn lacks_pods(&self, service: &str, pods: &PodsNotReady) -> bool {
        let PodsNotReady { deployment, version, shortfall, has_failed, trouble, .. } = pods;
        let is_deployed = matches!(self.workload(service, version), Some(Workload::Ours(_)));
        let live = self.store.get(deployment);
        let status = |field: &str| {
            live.as_ref().and_then(|live| live["status"][field].as_u64()).unwrap_or(0)
        };
        let replicas =
            live.as_ref().and_then(|live| live["spec"]["replicas"].as_u64()).unwrap_or(1);
        let is_short = match shortfall {
            Shortfall::Missing => live.is_none(),
            Shortfall::NotObserved => live.as_ref().is_some_and(|live| {
                let observed = live["status"]["observedGeneration"].as_u64();
                observed < live["metadata"]["generation"].as_u64()
            }),
            Shortfall::Outdated { updated, desired } => {
                (status("updatedReplicas"), replicas) == (*updated, *desired)
            }
            Shortfall::Unavailable { available, desired } => {
                (status("availableReplicas"), replicas) == (*available, *desired)
                    && self.ready_pods(service, version).len() as u64 == *available
            }
            Shortfall::OldPods(count) => status("replicas") == replicas + count,
            // The API server admits every pod, and no Deployment has a deadline.
            Shortfall::NotCreated(_) | Shortfall::PastDeadline(_) => false,
        };
        let fate = self.pods.fates.get(&(service.to_owned(), version.clone())).copied();
        let has_trouble = match trouble.as_ref().map(|trouble| trouble.cause) {
            Some(Cause::Crashing) => fate == Some(Fate::Crashes),
            None => true,
            // Pods have a node, an image and a configuration.
            Some(
                Cause::Starting
                | Cause::Failed
                | Cause::Unschedulable
                | Cause::Image
                | Cause::Configuration,
            ) => false,
        };
        is_deployed && is_short && has_trouble && !has_failed
    }

    /// Gloo gave the desired routes this verdict, and they are not there.
    fn was_rolled_back(&self, service: &str, cause: &Reason) -> bool {
        let Reason::Verdict { object, verdict, unanswered: None } = cause else { return false };
        let Some(job) = self.job(service) else { return false };
        let Some(desired) = job.desired.routes.iter().find(|routes| routes.id() == object) else {
            return false;
        };
        let spec = &desired.object()["spec"];
        let state = match verdict {
            Verdict::Accepted => return false,
            Verdict::Warning(_) => State::Warning,
            Verdict::Rejected(_) => State::Rejected,
        };
        let is_there = self.store.get(object).is_some_and(|live| live["spec"] == *spec);
        self.has_disliked(object, spec, state) && !is_there
    }

    /// The model has one thing that two can claim.
    fn is_refused(&self, service: &str, error: &PreflightError) -> bool {
        let refusal = match error {
            PreflightError::Refused { refusal, .. } => refusal,
            PreflightError::Failed => return false,
        };
        let path = match refusal {
            Refusal::Conflict(conflict) => &conflict.ours,
            Refusal::RouteChanged { path, .. }
            | Refusal::Reordered { path, .. }
            | Refusal::Shadowed { path, .. } => path,
            // What is written can be decoded and served; domains, Services and Upstreams are nobody else's, and
            // every service has names of its own.
            Refusal::Undecodable { .. }
            | Refusal::WholeConfiguration { .. }
            | Refusal::Clusters { .. }
            | Refusal::Crash { .. }
            | Refusal::Verdict { .. }
            | Refusal::Route { .. }
            | Refusal::Unserved(_)
            | Refusal::Domain { .. }
            | Refusal::Shared { .. }
            | Refusal::Port { .. }
            | Refusal::Claimed { .. }
            | Refusal::Leaving { .. }
            | Refusal::NotAdmitted { .. }
            | Refusal::HttpRouteRule { .. }
            | Refusal::Target { .. }
            | Refusal::Unguarded { .. }
            | Refusal::NotServed { .. }
            | Refusal::Unattached { .. } => return false,
        };
        path.contains(COMMON) && self.is_contested(service)
    }

    fn is_unsafe(&self, service: &str, change: &UnsafeChange) -> bool {
        let Some(values) = self.repository.values(service) else { return false };
        let routes = self.store.get(&id("RouteTable", service, &format!("{service}-routes")));
        let has_traffic = routes.is_some_and(|routes| is_ours(&routes));
        let is_routed = |version: &str| values.shares().iter().any(|(name, _)| *name == version);
        has_traffic
            && match change {
                UnsafeChange::HandedOver(deployment) => {
                    let prefix = format!("{service}-");
                    let version = deployment.name.strip_prefix(&prefix).unwrap_or_default();
                    let live = self.store.get(deployment);
                    self.workload(service, version) == Some(Workload::Pods)
                        && is_routed(version)
                        && live.is_some_and(|live| is_ours(&live))
                }
                UnsafeChange::WithoutPods(version) => {
                    self.workload(service, version) == Some(Workload::Ours(Some(0)))
                        && is_routed(version)
                }
                // It is always the same.
                UnsafeChange::ServicePort { .. } => false,
            }
    }

    fn is_foreign(&self, service: &str, foreign: &ForeignObject) -> bool {
        let label = |object: &ObjectId, label: &str| {
            let live = self.store.get(object)?;
            live["metadata"]["labels"][label].as_str().map(str::to_owned)
        };
        match foreign {
            ForeignObject::OfService { object, service: other } => {
                other != service && label(object, SERVICE).as_ref() == Some(other)
            }
            ForeignObject::OfInstance { object, instance } => {
                instance != INSTANCE && label(object, LABEL).as_ref() == Some(instance)
            }
            ForeignObject::NotManaged { object, of_platform } => {
                let adopts = self.repository.values(service).is_some_and(|values| values.adopt);
                let live = self.store.get(object);
                live.is_some_and(|live| !is_ours(&live)) && !adopts && !of_platform
            }
        }
    }

    fn blocks(&self, blocker: &Blocker) -> bool {
        let (snapshot, translation) = self.meaning();
        match blocker {
            Blocker::Undecodable { object, .. } => {
                snapshot.undecodable().iter().any(|(broken, _)| broken == &**object)
            }
            Blocker::Frozen { object, .. } => translation.findings.iter().any(|finding| {
                finding.object == *object
                    && (finding.severity == Severity::Refused
                        || finding.severity == Severity::Rejected && object.kind == "Gateway")
            }),
            Blocker::Everything { object, .. } => translation.findings.iter().any(|finding| {
                finding.object == *object && finding.severity >= Severity::ClustersRefused
            }),
            Blocker::RejectedHost { host, .. } => {
                translation.statuses.get(host).is_some_and(|it| it.state == State::Rejected)
            }
        }
    }

    fn job(&self, service: &str) -> Option<Job> {
        let (_, values) = self.repository.services.get(service)?;
        let owner = Owner { instance: INSTANCE.into(), revision: String::new() };
        Some(Job::for_service(values.as_ref()?, &owner))
    }

    fn workload(&self, service: &str, version: &str) -> Option<Workload> {
        let at = VERSIONS.iter().position(|name| *name == version)?;
        self.repository.values(service)?.versions[at]
    }

    /// The pods of a version that the kubelet calls ready: those of its Deployment, or where it has none those
    /// of anybody else.
    fn ready_pods(&self, service: &str, version: &str) -> Vec<&str> {
        let deployment = id("Deployment", service, &format!("{service}-{version}"));
        let is_deployed = self.store.get(&deployment).is_some();
        let pods = self.pods.all.iter().filter(|(_, pod)| {
            let is_ready = pod.ready && !pod.terminating && pod.is_owned() == is_deployed;
            pod.app == service && pod.version == version && is_ready
        });
        pods.map(|(name, _)| name.as_str()).collect()
    }

    /// What Gloo has written in the object's status.
    fn verdict_on(&self, object: &ObjectId) -> Option<Verdict> {
        let live = self.store.get(object)?;
        let status = &live["status"]["statuses"][GLOO_NAMESPACE];
        let words = || status["reason"].as_str().unwrap_or_default();
        let words = || words().split_whitespace().collect::<Vec<_>>().join(" ");
        match status["state"].as_str()? {
            "Accepted" => Some(Verdict::Accepted),
            "Warning" => Some(Verdict::Warning(words())),
            "Rejected" => Some(Verdict::Rejected(words())),
            _ => None,
        }
    }
}
