//! Test beds, load and measurements.

pub mod distribution;
pub mod load;
pub mod repository;
pub mod sample;
