//! Keeps Gloo canary rollouts equal to a git repository.
//!
//! Data flows in one direction: source, values, render, diff, preflight, plan, apply, health, report.

pub mod apply;
pub mod autopilot;
pub mod cache;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod daemon;
pub mod election;
mod forge;
pub mod hint;
pub mod measure;
pub mod notify;
pub mod page;
pub mod pull_request;
pub mod reconcile;
pub mod report;
pub mod scheduler;
pub mod secret;
pub mod shard;
pub mod source;
pub mod telemetry;
#[cfg(test)]
mod testing;
pub mod webhook;
