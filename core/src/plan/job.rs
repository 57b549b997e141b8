//! From a service's values to the work that they mean.

use std::collections::BTreeSet;

use serde_json::json;

use super::backend::{Backend, Pods};
use super::desired::Desired;
use super::previous_routes::PreviousRoutes;
use super::retention::{Retained, redirects_requests, retained};
use crate::kind::{Kind, group};
use crate::labels::{ADOPT, AHEAD_OF_GIT, STEP};
use crate::managed_fields::Digest;
use crate::marks::{AheadMark, StepMark};
use crate::object::{Manifest, ObjectId};
use crate::object_state::{Detail, Facts};
use crate::reason::{PreflightError, Refusal};
use crate::render::{Owner, Rendered, render};
use crate::traffic::Traffic;
use crate::values::{Drift, KindName, PLATFORM, Platform, RoutePlaces, Service, Version, Workload};

/// What is to be done about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The service's name; [`PLATFORM`] for the objects in `platform/`.
    pub service: String,
    /// Where its routes are written, for messages; `None` where it has no file of its own.
    pub places: Option<RoutePlaces>,
    /// What it should be; empty for a service whose file is gone.
    pub desired: Desired,
    /// Whether objects that exist without our label may be taken over.
    pub adopt: bool,
    /// Whether the service's file is gone and its objects are to go too.
    pub is_removal: bool,
    /// What is done about changes of others, where the values say it.
    pub drift: Option<Drift>,
    /// The kinds whose objects are deleted although they are kept by default.
    pub prune_kinds: BTreeSet<KindName>,
    /// Live routes of services that are removed. They go once this service is ready, so it may take their requests.
    pub departing: BTreeSet<ObjectId>,
    /// Whether some of them get requests that this service asks for: those have to find its pods the moment they go.
    pub takes_over: bool,
    /// Objects of the service that another job of the revision desires: that one takes them over, and they are not to
    /// prune.
    pub handed_over: BTreeSet<ObjectId>,
    /// Desired objects of another service of the instance, which does not desire them any more.
    pub inherited: BTreeSet<ObjectId>,
    /// Whether it is only a part of what the service should be: nothing is to prune then.
    pub is_part: bool,
    /// Whether `platform/` is being carried out, which may bring what the routes rest on.
    pub platform_comes: bool,
}

impl Job {
    /// The work of making a service what it should be, in which nothing is special.
    fn of(service: &str, desired: Desired) -> Self {
        Self {
            service: service.into(),
            places: None,
            desired,
            adopt: false,
            is_removal: false,
            drift: None,
            prune_kinds: BTreeSet::new(),
            departing: BTreeSet::new(),
            takes_over: false,
            handed_over: BTreeSet::new(),
            inherited: BTreeSet::new(),
            is_part: false,
            platform_comes: false,
        }
    }

    /// The work that a service's values mean.
    pub fn for_service(service: &Service, owner: &Owner) -> Self {
        let traffic = Traffic::of(service);
        let Rendered {
            deployments,
            service: shared,
            version_services,
            upstreams,
            policies,
            routes,
        } = render(service, &traffic, owner);
        let names: Vec<&Version> = traffic.versions().collect();
        let routed = names.iter().map(|version| backend(service, version)).collect();
        let others = service.versions.iter().filter(|(version, _)| !names.contains(version));
        let unrouted = others.filter(|(_, workload)| matches!(workload, Workload::Deployed(_)));
        let unrouted = unrouted.map(|(version, workload)| pods(service, version, workload));
        let desired = Desired {
            routed,
            unrouted: unrouted.collect(),
            workloads: deployments
                .into_iter()
                .chain(shared)
                .chain(version_services)
                .chain(policies)
                .collect(),
            is_staged: is_staged(service),
            is_repeated: is_repeated(service),
            upstreams,
            routes,
            shares: traffic.shares().clone(),
            tolerates_warnings: false,
        };
        let (adopt, drift) = (service.adopt, service.drift);
        let places = Some(service.places.clone());
        Self { adopt, drift, places, ..Self::of(service.name.as_str(), desired) }
    }

    /// Says of a refusal where in the service's file it comes from.
    pub fn refused(&self, refusal: Refusal) -> PreflightError {
        let place = self.places.as_ref().map(|places| {
            let named = || refusal.words().and_then(|words| places.named_in(words));
            let at = places.of(refusal.path().or_else(named));
            format!("{}:{}:{}", at.file, at.line, at.column)
        });
        PreflightError::Refused { refusal, place }
    }

    /// The work that the objects in `platform/` mean. Namespaces and CustomResourceDefinitions come first. What makes
    /// the API server ask a Service comes last: before that Service is there it would refuse the others.
    pub fn for_platform(platform: &Platform, owner: &Owner) -> Self {
        // Nobody says whose HTTPRoutes these are, and to a gateway that misses none it is no change.
        let mut desired =
            Desired { tolerates_warnings: true, is_repeated: true, ..Desired::default() };
        for manifest in &platform.manifests {
            let mut manifest = manifest.clone();
            manifest.mark(&owner.instance, PLATFORM, &owner.revision);
            match manifest.id() {
                id if id.is_route() => desired.routes.push(manifest),
                id if id.is(Kind::Upstream) => desired.upstreams.push(manifest),
                _ => desired.workloads.push(manifest),
            }
        }
        desired.workloads.sort_by_key(|manifest| match manifest.id().known_kind() {
            Some(Kind::Namespace) => 0,
            Some(Kind::CustomResourceDefinition) => 1,
            _ if redirects_requests(manifest.id()) => 3,
            _ => 2,
        });
        Self { prune_kinds: platform.prune_kinds.clone(), ..Self::of(PLATFORM, desired) }
    }

    /// The Upstreams of others that get requests.
    pub fn upstreams_of_others(&self) -> impl Iterator<Item = &ObjectId> {
        self.desired.routed.iter().filter_map(|backend| match backend {
            Backend::Upstream(id) => Some(id),
            Backend::Pods(_) => None,
        })
    }

    /// The namespaces among its objects.
    pub fn namespaces(&self) -> impl Iterator<Item = &Manifest> {
        self.desired.workloads.iter().filter(|manifest| manifest.id().is(Kind::Namespace))
    }

    /// The part that the rest of the job needs before it can even be tried: the namespaces, and the
    /// CustomResourceDefinitions, of which one is missing, was changed by the repository or is not served yet. `None`
    /// when all of them are there. `live` shows an object as it is.
    pub fn foundation(&self, live: impl Fn(&ObjectId) -> Option<Facts>) -> Option<Self> {
        let is_there = |manifest: &Manifest| {
            live(manifest.id()).is_some_and(|facts| {
                matches!(facts.detail, Detail::Definition { established: true, .. })
                    && facts.applied.as_deref() == Some(manifest.digest().to_string().as_str())
            })
        };
        let mut definitions = self.definitions();
        if definitions.all(is_there) {
            return None;
        }
        let workloads = self.namespaces().chain(self.definitions()).cloned().collect();
        let tolerates_warnings = self.desired.tolerates_warnings;
        let desired = Desired { workloads, tolerates_warnings, ..Desired::default() };
        Some(Self { desired, is_part: true, ..self.clone() })
    }

    /// The CustomResourceDefinitions among its objects.
    fn definitions(&self) -> impl Iterator<Item = &Manifest> {
        let is_definition = |it: &&Manifest| it.id().is(Kind::CustomResourceDefinition);
        self.desired.workloads.iter().filter(is_definition)
    }

    /// Whether the kind of this object is defined by one of the job's own.
    pub fn defines(&self, id: &ObjectId) -> bool {
        self.definitions().any(|definition| {
            let spec = &definition.object()["spec"];
            spec["group"] == group(&id.api_version) && spec["names"]["kind"] == id.kind.as_str()
        })
    }

    /// The work of taking a service away.
    pub fn removal(service: &str) -> Self {
        Self { is_removal: true, ..Self::of(service, Desired::default()) }
    }

    /// The work of going back to the routes before, and the objects that go by it.
    pub fn rollback(&self, previous: &PreviousRoutes) -> (Self, BTreeSet<ObjectId>) {
        let before = previous.before.values().flatten();
        let routes = before.map(|(routes, _)| routes.clone()).collect();
        let tolerates_warnings = self.desired.tolerates_warnings;
        let desired = Desired { routes, tolerates_warnings, ..Desired::default() };
        let new = previous.before.iter().filter(|(_, before)| before.is_none());
        let job = Self {
            prune_kinds: self.prune_kinds.clone(),
            departing: self.departing.clone(),
            takes_over: self.takes_over,
            handed_over: self.handed_over.clone(),
            inherited: self.inherited.clone(),
            ..Self::of(&self.service, desired)
        };
        (job, new.map(|(id, _)| id.clone()).collect())
    }

    /// Whether an object that exists without our label may be taken over. A namespace is made for
    /// others to use, and nothing is taken from them by that.
    pub fn adopts(&self, id: &ObjectId) -> bool {
        let is_asked =
            |manifest: &Manifest| manifest.object()["metadata"]["annotations"][ADOPT] == "true";
        let mut manifests = self.desired.manifests();
        self.adopt || id.is(Kind::Namespace) || manifests.any(|m| m.id() == id && is_asked(m))
    }

    /// Whether what nothing desires any more and is marked to be kept stays: when a service's file
    /// goes, and in `platform/`, where every object stands for itself.
    fn respects_keep(&self) -> bool {
        self.is_removal || self.service == PLATFORM
    }

    /// Why an object of the service stays that nothing desires any more; `None` when it is deleted. `keep` is its
    /// annotation [`crate::labels::KEEP`].
    pub fn retains(&self, id: &ObjectId, keep: Option<bool>) -> Option<Retained> {
        let keep = keep.filter(|keep| !keep || self.respects_keep());
        retained(id, keep, &self.prune_kinds)
    }

    /// All that the job asks for, whichever revision it comes from.
    pub fn digest(&self) -> Digest {
        let manifests = self.desired.manifests();
        let objects: Vec<_> =
            manifests.map(|m| (m.id().to_string(), m.digest().to_string())).collect();
        Digest::of(&json!([self.service, self.adopt, self.is_removal, objects]))
    }

    /// Writes on the job's routes what they are to say for the autopilot.
    pub fn mark_routes(&mut self, step: Option<&StepMark>, ahead: Option<&AheadMark>) {
        let text = |value: serde_json::Result<String>| value.unwrap_or_default();
        let step = step.map(|step| (STEP, text(serde_json::to_string(step))));
        let ahead = ahead.map(|ahead| (AHEAD_OF_GIT, text(serde_json::to_string(ahead))));
        for (key, value) in step.into_iter().chain(ahead) {
            for route in &mut self.desired.routes {
                route.annotate(key, &value);
            }
        }
    }

    /// The routes that the job asks for.
    pub fn routes_digest(&self) -> Digest {
        let digests = self.desired.routes.iter().map(|routes| routes.digest().to_string());
        Digest::of(&json!(digests.collect::<Vec<_>>()))
    }
}

fn backend(service: &Service, version: &Version) -> Backend {
    match &service.versions[version] {
        Workload::Upstream(upstream) => Backend::Upstream(ObjectId::of(
            Kind::Upstream,
            Some(&upstream.namespace),
            &upstream.name,
        )),
        workload => Backend::Pods(pods(service, version, workload)),
    }
}

fn pods(service: &Service, version: &Version, workload: &Workload) -> Pods {
    let replicas = match workload {
        Workload::Deployed(deployment) => deployment.replicas,
        Workload::External | Workload::Upstream(_) => None,
    };
    let shared = own(service, Kind::Service, service.name.as_str());
    let gateway = &service.routes.gateway;
    let single = || own(service, Kind::Service, &service.version_name(version));
    let endpoints =
        [gateway.is_gloo().then(|| shared.clone()), gateway.gateway_api().is_some().then(single)];
    Pods {
        version: version.to_string(),
        selector: format!("app={},version={version}", service.name),
        endpoints: endpoints.into_iter().flatten().collect(),
        service: shared,
        deployment: own(service, Kind::Deployment, &service.version_name(version)),
        ours: matches!(workload, Workload::Deployed(_)),
        parked: replicas == Some(0),
    }
}

/// Whether the rules of the service's HTTPRoutes are changed in stages. One that looks at claims is, so that its policy is
/// there before requests are.
fn is_staged(service: &Service) -> bool {
    let api = service.routes.gateway.gateway_api();
    api.is_some_and(|api| api.profile.names_clusters_by_rule() || service.has_token())
}

/// Whether the service's HTTPRoutes are written again while they have no status.
fn is_repeated(service: &Service) -> bool {
    let api = service.routes.gateway.gateway_api();
    api.is_some_and(|api| api.profile.may_miss_new_routes())
}

fn own(service: &Service, kind: Kind, name: &str) -> ObjectId {
    ObjectId::of(kind, Some(&service.namespace), name)
}

/// The services that have objects in the cluster and stand nowhere any more, given each object, its
/// owner and its annotation [`crate::labels::KEEP`]. Objects that stay outlive their file and are nobody's sign.
pub fn gone<'a>(
    inventory: impl Iterator<Item = (&'a ObjectId, &'a str, Option<bool>)>,
    is_known: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let none = BTreeSet::new();
    let goes = |id: &ObjectId, keep: Option<bool>| retained(id, keep, &none).is_none();
    let owners = inventory.filter(|(id, _, keep)| goes(id, *keep)).map(|(_, owner, _)| owner);
    let gone = owners.filter(|owner| !(owner.is_empty() || *owner == PLATFORM || is_known(owner)));
    gone.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_service_of_another_group_is_no_route_of_gloos() {
        let owner = Owner { instance: "test".into(), revision: "abc123".into() };
        let platform = |api_version: &str, kind: &str| {
            let object = json!({"apiVersion": api_version, "kind": kind,
                "metadata": {"name": "echo", "namespace": "echo"}, "spec": {}});
            let manifests = vec![Manifest::new(object).expect("complete")];
            let platform = Platform { manifests, ..Platform::default() };
            let desired = Job::for_platform(&platform, &owner).desired;
            (desired.workloads.len(), desired.upstreams.len(), desired.routes.len())
        };
        assert_eq!(platform("gateway.solo.io/v1", "VirtualService"), (0, 0, 1));
        assert_eq!(platform("networking.istio.io/v1", "VirtualService"), (1, 0, 0));
        assert_eq!(platform("gloo.solo.io/v1", "Upstream"), (0, 1, 0));
        assert_eq!(platform("example.org/v1", "Upstream"), (1, 0, 0));
    }

    #[test]
    fn what_asks_a_service_about_requests_is_written_after_what_it_asks() {
        let object = |api_version: &str, kind: &str, namespace: Option<&str>| {
            let mut object =
                json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "it"}});
            if let Some(namespace) = namespace {
                object["metadata"]["namespace"] = namespace.into();
            }
            Manifest::new(object).expect("complete")
        };
        let manifests = vec![
            object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", None),
            object("apiregistration.k8s.io/v1", "APIService", None),
            object("apps/v1", "Deployment", Some("gate")),
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", None),
            object("v1", "Namespace", None),
            object("v1", "Service", Some("gate")),
        ];
        let platform = Platform { manifests, ..Platform::default() };
        let owner = Owner { instance: "test".into(), revision: "abc123".into() };
        let desired = Job::for_platform(&platform, &owner).desired;
        let kinds: Vec<&str> = desired.workloads.iter().map(|it| it.id().kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "Namespace",
                "CustomResourceDefinition",
                "Deployment",
                "Service",
                "MutatingWebhookConfiguration",
                "APIService",
            ]
        );
    }

    fn manifest(kind: &str, annotations: serde_json::Value) -> Manifest {
        let metadata = json!({"name": "echo", "namespace": "echo", "annotations": annotations});
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
        Manifest::new(object).expect("complete")
    }

    #[test]
    fn an_object_is_adopted_if_the_values_or_it_itself_asks_for_it() {
        let (asked, refused) =
            (manifest("Service", json!({ADOPT: "true"})), manifest("Secret", json!({ADOPT: "no"})));
        let namespace = manifest("Namespace", json!({}));
        let mut job = Job::removal("echo");
        assert!(!job.adopts(asked.id()), "it is not desired");
        assert!(job.adopts(namespace.id()));
        job.desired.workloads = vec![asked.clone(), refused.clone()];
        assert!(job.adopts(asked.id()) && !job.adopts(refused.id()));
        job.adopt = true;
        assert!(job.adopts(refused.id()));
    }

    #[test]
    fn marked_objects_stay_when_a_file_goes_and_in_the_platform() {
        let with = |service: &str, is_removal: bool| Job { is_removal, ..Job::removal(service) };
        let all = [("echo", false), ("echo", true), (PLATFORM, false)];
        let respects = all.map(|(service, is_removal)| with(service, is_removal).respects_keep());
        assert_eq!(respects, [false, true, true]);
    }

    #[test]
    fn a_job_is_known_by_what_it_asks_for() {
        let with = |routes: &[Manifest]| {
            let mut job = Job::removal("echo");
            job.desired.routes = routes.to_vec();
            job
        };
        let (none, one) = (with(&[]), with(&[manifest("Service", json!({}))]));
        let other = with(&[manifest("Service", json!({"a": "b"}))]);
        for digests in
            [[&none, &one, &other].map(Job::digest), [&none, &one, &other].map(Job::routes_digest)]
        {
            assert!(
                digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]
            );
        }
        let mut elsewhere = one.clone();
        elsewhere.desired.workloads = std::mem::take(&mut elsewhere.desired.routes);
        assert_eq!(elsewhere.routes_digest(), none.routes_digest());
        assert_eq!(one.clone().digest(), one.digest());
        assert_ne!(Job { adopt: true, ..one.clone() }.digest(), one.digest());
    }

    #[test]
    fn services_whose_file_is_gone_are_those_with_objects_that_do_not_stay() {
        let inventory =
            [("echo", false), ("golf", false), ("kept", true), ("", false), (PLATFORM, false)];
        let service = ObjectId::of(Kind::Service, Some("echo"), "echo");
        let secret = ObjectId::of(Kind::Secret, Some("echo"), "echo");
        let inventory = inventory.map(|(owner, kept)| (&service, owner, kept.then_some(true)));
        let inventory = inventory.into_iter().chain([(&secret, "hotel", None)]);
        let gone = gone(inventory, |service| service == "echo");
        assert!(gone.iter().eq(["golf"]), "{gone:?}");
    }

    #[test]
    fn a_rollback_writes_the_routes_before_and_takes_the_new_ones_away() {
        let (old, new) = (manifest("Service", json!({})), manifest("Secret", json!({})));
        let accepted = crate::health::Verdict::Accepted;
        let before = [(old.id().clone(), Some((old.clone(), accepted))), (new.id().clone(), None)];
        let (job, to_prune) =
            Job::removal("echo").rollback(&PreviousRoutes { before: before.into() });
        assert_eq!(job.desired.routes, [old]);
        assert!(to_prune.iter().eq([new.id()]) && !job.is_removal);
    }
}
