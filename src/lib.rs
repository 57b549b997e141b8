//! Keeps Gloo canary rollouts equal to a git repository.
//!
//! Data flows in one direction: source, values, render, diff, preflight, plan, apply, health, report.

pub mod cli;
pub mod inventory;
pub mod phase;
pub mod problem;
pub mod render;
pub mod source;
pub mod values;
