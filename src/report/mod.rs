//! Where each rollout stands, for people and for programs.

mod access;
mod board;
mod changes;
mod condition;
mod events;
mod health;
mod history;
mod http;
mod metrics;
mod per_version;
mod routes;
mod service;
mod tally;
mod transition_times;

pub use access::Access;
pub use board::{Board, Detail, SourceReport, Summary};
pub use condition::{Condition, Kind as ConditionKind, Status as ConditionStatus};
pub use events::{EventReason, Events};
pub use health::{Activity, Health};
pub use history::{Asked, Course, Drifts, History, Step};
pub use http::{Endpoint, Shown, serve};
pub use metrics::{Counted, Loss, Metrics, Requests};
pub use per_version::PerVersion;
pub use routes::Route;
pub use service::{Drift, ServiceReport, State};

#[cfg(test)]
mod tests;
