//! The values: what the files of a repository ask for, checked and typed.
//!
//! Reading goes on after a mistake, so that every problem of a file is reported at once. A
//! problem in a service's file is that service's alone.

mod autopilot;
mod binding;
mod calendar;
mod carve_out;
mod claims;
mod conflicts;
mod defaults;
mod deployment;
mod drift;
mod entry;
mod file;
mod folders;
mod gateway;
mod gateway_api;
mod held;
mod jwks;
mod jwt;
mod kind_name;
mod layout;
mod matching;
mod model;
mod names;
mod node;
mod passed;
mod patch;
mod places;
mod platform;
mod precedence;
mod reader;
mod remark;
mod repository;
mod routes;
mod scalars;
pub mod schema;
mod service;
mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod whole_match;
mod yaml;

pub(crate) use folders::FOLDER;
pub(crate) use gateway_api::hostnames;
pub use gateway_api::{CorsRules, HeaderEdits, HttpOptions, Retries, Rewrite};
pub use held::Applied;
pub use kind_name::KindName;
pub use layout::{Place, folder_of, service_file};
pub use model::{
    AnalysisRule, Autopilot, Binding, Bound, Canary, Comparison, DEFAULT_DRAIN, DEFAULT_PORT,
    Deployment, Drift, ENVOY_BOUNDS, Enough, Fallback, FolderPolicy, Freeze, Gateway, GatewayApi,
    GatewayRef, Grants, HeaderMatch, Jwt, Ladder, Listed, Mode, PLACEHOLDERS, PORT_NAME, Path,
    PathMatch, PodSecurity, Policy, Probe, Probes, Profile, RolloutTest, RoutePlaces, Routes,
    Service, Settings, Shortage, Split, Step, TargetPort, Timing, UpstreamRef, ValueMatch, Window,
    Workload, placed,
};
pub use names::{
    PLATFORM, ServiceName, Version, Weight, check_label, check_label_value, object_name,
};
pub(crate) use node::{Data, Node};
pub use places::Places;
pub use platform::Platform;
pub use reader::Reader;
pub use remark::Remark;
pub use repository::{Outcome, Repository};
pub(crate) use schema::MAX_REASON;
pub(crate) use yaml::documents;
