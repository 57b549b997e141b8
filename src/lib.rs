//! Keeps Gloo canary rollouts equal to a git repository.
//!
//! Data flows in one direction: source, values, render, diff, preflight, plan, apply, health, report.

pub mod apply;
pub mod checkout;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod daemon;
pub mod diff;
pub mod edit;
pub mod election;
pub mod harmless;
pub mod health;
pub mod inventory;
pub mod live;
pub mod notify;
pub mod page;
pub mod phase;
pub mod plan;
pub mod policy;
pub mod preflight;
pub mod problem;
pub mod proposal;
pub mod reconcile;
pub mod render;
pub mod report;
pub mod secret;
pub mod shard;
pub mod source;
pub mod telemetry;
pub mod values;
pub mod webhook;
