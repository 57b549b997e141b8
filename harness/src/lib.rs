//! Test beds, load and measurements.
//!
//! A *bed* is a real API server and a real Envoy with a gateway between them. The local one runs
//! in a network and process namespace of its own ([`enter`]) and needs no container engine.

pub mod admission;
pub mod api_proxy;
pub mod bed;
pub mod bench;
pub mod build;
mod cargo;
pub mod certificate;
mod container_image;
pub mod demo;
pub mod distribution;
pub mod engine;
pub mod envoy_admin;
pub mod forward;
pub mod front;
pub mod gateway;
mod gateway_kind;
pub mod https;
pub mod interrupt;
pub mod issuer;
pub mod load;
pub mod names;
pub mod namespace;
pub mod node;
pub mod notifications;
pub mod process;
pub mod programs;
pub mod progress;
pub mod repository;
mod rollouts;
pub mod sample;
pub mod status;
pub mod wait;
pub mod webhook;

pub use bed::{Bed, BedOptions, Purpose, enter};
pub use namespace::{Inside, Openings};
pub use progress::Progress;
pub use rollouts::{adapt, gateway_route, gateway_settings, in_words_of, rollouts};
