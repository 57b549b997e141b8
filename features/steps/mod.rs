//! The steps, one file per concept.

mod cluster;
mod gateway;
mod rollout;
mod traffic;
