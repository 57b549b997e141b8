//! What a service becomes in the cluster: Deployments, Service, Upstreams, and its routes.

mod deployment;
mod routes;
mod upstream;

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::labels::{ACCOUNT, VERSIONS};
use crate::object::{Manifest, object};
use crate::traffic::Traffic;
use crate::values::{Service, TargetPort, Workload};
pub use deployment::DEFAULT_IMAGE;

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
    /// The Upstreams that the routes use.
    pub upstreams: Vec<Manifest>,
    /// The RouteTable or the VirtualService.
    pub routes: Vec<Manifest>,
}

impl Rendered {
    /// All objects: what the others depend on first.
    pub fn iter(&self) -> impl Iterator<Item = &Manifest> {
        self.deployments.iter().chain(&self.service).chain(&self.upstreams).chain(&self.routes)
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
    Rendered {
        deployments: deployment::render(service, owner).into_iter().map(mark).collect(),
        service: kubernetes_service(service).map(mark),
        upstreams: upstream::render(service, traffic).into_iter().map(mark).collect(),
        routes: vec![say_versions(mark(routes::render(service, traffic)), traffic)],
    }
}

/// Routes say which versions they mean where the names of Upstreams do not, so that who reads them live needs
/// nothing else.
fn say_versions(mut routes: Manifest, traffic: &Traffic) -> Manifest {
    if let Some(versions) = traffic.upstream_names().annotation() {
        routes.annotate(VERSIONS, &versions);
    }
    routes
}

fn kubernetes_service(service: &Service) -> Option<Value> {
    let has_pods = |workload: &Workload| !matches!(workload, Workload::Upstream(_));
    let target_port: Value = match &service.target_port {
        TargetPort::Number(port) => (*port).into(),
        TargetPort::Name(name) => name.as_str().into(),
    };
    service.versions.values().any(has_pods).then(|| {
        let name = service.name.as_str();
        let spec = json!({
            "ports": [{"port": service.port, "targetPort": target_port, "protocol": "TCP"}],
            "selector": {"app": name},
        });
        object(Kind::Service, &service.namespace, name, spec)
    })
}

#[cfg(test)]
mod tests;
