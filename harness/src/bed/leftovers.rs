//! What coalmine and the scenarios leave on a cluster.

/// The label that every object of coalmine carries.
pub(super) const LABEL: &str = "app.kubernetes.io/managed-by=coalmine";

/// The namespace of the daemon's account, as `deploy/base` has it.
pub(super) const NAMESPACE: &str = "coalmine";

/// What scenarios make outside of namespaces of their own: API group, version and kind. A cluster need not have
/// all of them.
pub(super) const KINDS: [(&str, &str, &str); 21] = [
    ("gateway.solo.io", "v1", "Gateway"),
    ("gateway.solo.io", "v1", "VirtualService"),
    ("gateway.solo.io", "v1", "RouteTable"),
    ("gloo.solo.io", "v1", "Upstream"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
    ("gateway.networking.k8s.io", "v1", "ReferenceGrant"),
    ("gateway.kgateway.dev", "v1alpha1", "TrafficPolicy"),
    ("gateway.kgateway.dev", "v1alpha1", "BackendConfigPolicy"),
    ("gateway.kgateway.dev", "v1alpha1", "GatewayExtension"),
    ("gateway.kgateway.dev", "v1alpha1", "ListenerPolicy"),
    ("gateway.kgateway.dev", "v1alpha1", "Backend"),
    ("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy"),
    ("gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy"),
    ("gateway.envoyproxy.io", "v1alpha1", "ClientTrafficPolicy"),
    ("gateway.envoyproxy.io", "v1alpha1", "Backend"),
    ("gateway.networking.k8s.io", "v1", "Gateway"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("", "v1", "Service"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Pod"),
];

/// What scenarios make for the whole cluster: what objects have to pass, and where Gloo listens.
/// Removed before anything else, because it may stand in the way of a removal.
pub(super) const RULES: [(&str, &str, &str); 5] = [
    ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"),
    ("gateway.solo.io", "v1", "Gateway"),
];
