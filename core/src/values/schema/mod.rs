//! The keys of the files. Each is declared once, for the JSON Schema that editors read and for the reader.
//!
//! What a schema cannot say (that the canary is a version of the service, that no two services claim a path)
//! `coalmine validate` says. Whatever is valid there fits the schema; the tests name every difference.

mod autopilot;
mod calendar;
mod folders;
mod gateway;
mod jwt;
mod mapping;
mod one_of;
mod routes;
mod rules;
mod scalars;
mod service;
mod settings;
mod version;

use schemars::schema_for;
use serde_json::Value;

pub(crate) use autopilot::MAX_REASON;
pub(super) use autopilot::{
    Autopilot, Blind, Enough, Errors, Finish, Gates, Job, MAX_ADDRESS, MAX_QUERY, MAX_REQUESTS,
    MAX_STEPS, MAX_WORSE, Own, Slow, Test, TimedStep,
};
pub(super) use calendar::{Freeze, MAX_PERIODS, Window};
pub(super) use folders::{Folder, MAX_PATTERN};
pub(super) use gateway::{Gateway, GatewayReference, MAX_GATEWAYS};
pub(super) use jwt::{Jwt, MAX_ISSUER};
pub(super) use mapping::{Key, Mapping};
pub(super) use routes::{Canary, MAX_PATHS, Match, Path, Primary, Routes};
pub(super) use service::{ENDPOINT_SOURCES, Service, ServiceFile};
pub(super) use settings::{Daemon, Defaults, Gloo, Policy, Prune, SettingsFile, Timing};
pub(super) use version::{
    ExternalUpstream, Probes, RESERVED_KEYS, RESERVED_PREFIX, UpstreamReference, Version,
};

/// The schema of `services/*.yaml`.
pub fn service() -> Value {
    schema_for!(ServiceFile).to_value()
}

/// The schema of `coalmine.yaml`.
pub fn settings() -> Value {
    schema_for!(SettingsFile).to_value()
}
