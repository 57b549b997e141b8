//! Why a service waits or is stalled, by type. Codes, messages and hints are rendered from it.

mod account;
mod blocker;
mod cluster;
mod code;
mod definition;
mod denial;
mod hint;
mod message;
mod objection;
mod pods;
mod refusal;
mod subject;

pub use account::RefusedAccount;
pub use blocker::Blocker;
pub use cluster::{ClusterError, grant, grant_reading, is_too_large};
pub use code::Code;
pub use definition::Reason;
pub use denial::Denial;
pub use hint::{Advice, Hinted};
pub use objection::{ForeignObject, PolicyViolation, UnsafeChange};
pub use pods::PodsNotReady;
pub use refusal::{Conflict, PreflightError, Refusal};
pub use subject::Subject;

#[cfg(test)]
mod tests;
