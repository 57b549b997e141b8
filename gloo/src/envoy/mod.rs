//! Writes a translation down as Envoy's v3 configuration, for file-based xDS.
//!
//! Four kinds of files: listeners (LDS), routes (RDS), clusters (CDS), and endpoints (EDS), one file
//! per cluster because Envoy takes exactly one assignment from an EDS file. Each is a
//! DiscoveryResponse without a version. Replace a file by renaming another over it: Envoy watches for
//! that.

mod clusters;
mod json;
mod listener;
mod route;
mod routes;
mod tls;

pub use clusters::{cluster, clusters, endpoints, load_assignment};
pub use json::compact;
pub use listener::listeners;
pub use routes::{routes, virtual_host};

#[cfg(test)]
mod tests;
