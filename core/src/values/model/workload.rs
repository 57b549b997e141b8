//! What one version of a service is made of.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

/// The port of a container whose values name none.
pub const DEFAULT_PORT: u16 = 8080;

/// How long a pod whose values say nothing goes on answering after its end was decided. Gloo accepts
/// to 3.6 s to tell Envoy that an endpoint is gone (two tickers of 1 s in a row, and the way of the
/// endpoints); twice that leaves room for a busy cluster, and only a pod that goes anyway waits.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(7);

/// Where the pods of a version come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// We own its Deployment.
    Deployed(Box<Deployment>),
    /// `external: true`: somebody else runs pods with our labels `app` and `version`.
    External,
    /// `external.upstream`: it is an Upstream that exists already.
    Upstream(UpstreamRef),
}

/// An Upstream by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRef {
    /// The Upstream's name.
    pub name: String,
    /// The Upstream's namespace.
    pub namespace: String,
}

/// The settings of one Deployment. What is `None` is left to the default that its field names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployment {
    /// How many pods; when absent the field is not ours (an autoscaler's, or Kubernetes' 1).
    pub replicas: Option<u32>,
    /// The image; `hashicorp/http-echo` answering `version:<service>-<version>`.
    pub image: Option<String>,
    /// The container's arguments; none, or those of the default image.
    pub args: Option<Vec<String>>,
    /// The environment, as Kubernetes' list of name and value or source.
    pub env: Vec<Value>,
    /// The port the container listens on; [`DEFAULT_PORT`].
    pub port: Option<u16>,
    /// `Always`, `IfNotPresent` or `Never`; Kubernetes' choice.
    pub image_pull_policy: Option<String>,
    /// Kubernetes' resource requirements.
    pub resources: Option<Map<String, Value>>,
    /// Kubernetes' probes.
    pub probes: Probes,
    /// More labels, for the Deployment and its pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations, for the Deployment and its pods.
    pub annotations: BTreeMap<String, String>,
    /// The pods' service account; the namespace's default one.
    pub service_account_name: Option<String>,
    /// Kubernetes' security context of the container.
    pub security_context: Option<Map<String, Value>>,
    /// Kubernetes' security context of the pods.
    pub pod_security_context: Option<Map<String, Value>>,
    /// How long a pod goes on answering before it is asked to end, in whole seconds;
    /// [`DEFAULT_DRAIN`].
    pub drain: Option<Duration>,
    /// A JSON merge patch (RFC 7386) on the rendered Deployment.
    pub patch: Option<Map<String, Value>>,
}

impl Deployment {
    /// The port the container listens on.
    pub fn container_port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// How long a pod goes on answering before it is asked to end.
    pub fn drain(&self) -> Duration {
        self.drain.unwrap_or(DEFAULT_DRAIN)
    }
}

/// The probes of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probes {
    /// When a pod gets requests; by default when its port takes connections.
    pub readiness: Probe,
    /// When a pod is restarted; never by default.
    pub liveness: Probe,
    /// When the other probes begin; at once by default.
    pub startup: Probe,
}

/// One probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Probe {
    /// Nothing is said.
    #[default]
    Default,
    /// `false`: no such probe.
    Off,
    /// Kubernetes' probe.
    Given(Map<String, Value>),
}
