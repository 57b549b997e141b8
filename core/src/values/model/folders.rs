//! What the services of a folder may do.

use crate::problem::Location;

/// What the services of a folder may do. What is not listed is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderPolicy {
    /// The folder below `services/`, such as `team-a` or `team-a/web`; `*` for each right below it, `.` for the files
    /// that are in no folder.
    pub folder: String,
    /// Where the entry begins.
    pub at: Location,
    /// The namespaces that its services may be in.
    pub namespaces: Listed,
    /// The apiGroups that its routes may join.
    pub api_groups: Listed,
    /// The domains that its VirtualServices may have.
    pub domains: Listed,
    /// The prefixes below which its paths are.
    pub paths: Listed,
    /// Upstreams of others that its routes may use, `namespace/name`.
    pub upstreams: Listed,
    /// Gateways of the Gateway API that its services may name in `routes.gateway`, `namespace/name`.
    pub gateways: Listed,
    /// Hosts that the tests of its services may call by a webhook.
    pub webhooks: Listed,
    /// Gloo's route options that its services may set.
    pub options: Listed,
    /// Fields of an Upstream's spec that its services may set.
    pub upstream_options: Listed,
    /// Whether its services may take over objects that exist; no by default.
    pub adopt: bool,
    /// The service account as which its objects are written; the daemon's own when absent. `{folder}` is not replaced
    /// yet.
    pub service_account_name: Option<String>,
    /// Service accounts that its pods may have beside `default`.
    pub pod_service_accounts: Listed,
    /// JSON pointers at or below which its services may patch a Deployment.
    pub patch: Listed,
    /// The Pod Security Standard that its pods meet; [`PodSecurity::Baseline`].
    pub pod_security: PodSecurity,
    /// Where `podSecurity` stands, or the entry.
    pub pod_security_at: Location,
}

/// A list of a policy, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The items as they are written.
    pub items: Vec<String>,
    /// Where the list stands, or the entry when there is none.
    pub at: Location,
}

/// A Pod Security Standard: <https://kubernetes.io/docs/concepts/security/pod-security-standards>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodSecurity {
    /// Hardened pods.
    Restricted,
    /// No known privilege escalation.
    #[default]
    Baseline,
    /// Everything.
    Privileged,
}

impl PodSecurity {
    /// The name in `coalmine.yaml` and in Kubernetes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Baseline => "baseline",
            Self::Privileged => "privileged",
        }
    }
}
