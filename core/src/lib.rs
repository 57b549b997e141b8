//! What coalmine decides, without anything that it decides about: values, traffic, objects, plans.
//!
//! Nothing here has a client, a file, a clock or a network; `Cargo.toml` and `clippy.toml` see to that.
//! Data flows in one direction: values, render, diff, preflight, plan.

pub mod autopilot;
pub mod diff;
mod domain;
pub mod edit;
pub mod health;
pub mod hidden;
pub mod kind;
pub mod labels;
pub mod managed_fields;
pub mod marks;
pub mod measure;
pub mod migration;
pub mod object;
pub mod object_state;
pub mod phase;
pub mod plan;
pub mod policy;
pub mod preflight;
pub mod problem;
pub mod proposal;
pub mod reason;
pub mod render;
pub mod sanitize;
mod scope;
mod tenancy;
pub mod traffic;
pub mod tree;
pub mod values;
