//! Test beds, load and measurements.
