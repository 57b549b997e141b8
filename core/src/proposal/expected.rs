//! What a tree means: the objects that the cluster has once the daemon has done its work.

use std::collections::{BTreeMap, BTreeSet};

use gloo::{Environment, Memory, ObjectRef, ResourceRef, Snapshot, translate};
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::object::{Manifest, ObjectId, object};
use crate::phase::Phase;
use crate::plan::Job;
use crate::render::{DEFAULT_INSTANCE, Owner};
use crate::tree::Tree;
use crate::values::{Binding, PLATFORM, Repository, Service, Workload};

/// A tree, read, and the work that each of its parts means.
pub struct Expected {
    /// What the files ask for, with everything that is wrong with them.
    pub repository: Repository,
    jobs: BTreeMap<String, Job>,
    secrets: Secrets,
}

/// What somebody has found out in the cluster about the Secrets that the objects of a tree name.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Those that are there.
    pub found: Vec<Value>,
    /// Those that are not there.
    pub missing: BTreeSet<ObjectRef>,
}

impl Expected {
    /// Reads a tree. It never fails: what is wrong is in the repository.
    pub fn of(tree: &Tree) -> Self {
        Self::after([], tree)
    }

    /// Reads a tree that comes after others, of which the last is what is accepted already: a name, a path or a domain
    /// stays with the service that had it there. It never fails: what is wrong is in the repository.
    pub fn after<'a>(earlier: impl IntoIterator<Item = &'a Tree>, tree: &Tree) -> Self {
        let repository = Repository::parse_after(earlier, tree);
        let owner = Owner { instance: DEFAULT_INSTANCE.into(), revision: tree.revision.clone() };
        let mut jobs = BTreeMap::new();
        if repository.problems.is_empty() {
            let platform = &repository.platform;
            jobs.insert(PLATFORM.to_owned(), Job::for_platform(platform, &owner));
            let services = repository.services.values().filter_map(|outcome| outcome.as_ref().ok());
            jobs.extend(services.map(|it| (it.name.to_string(), Job::for_service(it, &owner))));
        }
        Self { repository, jobs, secrets: Secrets::default() }
    }

    /// The same beside these Secrets.
    #[must_use]
    pub fn beside(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// The Secrets that the objects name and of which nothing is known.
    pub fn unread_secrets(&self) -> BTreeSet<ObjectRef> {
        let translation = translate(&self.cluster(), &Memory::default());
        let unread = translation.notes.into_iter().filter_map(|note| note.unread);
        let unread = unread.map(|object| ObjectRef::clone(&object));
        unread.filter(|object| Kind::of_reference(object) == Some(Kind::Secret)).collect()
    }

    /// A service's values, if they are there and without mistakes.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.repository.services.get(name)?.as_ref().ok().map(|service| &**service)
    }

    /// The work that a service's values mean; [`PLATFORM`] for `platform/`.
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.get(name)
    }

    /// The names of all work, [`PLATFORM`] among them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.jobs.keys().map(String::as_str)
    }

    /// Where the service's rollout stands, as people say it: `Shifting 25 %`.
    pub fn stand(&self, name: &str) -> Option<String> {
        let service = self.service(name)?;
        let phase = Phase::of(service);
        Some(match &service.routes.canary {
            Some(canary) if phase == Phase::Shifting => format!("{phase} {} %", canary.weight),
            _ => phase.to_string(),
        })
    }

    /// The cluster with nothing but what the services find there: Gloo, the platform's objects, and
    /// stand-ins for what the values name and others keep.
    pub fn surroundings(&self) -> Snapshot {
        let gloo = &self.repository.settings.gloo_namespace;
        let edition = self.repository.settings.edition;
        let environment = Environment { edition, ..Environment::default() };
        let mut snapshot = Snapshot::new(gloo).within(environment);
        put(&mut snapshot, self.secrets.found.iter());
        self.secrets.missing.iter().for_each(|secret| snapshot.miss(secret.clone()));
        let platform: Vec<&Manifest> =
            self.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests()).collect();
        let has = |kind| platform.iter().any(|manifest| manifest.id().is(kind));
        let own = self.of_gloo(has(Kind::Settings), has(Kind::Gateway));
        put(&mut snapshot, own.iter());
        put(&mut snapshot, platform.iter().map(|manifest| manifest.object()));
        for upstream in self.upstreams_of_others() {
            if !snapshot.contains(&upstream) {
                snapshot.upsert(&elsewhere(&upstream));
            }
        }
        if !has(Kind::VirtualService) {
            put(&mut snapshot, self.way_in().iter());
        }
        snapshot
    }

    /// The whole cluster, with one ready pod of each version.
    pub fn cluster(&self) -> Snapshot {
        let mut snapshot = self.surroundings();
        for job in self.jobs.values() {
            put(&mut snapshot, job.desired.manifests().map(Manifest::object));
        }
        for service in self.jobs.keys().filter_map(|name| self.service(name)) {
            put(&mut snapshot, pods(service).iter());
        }
        snapshot
    }

    /// Whether a VirtualService is in the tree that could select routes. Where none is, nobody can say
    /// which routes are served.
    pub fn has_way_in(&self) -> bool {
        let platform = self.job(PLATFORM);
        let mut manifests = platform.into_iter().flat_map(|job| job.desired.manifests());
        manifests.any(|manifest| manifest.id().is(Kind::VirtualService))
    }

    /// What Gloo's own installation brings.
    fn of_gloo(&self, settings: bool, gateway: bool) -> Vec<Value> {
        let namespace = &self.repository.settings.gloo_namespace;
        let mut objects = Vec::new();
        if !settings {
            objects.push(object(Kind::Settings, namespace, "default", json!({})));
        }
        if !gateway {
            let spec = json!({"bindAddress": "::", "bindPort": 8080, "httpGateway": {},
                "proxyNames": ["gateway-proxy"]});
            objects.push(object(Kind::Gateway, namespace, "gateway-proxy", spec));
        }
        objects
    }

    fn upstreams_of_others(&self) -> BTreeSet<ObjectRef> {
        let services = self.jobs.keys().filter_map(|name| self.service(name));
        let workloads = services.flat_map(|service| service.versions.values());
        let upstream = |workload: &Workload| match workload {
            Workload::Upstream(it) => {
                Some(Kind::Upstream.reference(&ResourceRef::new(&it.namespace, &it.name)))
            }
            Workload::Deployed(_) | Workload::External => None,
        };
        workloads.filter_map(upstream).collect()
    }

    /// A VirtualService that selects the tables of each group, for a tree that leaves it to others.
    fn way_in(&self) -> Option<Value> {
        let services = self.jobs.keys().filter_map(|name| self.service(name));
        let groups: BTreeSet<&str> = services
            .filter_map(|service| match &service.routes.binding {
                Binding::ApiGroup(group) => Some(group.as_str()),
                Binding::Domains(_) => None,
            })
            .collect();
        let route = |group: &&str| {
            json!({"matchers": [{"prefix": "/"}], "delegateAction":
            {"selector": {"labels": {"apiGroup": group}, "namespaces": ["*"]}}})
        };
        let routes: Vec<Value> = groups.iter().map(route).collect();
        let namespace = &self.repository.settings.gloo_namespace;
        (!routes.is_empty()).then(|| {
            let domains = json!(["not-in-this-repository.invalid"]);
            let spec = json!({"virtualHost": {"domains": domains, "routes": routes}});
            object(Kind::VirtualService, namespace, "not-in-this-repository", spec)
        })
    }
}

/// Puts objects in; those that routing does not look at are passed over.
fn put<'a>(snapshot: &mut Snapshot, objects: impl Iterator<Item = &'a Value>) {
    for object in objects {
        snapshot.upsert(object);
    }
}

/// An Upstream of which only the name is known.
pub(super) fn elsewhere(upstream: &ObjectRef) -> Value {
    let spec = json!({"static": {"hosts": [{"addr": "192.0.2.1", "port": 80}]}});
    object(Kind::Upstream, &upstream.namespace, &upstream.name, spec)
}

/// A ready pod of each version that has pods, and the Endpoints with all of them. The addresses are of a
/// block that is nobody's (RFC 5737).
fn pods(service: &Service) -> Vec<Value> {
    let (name, namespace) = (service.name.as_str(), &service.namespace);
    let versions = service.versions.iter();
    let versions = versions.filter(|(_, workload)| !matches!(workload, Workload::Upstream(_)));
    let mut objects = Vec::new();
    let mut addresses = Vec::new();
    for (index, (version, _)) in versions.enumerate() {
        let ip = format!("192.0.2.{}", index % 250 + 2);
        let pod = service.version_name(version);
        addresses.push(json!({"ip": ip, "targetRef":
            {"kind": Kind::Pod, "name": pod, "namespace": namespace}}));
        objects.push(json!({"apiVersion": Kind::Pod.api_version(), "kind": Kind::Pod,
            "metadata": {"name": pod, "namespace": namespace,
                "labels": {"app": name, "version": version.as_str()}},
            "status": {"podIP": ip}}));
    }
    objects.push(json!({"apiVersion": Kind::Endpoints.api_version(), "kind": Kind::Endpoints,
        "metadata": {"name": name, "namespace": namespace},
        "subsets": [{"addresses": addresses, "ports": [{"port": service.port}]}]}));
    objects
}

/// The object as Gloo's model names it.
pub fn reference(id: &ObjectId) -> ObjectRef {
    ObjectRef::new(&id.kind, id.namespace.as_deref().unwrap_or_default(), &id.name)
}
