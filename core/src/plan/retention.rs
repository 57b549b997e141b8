//! What stays in the cluster although nothing desires it any more.
//!
//! An object of another owner may rest on it: what is in a namespace goes with it, and so do the objects of a
//! CustomResourceDefinition and the data of a PersistentVolumeClaim. None of them comes back with a revert.

use std::collections::BTreeSet;
use std::fmt;

use crate::kind::{Kind, group};
use crate::labels::KEEP;
use crate::object::ObjectId;
use crate::values::KindName;

/// Why an object stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retained {
    /// It is a Namespace: none is ever deleted.
    Namespace,
    /// Its annotation `coalmine.dev/keep` is `true`.
    Marked,
    /// It belongs to no namespace, so every owner in the cluster may use it.
    ClusterWide,
    /// Its kind holds data, or is not known to hold none.
    Stateful,
}

/// Whether an object stays that nothing desires any more; `None` when it is deleted.
///
/// `keep` is its annotation [`KEEP`]; `prune` are the kinds of which `prune.kinds` in coalmine.yaml says that they
/// are deleted.
pub fn retained(id: &ObjectId, keep: Option<bool>, prune: &BTreeSet<KindName>) -> Option<Retained> {
    if id.is(Kind::Namespace) {
        return Some(Retained::Namespace);
    }
    match keep {
        Some(true) => return Some(Retained::Marked),
        Some(false) => return None,
        None => {}
    }
    if prune.iter().any(|kind| kind.names(id)) {
        return None;
    }
    if redirects_requests(id) {
        None
    } else if id.namespace.is_none() {
        Some(Retained::ClusterWide)
    } else {
        is_stateful(id).then_some(Retained::Stateful)
    }
}

/// Whether the object makes the API server ask a Service. Left behind without that Service it would refuse
/// requests of everybody.
pub(super) fn redirects_requests(id: &ObjectId) -> bool {
    matches!(
        (group(&id.api_version), id.kind.as_str()),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration"
        ) | ("apiregistration.k8s.io", "APIService")
    )
}

/// Whether objects of the kind hold data, or hold other objects that do. Of Kubernetes' own kinds, of Gloo's,
/// kgateway's and Envoy Gateway's that is known; a custom resource may be a database.
fn is_stateful(id: &ObjectId) -> bool {
    match group(&id.api_version) {
        "" => matches!(id.kind.as_str(), "PersistentVolumeClaim" | "Secret"),
        "apps" => id.kind == "StatefulSet",
        "snapshot.storage.k8s.io" | "groupsnapshot.storage.k8s.io" => true,
        "autoscaling" | "batch" | "policy" | "gateway.kgateway.dev" | "gateway.envoyproxy.io" => {
            false
        }
        group => !(group.ends_with(".k8s.io") || group == "solo.io" || group.ends_with(".solo.io")),
    }
}

impl Retained {
    /// What a person is told about an object that leaves the repository and stays in the cluster. `homes` are the
    /// services that live in it, for a namespace.
    pub fn note(self, id: &ObjectId, homes: &[&str]) -> String {
        let why = match self {
            Self::Namespace if homes.is_empty() => "no namespace is ever deleted".to_owned(),
            Self::Namespace => {
                format!("no namespace is ever deleted, and {} lives in it", homes.join(", "))
            }
            Self::Marked => format!("its annotation {KEEP} is \"true\""),
            Self::ClusterWide => format!(
                "it belongs to the whole cluster; `prune.kinds: [{}]` in coalmine.yaml would delete it",
                KindName::of(id)
            ),
            Self::Stateful => format!(
                "others may need what it holds; `prune.kinds: [{}]` in coalmine.yaml would delete it",
                KindName::of(id)
            ),
        };
        format!(
            "{id} leaves the repository and stays in the cluster: {why}; to delete it yourself: {}",
            Deletion(id)
        )
    }
}

/// The command by which a person deletes an object.
struct Deletion<'a>(&'a ObjectId);

impl fmt::Display for Deletion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(id) = self;
        write!(f, "kubectl delete {} {}", KindName::of(id).to_string().to_lowercase(), id.name)?;
        match &id.namespace {
            Some(namespace) => write!(f, " --namespace {namespace}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(api_version: &str, kind: &str, namespace: Option<&str>) -> ObjectId {
        ObjectId::new(api_version, kind, namespace, "it")
    }

    fn kept(api_version: &str, kind: &str, namespace: Option<&str>) -> Option<Retained> {
        retained(&id(api_version, kind, namespace), None, &BTreeSet::new())
    }

    #[test]
    fn what_holds_data_or_belongs_to_the_cluster_stays() {
        let data = Some("data");
        for (api_version, kind, namespace) in [
            ("v1", "Namespace", None),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None),
            ("v1", "PersistentVolume", None),
            ("storage.k8s.io/v1", "StorageClass", None),
            ("scheduling.k8s.io/v1", "PriorityClass", None),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", None),
            ("cert-manager.io/v1", "ClusterIssuer", None),
            ("v1", "PersistentVolumeClaim", data),
            ("v1", "Secret", data),
            ("apps/v1", "StatefulSet", data),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", data),
            ("groupsnapshot.storage.k8s.io/v1beta1", "VolumeGroupSnapshot", data),
            ("external-secrets.io/v1", "ExternalSecret", data),
            ("bitnami.com/v1alpha1", "SealedSecret", data),
            ("cert-manager.io/v1", "Certificate", data),
            ("cluster.x-k8s.io/v1beta1", "Cluster", data),
            ("acid.zalan.do/v1", "postgresql", data),
        ] {
            assert!(kept(api_version, kind, namespace).is_some(), "{kind}");
        }
    }

    #[test]
    fn what_a_revert_brings_back_is_deleted() {
        let echo = Some("echo");
        for (api_version, kind) in [
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("apps/v1", "Deployment"),
            ("batch/v1", "CronJob"),
            ("autoscaling/v2", "HorizontalPodAutoscaler"),
            ("policy/v1", "PodDisruptionBudget"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding"),
            ("gateway.solo.io/v1", "VirtualService"),
            ("gloo.solo.io/v1", "Upstream"),
            ("enterprise.gloo.solo.io/v1", "AuthConfig"),
            ("ratelimit.solo.io/v1alpha1", "RateLimitConfig"),
            ("gateway.kgateway.dev/v1alpha1", "TrafficPolicy"),
            ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy"),
        ] {
            assert_eq!(kept(api_version, kind, echo), None, "{kind}");
        }
        let webhook = "ValidatingWebhookConfiguration";
        assert_eq!(kept("admissionregistration.k8s.io/v1", webhook, None), None);
    }

    #[test]
    fn the_repository_may_say_otherwise_of_everything_but_a_namespace() {
        let secret = id("v1", "Secret", Some("echo"));
        let namespace = id("v1", "Namespace", None);
        let none = BTreeSet::new();
        assert_eq!(retained(&secret, Some(false), &none), None);
        let kinds = |name: &str| BTreeSet::from([KindName::new(name).expect("a kind")]);
        assert_eq!(retained(&secret, None, &kinds("Secret")), None);
        assert_eq!(retained(&secret, Some(true), &kinds("Secret")), Some(Retained::Marked));
        assert_eq!(retained(&namespace, Some(false), &none), Some(Retained::Namespace));
        let foreign = id("vault.example.org/v1", "Secret", Some("echo"));
        assert_eq!(retained(&foreign, None, &kinds("Secret")), Some(Retained::Stateful));
        assert_eq!(retained(&foreign, None, &kinds("Secret.vault.example.org")), None);
        assert_eq!(
            retained(&secret, None, &kinds("Secret.vault.example.org")),
            Some(Retained::Stateful)
        );
        let deployment = id("apps/v1", "Deployment", Some("echo"));
        assert_eq!(retained(&deployment, Some(true), &none), Some(Retained::Marked));
    }

    #[test]
    fn the_note_names_the_reason_and_a_command() {
        let namespace = id("v1", "Namespace", None);
        let note = Retained::Namespace.note(&namespace, &["echo", "golf"]);
        assert!(note.contains("echo, golf lives in it"), "{note}");
        assert!(note.ends_with("kubectl delete namespace it"), "{note}");
        let certificate = id("cert-manager.io/v1", "Certificate", Some("echo"));
        let note = Retained::Stateful.note(&certificate, &[]);
        assert!(note.contains("prune.kinds: [Certificate.cert-manager.io]"), "{note}");
        assert!(
            note.ends_with("kubectl delete certificate.cert-manager.io it --namespace echo"),
            "{note}"
        );
    }
}
