//! Who gets requests, and how they are answered, by the counters of the gateways' proxies.
//!
//! A proxy counts the requests of each of its clusters from its start on. So a request is seen when a counter grows,
//! whoever missed a look in between, and what cannot be read is not known, never zero.

mod answers;
mod clusters;
mod counters;
mod exposition;
mod requests;
mod statistics;
#[cfg(test)]
mod tests;
mod versions;

pub use answers::{Answers, Blind, Tallies, Tally, Totals};
pub use clusters::Clusters;
pub use counters::Counters;
pub use exposition::NoCounters;
pub use requests::{Measured, Reading, Requests};
pub use statistics::{Scope, Statistics, hosts};
pub use versions::{Proxies, Versions};
