//! A simulated cluster: an API server, and whoever else acts on its objects.

pub(crate) mod fields;
pub(crate) mod gateway;
pub(crate) mod kubernetes;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod watches;

use coalmine_core::object::ObjectId;

/// The value of our instance label.
pub(crate) const INSTANCE: &str = "default";
/// Where the simulated Gloo runs.
pub(crate) const GLOO_NAMESPACE: &str = "gloo-system";

/// The API version and the plural of the kinds that are served.
pub(crate) const KINDS: [(&str, &str, &str); 10] = [
    ("gateway.solo.io/v1", "VirtualService", "virtualservices"),
    ("gateway.solo.io/v1", "RouteTable", "routetables"),
    ("gateway.solo.io/v1", "Gateway", "gateways"),
    ("gloo.solo.io/v1", "Upstream", "upstreams"),
    ("gloo.solo.io/v1", "Settings", "settings"),
    ("v1", "Service", "services"),
    ("v1", "Endpoints", "endpoints"),
    ("v1", "Pod", "pods"),
    ("v1", "Namespace", "namespaces"),
    ("apps/v1", "Deployment", "deployments"),
];

pub(crate) fn id(kind: &str, namespace: &str, name: &str) -> ObjectId {
    let (api_version, ..) = KINDS.into_iter().find(|known| known.1 == kind).expect("served");
    ObjectId::new(api_version, kind, Some(namespace), name)
}
