//! What is known of one service.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::autopilot::AutopilotReport;
use super::condition::Condition;
use super::gateway_requests::GatewayRequests;
use super::per_version::PerVersion;
use super::routes;
use coalmine_core::phase::Phase;
use coalmine_core::reason::Code;
use coalmine_core::traffic::Traffic;
use coalmine_core::values::{Binding, Service};

/// How a service is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum State {
    /// Being brought to its desired state.
    #[default]
    Progressing,
    /// As desired and healthy.
    Ready,
    /// Not as desired, and not progressing; `reason` says why and what to do. It is tried again.
    Stalled,
    /// Its values file has errors; what the cluster has stays applied.
    Invalid,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Progressing, Self::Ready, Self::Stalled, Self::Invalid];

    /// The state's name, as the status shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
            Self::Invalid => "Invalid",
        }
    }
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// The service's name.
    pub service: String,
    /// The namespace of its objects.
    pub namespace: String,
    /// The phase of the values last accepted, for example `CanaryTest`.
    pub phase: String,
    /// How it is doing.
    pub state: State,
    /// What it waits for, or why it is stalled or invalid; empty when it is ready.
    pub reason: String,
    /// The stable name of `reason`, when there is one.
    pub reason_code: Option<Code>,
    /// The version that `reason` is about, when it is about one.
    pub reason_version: Option<Box<str>>,
    /// Since when it has been in this state. The status store fills this in.
    pub since: Timestamp,
    /// The newest commit whose values are fully applied.
    pub last_applied_revision: Option<String>,
    /// The newest commit that was tried.
    pub last_attempted_revision: String,
    /// The version that gets what the canary does not.
    pub primary: Box<str>,
    /// The version that is being tried.
    pub canary: Option<Box<str>>,
    /// Desired share of the unmarked requests per version, in percent.
    pub weights: PerVersion<u8>,
    /// The shares of `last_applied_revision`; empty as long as none is known to be applied.
    pub applied_weights: PerVersion<u8>,
    /// The shares that the routes in the cluster give, whoever wrote them.
    pub observed_weights: PerVersion<u8>,
    /// Ready pods per version, as far as known.
    pub ready_pods: PerVersion<u32>,
    /// Header name to value of the requests that go to the canary.
    pub headers: Map<String, Value>,
    /// The paths it answers.
    pub paths: Vec<String>,
    /// The domains it owns; empty when a platform VirtualService selects its routes.
    pub domains: Vec<String>,
    /// The Gateways that serve its routes, `<namespace>/<name>`, as far as known.
    pub gateways: Vec<String>,
    /// By which gateway its requests come, while both APIs serve it; empty otherwise.
    pub requests: Vec<GatewayRequests>,
    /// How its autopilot stands; `None` where it has none, or nothing is rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autopilot: Option<Box<AutopilotReport>>,
    /// What of its objects could not be judged by Gloo's rules, with the object; it is neither good nor
    /// bad.
    pub notes: Vec<String>,
    /// The last change by somebody else to what the values say.
    pub last_drift: Option<Drift>,
    /// What differs from the values and is left as it is, in words: drift that is only to be reported.
    #[serde(skip)]
    pub remaining_drift: Option<String>,
    /// Who keeps changing what we repair, in words, while repairs wait for longer and longer.
    #[serde(skip)]
    pub fight: Option<String>,
    /// The same in the form of Kubernetes. The status store fills this in.
    pub conditions: Vec<Condition>,
}

/// A change by somebody else to what the values say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// `Kind namespace/name`.
    pub object: String,
    /// The field's path, such as `spec.replicas`; empty when the whole object was deleted.
    pub field: String,
    /// What the values say.
    pub from: Value,
    /// What was found instead; `null` when it was removed.
    pub to: Value,
    /// The field manager that changed it, when the object tells.
    pub manager: Option<String>,
    /// When it was found.
    pub at: Timestamp,
}

impl ServiceReport {
    /// Takes over what the values say.
    pub fn describe(&mut self, service: &Service) {
        let (routes, traffic) = (&service.routes, Traffic::of(service));
        self.namespace = service.namespace.clone();
        self.phase = Phase::of(service).to_string();
        self.primary = routes.primary.as_str().into();
        self.canary = routes.canary.as_ref().map(|canary| canary.version.as_str().into());
        self.weights = PerVersion::of_weights(&traffic);
        self.headers = routes::headers(traffic.headers());
        self.paths = routes.paths.iter().map(|path| path.path.text().to_owned()).collect();
        self.domains = match &routes.binding {
            Binding::Domains(domains) => domains.clone(),
            Binding::ApiGroup(_) => Vec::new(),
        };
    }

    /// The commit is fully applied and healthy.
    pub fn ready(&mut self, revision: &str) {
        self.state = State::Ready;
        self.reason.clear();
        (self.reason_code, self.reason_version) = (None, None);
        self.applied_weights.clone_from(&self.weights);
        if self.last_applied_revision.as_deref() != Some(revision) {
            self.last_applied_revision = Some(revision.to_owned());
        }
    }

    /// On its way, or waiting for `reason`.
    pub fn progressing(&mut self, code: Option<Code>, reason: &str) {
        self.state = State::Progressing;
        (self.reason_code, self.reason_version) = (code, None);
        reason.clone_into(&mut self.reason);
    }

    /// Not as desired, and not progressing.
    pub fn stalled(&mut self, code: Code, reason: &str) {
        self.state = State::Stalled;
        (self.reason_code, self.reason_version) = (Some(code), None);
        reason.clone_into(&mut self.reason);
    }
}
