//! A daemon's status, asked over HTTP by whoever wants to know how a rollout goes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hint::{Advise, advised};

/// How long one answer may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A daemon's status endpoint.
pub struct Client {
    http: reqwest::Client,
    services: Url,
    token: Option<String>,
}

/// What a daemon says; see docs/status.md.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The source.
    pub source: SourceStatus,
    /// The platform's objects.
    pub platform: Option<ServiceStatus>,
    /// Every service.
    pub services: Vec<ServiceStatus>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a daemon says of its source.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// The newest commit that was accepted.
    pub accepted_revision: Option<String>,
    /// Why there is no newer one.
    pub error: Option<String>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a daemon says of a service.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// Where the rollout stands.
    pub phase: String,
    /// How it is doing: `Progressing`, `Ready`, `Stalled`, `Invalid`.
    pub state: String,
    /// What it waits for, or what is wrong.
    pub reason: String,
    /// The stable name of `reason`.
    pub reason_code: Option<String>,
    /// The version that `reason` is about.
    pub reason_version: Option<String>,
    /// Since when it has been in this state.
    pub since: Timestamp,
    /// The newest commit that is fully applied.
    pub last_applied_revision: Option<String>,
    /// The newest commit that was tried.
    pub last_attempted_revision: String,
    /// The version that gets what the canary does not.
    pub primary: String,
    /// The version that is being tried.
    pub canary: Option<String>,
    /// The shares that the newest values ask for.
    pub weights: BTreeMap<String, u8>,
    /// The shares that `last_applied_revision` asked for.
    pub applied_weights: BTreeMap<String, u8>,
    /// The shares that the routes in the cluster say.
    pub observed_weights: BTreeMap<String, u8>,
    /// Ready pods.
    pub ready_pods: BTreeMap<String, u32>,
    /// The Gateways that serve its routes.
    pub gateways: Vec<String>,
    /// By which gateway its requests come, while both APIs serve it.
    pub requests: Vec<GatewayRequests>,
    /// How its autopilot stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autopilot: Option<AutopilotStatus>,
    /// What of its objects could not be judged.
    pub notes: Vec<String>,
    /// Conditions as Kubernetes has them.
    pub conditions: Vec<Condition>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The requests of a service by the gateways of one API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRequests {
    /// The API that these gateways serve: `gloo` or `gateway-api`.
    pub api: String,
    /// Requests per second, as far as known.
    pub per_second: Option<f64>,
    /// Since when it is known that no request has come.
    pub none_since: Option<Timestamp>,
    /// When it was looked at last.
    pub measured_at: Timestamp,
    /// Why something is not known, and what to do.
    pub problem: Option<String>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How the autopilot of a service stands.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutopilotStatus {
    /// `on` or `shadow`.
    pub mode: String,
    /// The canary's weight by the values.
    pub weight: u8,
    /// What comes next.
    pub next: Option<String>,
    /// What was decided last.
    pub decision: String,
    /// Why, in one sentence.
    pub sentence: String,
    /// When what comes next may come at the earliest.
    pub earliest: Option<Timestamp>,
    /// What is measured.
    pub analyses: Vec<AnalysisStatus>,
    /// Why the canary is held, if it is.
    pub held: Option<String>,
    /// Why something that was decided is not done.
    pub problem: Option<String>,
    /// The pull request that waits for a person.
    pub pull_request: Option<String>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What is measured of a rollout, in its present step.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisStatus {
    /// Its name.
    pub name: String,
    /// The canary's answers.
    pub canary: Option<CountsStatus>,
    /// The primary's answers.
    pub primary: Option<CountsStatus>,
    /// The answers of the canary that the step needs.
    pub enough: u64,
    /// The way of the evidence to an abort, from 0 to 1.
    pub evidence: f64,
    /// For how many seconds it has not been measured.
    pub blind_seconds: Option<u64>,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Answers of one version.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct CountsStatus {
    /// All.
    pub total: u64,
    /// The bad ones.
    pub bad: u64,
}

impl GatewayRequests {
    /// For how long it is known that no request has come.
    pub fn quiet(&self) -> Option<Duration> {
        let quiet = self.measured_at.duration_since(self.none_since?);
        Some(quiet.try_into().unwrap_or_default())
    }
}

/// A condition as Kubernetes has them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: String,
    /// `True` or `False`.
    pub status: String,
    /// Why, for a person.
    pub message: String,
    /// Whatever else it says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl ServiceStatus {
    /// Whether it is as desired and healthy.
    pub fn is_ready(&self) -> bool {
        self.state == "Ready"
    }

    /// Whether it does not get on without a person.
    pub fn needs_a_person(&self) -> bool {
        matches!(self.state.as_str(), "Stalled" | "Invalid")
    }
}

impl Client {
    /// A client of the endpoint at `server`; with a token where it asks for one.
    ///
    /// # Errors
    /// When the address is none, or the token's file cannot be read.
    pub fn new(server: &str, token_file: Option<&Path>) -> anyhow::Result<Self> {
        let services = Url::parse(server).and_then(|server| server.join("/api/services"));
        let services =
            services.advise(|| (format!("{server:?} is no address"), "write http://HOST:PORT"))?;
        let token = |file: &Path| {
            let token = std::fs::read_to_string(file);
            token.with_context(|| format!("cannot read {}", file.display()))
        };
        let token = token_file.map(token).transpose()?.map(|token| token.trim().to_owned());
        // A daemon redirects nobody, and a token is for the one that was named.
        let redirect = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().timeout(DEADLINE).redirect(redirect).build()?;
        Ok(Self { http, services, token })
    }

    /// How everything stands.
    ///
    /// # Errors
    /// When nobody answers, or not as a daemon of coalmine does.
    pub async fn status(&self) -> anyhow::Result<Status> {
        let mut request = self.http.get(self.services.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.advise(|| {
            (
                format!("nobody answers at {}", self.services),
                "does the daemon run there? `kubectl port-forward -n coalmine svc/coalmine 8081` brings it \
                 here, --server names another address",
            )
        })?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                let wrong = format!("{} asks for a token", self.services);
                return Err(advised(wrong, "name its file with --server-token-file"));
            }
            status => {
                let wrong = format!("{} answers {status}", self.services);
                return Err(advised(wrong, "is that a daemon of coalmine?"));
            }
        }
        let body = response.bytes().await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{} answers, but not as coalmine does", self.services))
    }
}
