//! Where each rollout stands, for people and for programs.

mod access;
mod autopilot;
mod changes;
mod condition;
mod events;
mod gateway_requests;
mod health;
mod history;
mod host;
mod http;
mod listen;
mod metrics;
mod per_version;
mod routes;
mod service;
mod status_store;
mod survey;
mod tally;
mod tls;
mod transition_times;

pub use access::Access;
pub use autopilot::{AnalysisReport, AutopilotReport, CountsReport};
pub use condition::{Condition, Kind as ConditionKind, Status as ConditionStatus};
pub use events::{EventReason, Events};
pub use gateway_requests::GatewayRequests;
pub use health::{Activity, Health};
pub use history::{ChangeKind, Drifts, History, Requested, Step};
pub use host::Hosts;
pub use http::{Endpoint, Reports, serve};
pub use metrics::{Counted, Loss, Metrics, Requests};
pub use per_version::PerVersion;
pub use routes::Route;
pub use service::{Drift, ServiceReport, State};
pub use status_store::{Detail, SourceReport, StatusStore, Summary};
pub use survey::{Survey, Surveyed};
pub use tls::TlsFiles;

#[cfg(test)]
mod tests;
