//! The kinds of objects that decide about routing.

use kube::api::{ApiResource, GroupVersionKind};

/// API group, version, kind and plural of each.
pub(super) const KINDS: [(&str, &str, &str, &str); 9] = [
    ("gloo.solo.io", "v1", "Settings", "settings"),
    ("gloo.solo.io", "v1", "Upstream", "upstreams"),
    ("gateway.solo.io", "v1", "Gateway", "gateways"),
    ("gateway.solo.io", "v1", "VirtualService", "virtualservices"),
    ("gateway.solo.io", "v1", "RouteTable", "routetables"),
    ("", "v1", "Service", "services"),
    ("", "v1", "Endpoints", "endpoints"),
    ("", "v1", "Pod", "pods"),
    ("", "v1", "Secret", "secrets"),
];

/// How a kind is addressed; `None` for a kind that the gateway does not look at.
pub(super) fn resource(kind: &str) -> Option<ApiResource> {
    let (group, version, kind, plural) = KINDS.iter().find(|(_, _, name, _)| *name == kind)?;
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural))
}
