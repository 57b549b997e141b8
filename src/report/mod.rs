//! Where each rollout stands, for people and for programs.

mod board;
mod condition;
mod events;
mod health;
mod http;
mod metrics;
mod per_version;
mod service;
mod tally;

pub use board::{Board, SourceReport, Summary};
pub use condition::{Condition, Kind as ConditionKind, Status as ConditionStatus};
pub use events::{Events, Reason};
pub use health::Health;
pub use http::{Shown, serve};
pub use metrics::{Counted, Loss, Metrics, Requests};
pub use per_version::PerVersion;
pub use service::{Drift, ServiceReport, State};

#[cfg(test)]
mod tests;
