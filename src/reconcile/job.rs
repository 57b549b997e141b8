//! From a service's values to the work that they mean.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diff;
use crate::inventory::{Manifest, ObjectId, SERVICE, is_kept};
use crate::plan::{Backend, Desired, is_route};
use crate::render::{Owner, Rendered, render};
use crate::values::{PLATFORM, Platform, Service, Version, Workload};

/// What is to be done about one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The service's name; [`PLATFORM`] for the objects in `platform/`.
    pub service: String,
    /// What it should be; empty for a service whose file is gone.
    pub desired: Desired,
    /// Whether objects that exist without our label may be taken over.
    pub adopt: bool,
    /// Whether the service's file is gone and its objects are to go too.
    pub farewell: bool,
}

impl Job {
    /// The work that a service's values mean.
    pub fn for_service(service: &Service, owner: &Owner) -> Self {
        let Rendered { deployments, service: kubernetes_service, upstreams, routes } =
            render(service, owner);
        let names = service.routed_versions();
        let routed = names.iter().map(|version| backend(service, version)).collect();
        let others = service.versions.iter().filter(|(version, _)| !names.contains(version));
        let unrouted = others.filter(|(_, workload)| matches!(workload, Workload::Deployed(_)));
        let unrouted = unrouted.map(|(version, _)| {
            (
                own(service, "apps/v1", "Deployment", service.version_name(version)),
                selector(service, version),
            )
        });
        Self {
            service: service.name.to_string(),
            desired: Desired {
                routed,
                unrouted: unrouted.collect(),
                workloads: deployments.into_iter().chain(kubernetes_service).collect(),
                upstreams,
                routes,
            },
            adopt: service.adopt,
            farewell: false,
        }
    }

    /// The work that the objects in `platform/` mean. Namespaces come first.
    pub fn for_platform(platform: &Platform, owner: &Owner) -> Self {
        let mut desired = Desired::default();
        for manifest in &platform.manifests {
            let mut manifest = manifest.clone();
            manifest.mark(&owner.instance, PLATFORM, &owner.revision);
            match manifest.id() {
                id if is_route(id) => desired.routes.push(manifest),
                id if id.kind == "Upstream" => desired.upstreams.push(manifest),
                _ => desired.workloads.push(manifest),
            }
        }
        desired.workloads.sort_by_key(|manifest| manifest.id().kind != "Namespace");
        Self { service: PLATFORM.into(), desired, adopt: false, farewell: false }
    }

    /// The namespaces among its objects.
    pub fn namespaces(&self) -> impl Iterator<Item = &Manifest> {
        self.desired.workloads.iter().filter(|manifest| manifest.id().kind == "Namespace")
    }

    /// The work of taking a service away.
    pub fn farewell(service: &str) -> Self {
        Self { service: service.into(), desired: Desired::default(), adopt: false, farewell: true }
    }

    /// True when the other asks for the same objects, whichever revisions they come from.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let objects = |job: &Self| -> Vec<(ObjectId, Value)> {
            let manifests = job.desired.manifests();
            manifests.map(|m: &Manifest| (m.id().clone(), diff::comparable(m.object()))).collect()
        };
        self.service == other.service
            && (self.adopt, self.farewell) == (other.adopt, other.farewell)
            && self.desired.routed == other.desired.routed
            && objects(self) == objects(other)
    }
}

fn backend(service: &Service, version: &Version) -> Backend {
    match &service.versions[version] {
        Workload::Upstream(upstream) => Backend::Upstream(ObjectId {
            api_version: "gloo.solo.io/v1".into(),
            kind: "Upstream".into(),
            namespace: Some(upstream.namespace.clone()),
            name: upstream.name.clone(),
        }),
        workload => Backend::Pods {
            service: own(service, "v1", "Service", service.name.to_string()),
            selector: selector(service, version),
            deployment: own(service, "apps/v1", "Deployment", service.version_name(version)),
            ours: matches!(workload, Workload::Deployed(_)),
        },
    }
}

fn own(service: &Service, api_version: &str, kind: &str, name: String) -> ObjectId {
    ObjectId {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: Some(service.namespace.clone()),
        name,
    }
}

fn selector(service: &Service, version: &Version) -> String {
    format!("app={},version={version}", service.name)
}

/// The services that have objects in the cluster and stand nowhere any more. With `keep: true` objects
/// outlive their file and are nobody's sign.
pub fn gone(inventory: &BTreeMap<ObjectId, Value>, known: &BTreeSet<&str>) -> BTreeSet<String> {
    let owners = inventory.values().filter(|object| !is_kept(object));
    let owners = owners.filter_map(|object| object["metadata"]["labels"][SERVICE].as_str());
    let is_known = |owner: &str| owner == PLATFORM || known.contains(owner);
    owners.filter(|owner| !is_known(owner)).map(str::to_owned).collect()
}
