//! Whether objects of a kind belong to a namespace.

use crate::kind::group;
use crate::object::ObjectId;

/// Where objects of a kind belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// To a namespace.
    Namespace,
    /// To the whole cluster.
    Cluster,
}

impl Scope {
    /// Where the object belongs by its kind, as Kubernetes 1.35, Gloo 1.22, the Gateway API 1.6, kgateway
    /// 2.4 and Envoy Gateway 1.9 say it; `None` for every other kind.
    pub(crate) fn of(id: &ObjectId) -> Option<Self> {
        let kind = id.kind.as_str();
        let is_cluster = match group(&id.api_version) {
            "" => match kind {
                "Namespace" | "Node" | "PersistentVolume" => true,
                "ConfigMap"
                | "Endpoints"
                | "LimitRange"
                | "PersistentVolumeClaim"
                | "Pod"
                | "PodTemplate"
                | "ReplicationController"
                | "ResourceQuota"
                | "Secret"
                | "Service"
                | "ServiceAccount" => false,
                _ => return None,
            },
            "admissionregistration.k8s.io"
            | "apiextensions.k8s.io"
            | "apiregistration.k8s.io"
            | "flowcontrol.apiserver.k8s.io"
            | "node.k8s.io"
            | "scheduling.k8s.io" => true,
            "apps"
            | "autoscaling"
            | "batch"
            | "policy"
            | "coordination.k8s.io"
            | "discovery.k8s.io"
            | "gateway.envoyproxy.io"
            | "gateway.kgateway.dev"
            | "gateway.solo.io"
            | "gloo.solo.io" => false,
            "gateway.networking.k8s.io" => kind == "GatewayClass",
            "networking.k8s.io" => !matches!(kind, "Ingress" | "NetworkPolicy"),
            "rbac.authorization.k8s.io" => !matches!(kind, "Role" | "RoleBinding"),
            "storage.k8s.io" => kind != "CSIStorageCapacity",
            _ => return None,
        };
        Some(if is_cluster { Self::Cluster } else { Self::Namespace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn every_known_kind_belongs_where_it_is_said_to() {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Event) {
            let cluster = kind.is_cluster_scoped();
            let expected = if cluster { Scope::Cluster } else { Scope::Namespace };
            assert_eq!(Scope::of(&ObjectId::of(kind, None, "it")), Some(expected), "{kind}");
        }
        let scope = |api_version: &str, kind: &str| {
            Scope::of(&ObjectId::new(api_version, kind, None, "it"))
        };
        for (api_version, kind) in [
            ("v1", "PersistentVolume"),
            ("rbac.authorization.k8s.io/v1", "ClusterRole"),
            ("networking.k8s.io/v1", "IngressClass"),
            ("storage.k8s.io/v1", "StorageClass"),
            ("apiregistration.k8s.io/v1", "APIService"),
        ] {
            assert_eq!(scope(api_version, kind), Some(Scope::Cluster), "{kind}");
        }
        for (api_version, kind) in [
            ("v1", "ConfigMap"),
            ("apps/v1", "StatefulSet"),
            ("batch/v1", "CronJob"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
        ] {
            assert_eq!(scope(api_version, kind), Some(Scope::Namespace), "{kind}");
        }
        assert_eq!(scope("cert-manager.io/v1", "ClusterIssuer"), None);
        assert_eq!(scope("v1", "Widget"), None);
    }
}
