//! What a service becomes in the cluster: Deployments, Services, and its routes in the API that its values name.
//!
//! Deployments and the Service with the pods of all versions are the same whatever the API. What comes beside them is
//! [`Objects`]: a module for each API makes them of the same [`Traffic`].

mod deployment;
pub(crate) mod gateway_api;
mod gloo;

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::labels::{ACCOUNT, VERSIONS};
use crate::object::{Manifest, object};
use crate::traffic::Traffic;
use crate::values::{Service, TargetPort, Workload};
pub use deployment::DEFAULT_IMAGE;
pub use gateway_api::emptied;

/// The instance of a daemon that is given none.
pub const DEFAULT_INSTANCE: &str = "default";

/// Whose objects are rendered, and from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The daemon's instance: the value of the label `coalmine.dev/instance`.
    pub instance: String,
    /// The revision the values are from.
    pub revision: String,
}

/// A service's objects, in the order in which they depend on each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// A Deployment per version of ours, by version.
    pub deployments: Vec<Manifest>,
    /// The Service; `None` when no version has pods.
    pub service: Option<Manifest>,
    /// A Service per version, where the routes use them.
    pub version_services: Vec<Manifest>,
    /// The Upstreams that the routes use.
    pub upstreams: Vec<Manifest>,
    /// The policies by which a gateway checks tokens, and what they refer to.
    pub policies: Vec<Manifest>,
    /// The RouteTable or the VirtualService, and the HTTPRoutes.
    pub routes: Vec<Manifest>,
}

/// What an API has of a service beside its Deployments and the Service of all versions.
#[derive(Default)]
struct Objects {
    /// Services of single versions.
    services: Vec<Value>,
    /// Upstreams.
    upstreams: Vec<Value>,
    /// Policies for the routes.
    policies: Vec<Value>,
    /// The routes.
    routes: Vec<Routes>,
}

/// Routes of one API.
struct Routes {
    object: Value,
    /// What the annotation [`VERSIONS`] says: which versions they mean where the names of what they lead to do not
    /// tell it, so that who reads them live needs nothing else.
    versions: Option<String>,
}

impl Objects {
    /// What the APIs have that the service's values name.
    fn of(service: &Service, traffic: &Traffic) -> Self {
        let gateway = &service.routes.gateway;
        let mut objects = Self::default();
        let apis = [
            gateway.is_gloo().then(|| gloo::objects(service, traffic)),
            gateway.gateway_api().map(|api| gateway_api::objects(service, api, traffic)),
        ];
        for api in apis.into_iter().flatten() {
            objects.services.extend(api.services);
            objects.upstreams.extend(api.upstreams);
            objects.policies.extend(api.policies);
            objects.routes.extend(api.routes);
        }
        objects
    }
}

impl Rendered {
    /// All objects: what the others depend on first.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        let workloads = self.deployments.iter().chain(&self.service).chain(&self.version_services);
        workloads.chain(&self.upstreams).chain(&self.policies).chain(&self.routes)
    }
}

/// Renders a service with the traffic that its values mean. The same values give the same objects, field
/// order included.
pub fn render(service: &Service, traffic: &Traffic, owner: &Owner) -> Rendered {
    let mark = |object: Value| {
        // Every object is rendered with its name, and no patch reaches it.
        let mut manifest = Manifest::new(object).expect("a rendered object names itself");
        manifest.mark(&owner.instance, service.name.as_str(), &owner.revision);
        if service.keep {
            manifest.keep();
        }
        if let Some(account) = &service.grants.service_account {
            manifest.annotate(ACCOUNT, account);
        }
        manifest
    };
    let objects = Objects::of(service, traffic);
    let routes = objects.routes.into_iter().map(|routes| {
        let mut manifest = mark(routes.object);
        if let Some(versions) = &routes.versions {
            manifest.annotate(VERSIONS, versions);
        }
        manifest
    });
    Rendered {
        deployments: deployment::render(service, owner).into_iter().map(mark).collect(),
        service: kubernetes_service(service).map(mark),
        version_services: objects.services.into_iter().map(mark).collect(),
        upstreams: objects.upstreams.into_iter().map(mark).collect(),
        policies: objects.policies.into_iter().map(mark).collect(),
        routes: routes.collect(),
    }
}

/// The Service with the pods of all versions.
fn kubernetes_service(service: &Service) -> Option<Value> {
    let selector = json!({"app": service.name.as_str()});
    let has_any = service.versions.values().any(has_pods);
    has_any.then(|| service_of(service, service.name.as_str(), &selector))
}

/// A Service of these pods, with the port that the values say.
fn service_of(service: &Service, name: &str, selector: &Value) -> Value {
    let target_port: Value = match &service.target_port {
        TargetPort::Number(port) => (*port).into(),
        TargetPort::Name(name) => name.as_str().into(),
    };
    let spec = json!({
        "ports": [{"port": service.port, "targetPort": target_port, "protocol": "TCP"}],
        "selector": selector,
    });
    object(Kind::Service, &service.namespace, name, spec)
}

/// Whether the version has pods, whoever runs them.
fn has_pods(workload: &Workload) -> bool {
    !matches!(workload, Workload::Upstream(_))
}

#[cfg(test)]
mod tests;
