//! Who still gets requests, by the counters of the gateways' proxies.
//!
//! A proxy counts the requests of each of its clusters from its start on. So a request is seen when a counter grows,
//! whoever missed a look in between, and what cannot be read is not known, never zero.

mod clusters;
mod counters;
mod requests;
#[cfg(test)]
mod tests;

pub use clusters::Clusters;
pub use counters::{Counters, NoCounters};
pub use requests::{Measured, Reading, Requests};
