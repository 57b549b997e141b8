//! The values: what the files of a repository ask for, checked and typed.
//!
//! Reading goes on after a mistake, so that every problem of a file is reported at once. A
//! problem in a service's file is that service's alone.

mod binding;
mod conflicts;
mod deployment;
mod drift;
mod entry;
mod file;
mod layout;
mod matching;
mod names;
mod node;
mod patch;
mod platform;
mod precedence;
mod reader;
mod repository;
mod routes;
pub mod schema;
mod service;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod yaml;

pub use binding::Binding;
pub use deployment::{
    DEFAULT_DRAIN, DEFAULT_PORT, Deployment, Probe, Probes, UpstreamRef, Workload,
};
pub use drift::Drift;
pub use layout::service_file;
pub use matching::{HeaderMatch, Path, PathMatch, ValueMatch};
pub use names::{PLATFORM, ServiceName, Version, Weight, check_label_value};
pub use platform::Platform;
pub use reader::Reader;
pub use repository::{Outcome, Repository};
pub use routes::{Canary, Fallback, Routes, Split};
pub use service::{PORT_NAME, Service, TargetPort};
pub use settings::{Policy, Settings, Timing};
