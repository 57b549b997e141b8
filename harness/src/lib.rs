//! Test beds, load and measurements.
//!
//! A *bed* is a real API server and a real Envoy with a gateway between them. The local one runs
//! in a network and process namespace of its own ([`enter`]) and needs no container engine.

pub mod api_proxy;
pub mod bed;
pub mod bench;
pub mod build;
mod container_image;
pub mod demo;
pub mod distribution;
pub mod engine;
pub mod forward;
pub mod front;
pub mod gateway;
pub mod interrupt;
pub mod load;
pub mod names;
pub mod namespace;
pub mod node;
pub mod notifications;
pub mod process;
pub mod programs;
pub mod progress;
pub mod repository;
pub mod sample;
pub mod status;
pub mod wait;
pub mod webhook;

/// Somebody's repository of rollouts, to be tried instead of the scenarios' own: what `COALMINE_ROLLOUTS` names. Its
/// images need not be there on the local bed.
pub fn rollouts() -> Option<std::path::PathBuf> {
    std::env::var_os("COALMINE_ROLLOUTS").filter(|path| !path.is_empty()).map(Into::into)
}

pub use bed::{Bed, BedOptions, Purpose};
pub use namespace::{Inside, Openings, enter};
pub use progress::Progress;
