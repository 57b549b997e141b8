//! What the daemon says about itself.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde::Deserialize;

use crate::sample::Target;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read of its answer, in bytes.
const LONGEST: usize = 16 << 20;

/// The daemon's answer at `/api/services`, as far as people on a bed need it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Status {
    #[serde(default)]
    /// How the source is doing.
    pub source: Source,
    /// What is said of `platform/`.
    #[serde(default)]
    pub platform: Option<Service>,
    /// Every service, by name.
    pub services: Vec<Service>,
}

/// What it says about the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The revision that was accepted last.
    pub accepted_revision: Option<String>,
    /// The revision that was fetched last.
    pub last_attempted_revision: Option<String>,
    /// Why the last fetch failed.
    pub error: Option<String>,
}

/// One service's part of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// The service's name.
    pub service: String,
    /// The phase that its values mean.
    pub phase: String,
    /// `Progressing`, `Ready`, `Stalled` or `Invalid`.
    pub state: String,
    /// Why it is not ready.
    pub reason: String,
    /// The revision that is fully applied.
    pub last_applied_revision: Option<String>,
    /// The newest revision that was tried.
    #[serde(default)]
    pub last_attempted_revision: String,
    /// Version to percent, as the newest values ask for.
    #[serde(default)]
    pub weights: BTreeMap<String, u8>,
    /// Version to percent, as applied.
    #[serde(default)]
    pub applied_weights: BTreeMap<String, u8>,
    /// The header that leads to the canary.
    #[serde(default)]
    pub headers: BTreeMap<String, serde_json::Value>,
    /// The paths it answers.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The domains it owns; none when a VirtualService of the platform selects it.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The last change by somebody else to what the values say.
    #[serde(default)]
    pub last_drift: Option<Drift>,
    /// The Gateways that serve its routes.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// By which gateway its requests come, while both APIs serve it.
    #[serde(default)]
    pub requests: Vec<GatewayRequests>,
    /// How its autopilot stands.
    #[serde(default)]
    pub autopilot: serde_json::Value,
    /// What of its objects is not judged.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Its conditions.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// The requests of a service by the gateways of one API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayRequests {
    /// `gloo` or `gateway-api`.
    pub api: String,
    /// Requests per second, as far as known.
    pub per_second: Option<f64>,
    /// When the daemon saw the last of them, if any came since it looks.
    pub last_request_at: Option<Timestamp>,
    /// Since when it is known that none has come.
    pub none_since: Option<String>,
    /// Why something is not known.
    pub problem: Option<String>,
}

/// A change by somebody else to what the values say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Drift {
    /// `Kind namespace/name`.
    pub object: String,
    /// The field's path.
    pub field: String,
    /// What the values say.
    pub from: serde_json::Value,
    /// What was found.
    pub to: serde_json::Value,
    /// Who changed it.
    pub manager: Option<String>,
}

/// One commit that asked for something new of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The commit.
    pub revision: String,
    /// Who made it.
    pub author: String,
    /// The phase that it asked for; none when it had errors.
    pub phase: Option<String>,
    /// When that was applied.
    pub applied_at: Option<String>,
}

/// A condition in the form of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Condition {
    /// What it is about, such as `Ready`.
    pub r#type: String,
    /// `True` or `False`.
    pub status: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for a person.
    pub message: String,
}

impl Status {
    /// What is said of this service, or of `platform`, which no service may be called.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().chain(&self.platform).find(|service| service.service == name)
    }
}

impl Service {
    /// Whether this revision is carried out and healthy.
    pub fn has_applied(&self, revision: &str) -> bool {
        self.state == "Ready" && self.last_applied_revision.as_deref() == Some(revision)
    }

    /// Whether the condition of this type holds.
    pub fn holds(&self, condition: &str) -> bool {
        self.conditions.iter().any(|known| known.r#type == condition && known.status == "True")
    }

    /// The request to ask it with: its first path, and a host where it answers only under its own.
    pub fn target(&self, proxy: &str) -> Option<Target> {
        let host = self.domains.iter().find(|domain| !domain.contains('*')).cloned();
        Some(Target { host, ..Target::new(proxy, self.paths.first()?) })
    }

    /// Whether its reason contains this.
    pub fn says(&self, words: &str) -> bool {
        self.reason.contains(words)
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let revision =
            self.last_applied_revision.as_deref().map_or("-", |id| id.get(..7).unwrap_or(id));
        let colon = if self.reason.is_empty() { "" } else { ": " };
        let Self { service, phase, state, reason, .. } = self;
        format!("{service} {phase} {state}{colon}{reason}, revision {revision}")
    }
}

/// Asks the daemon.
#[derive(Clone, Debug)]
pub struct StatusClient {
    base: String,
    client: legacy::Client<HttpConnector, Empty<Bytes>>,
    uri: Uri,
    readiness: Uri,
}

impl StatusClient {
    /// A client of the daemon at this URL.
    ///
    /// # Errors
    /// When it is no URL.
    pub fn new(base: &str) -> Result<Self> {
        let uri = |path| -> Result<Uri> {
            let uri = format!("{base}{path}");
            uri.parse().with_context(|| format!("{uri} is not a URL"))
        };
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        let (services, readiness) = (uri("/api/services")?, uri("/readyz")?);
        Ok(Self { base: base.to_owned(), client, uri: services, readiness })
    }

    /// The daemon's URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The status of this moment.
    ///
    /// # Errors
    /// When the daemon does not answer, or with something else.
    pub async fn get(&self) -> Result<Status> {
        let status = self
            .read(&self.uri)
            .await
            .and_then(|body| serde_json::from_slice(&body).context("its answer is not the status"));
        status.with_context(|| format!("cannot read the daemon's status at {}", self.uri))
    }

    /// What commits asked for of a service since the daemon started, the oldest first.
    ///
    /// # Errors
    /// When the daemon does not answer, or does not know the service.
    pub async fn timeline(&self, service: &str) -> Result<Vec<Step>> {
        #[derive(Deserialize)]
        struct Detail {
            history: History,
        }
        #[derive(Deserialize)]
        struct History {
            steps: Vec<Step>,
        }
        let detail = self.text(&format!("/api/services/{service}")).await?;
        let detail: Detail = serde_json::from_str(&detail).context("its answer is no service")?;
        Ok(detail.history.steps)
    }

    /// What the daemon shows at a path.
    ///
    /// # Errors
    /// When it does not answer, or with an error.
    pub async fn text(&self, path: &str) -> Result<String> {
        let uri = format!("{}{path}", self.base).parse()?;
        Ok(String::from_utf8(self.read(&uri).await?.to_vec())?)
    }

    /// Whether the daemon is ready to work: it has accepted a tree, or stands by for another one.
    ///
    /// # Errors
    /// It is not, and why.
    pub async fn ready(&self) -> Result<()> {
        self.read(&self.readiness).await.map(drop)
    }

    async fn read(&self, uri: &Uri) -> Result<Bytes> {
        let exchange = async {
            let response = self.client.get(uri.clone()).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!("its answer broke off: {error}"))?;
            let body = body.to_bytes();
            ensure!(status == StatusCode::OK, "it answers {status}: {}", body.escape_ascii());
            Ok(body)
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {PATIENCE:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"services": [{"service": "echo",
        "namespace": "echo", "phase": "Shifting", "state": "Ready", "reason": "",
        "lastAppliedRevision": "0123456789", "weights": {"v1": 50, "v2": 50},
        "headers": {"stage": "canary"}, "paths": ["/echo"], "conditions": [
        {"type": "Ready", "status": "True", "reason": "Ready", "message": ""},
        {"type": "Stalled", "status": "False", "reason": "Ready", "message": ""}]}]}"#;

    #[test]
    fn a_service_has_applied_a_revision_only_when_it_is_ready_with_it() {
        let status: Status = serde_json::from_str(EXAMPLE).unwrap();
        let echo = status.service("echo").unwrap();
        assert!(echo.has_applied("0123456789"));
        assert!(!echo.has_applied("9876543210"));
        let stalled = Service { state: "Stalled".to_owned(), ..echo.clone() };
        assert!(!stalled.has_applied("0123456789"));
    }

    #[test]
    fn a_condition_holds_when_its_status_says_so() {
        let status: Status = serde_json::from_str(EXAMPLE).unwrap();
        let echo = status.service("echo").unwrap();
        assert!(echo.holds("Ready"));
        assert!(!echo.holds("Stalled") && !echo.holds("Fighting"));
    }

    #[test]
    fn a_service_is_asked_at_its_first_path_and_under_its_own_domain() {
        let status: Status = serde_json::from_str(EXAMPLE).unwrap();
        let echo = status.service("echo").unwrap();
        assert_eq!(echo.target("http://proxy"), Some(Target::new("http://proxy", "/echo")));
        let domains = vec!["*".to_owned(), "echo.example".to_owned()];
        let target = Service { domains, ..echo.clone() }.target("http://proxy").unwrap();
        assert_eq!(target.host.as_deref(), Some("echo.example"));
        assert_eq!(Service::default().target("http://proxy"), None);
    }

    #[test]
    fn the_summary_shows_why_a_service_is_not_ready() {
        let status: Status = serde_json::from_str(EXAMPLE).unwrap();
        let echo = status.service("echo").unwrap();
        assert_eq!(echo.summary(), "echo Shifting Ready, revision 0123456");
        let stalled = Service {
            state: "Stalled".to_owned(),
            reason: "no ready pod".to_owned(),
            ..echo.clone()
        };
        assert_eq!(stalled.summary(), "echo Shifting Stalled: no ready pod, revision 0123456");
    }
}
