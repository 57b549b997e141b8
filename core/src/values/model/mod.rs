//! What values mean, once they are read.

mod autopilot;
mod binding;
mod calendar;
mod drift;
mod folders;
mod gateway;
mod jwt;
mod matching;
mod routes;
mod service;
mod settings;
mod workload;

pub(super) use autopilot::next_placeholder;
pub use autopilot::{
    AnalysisRule, Autopilot, Bound, Comparison, ENVOY_BOUNDS, Ladder, Mode, PLACEHOLDERS,
    RolloutTest, Step, placed,
};
pub use binding::Binding;
pub use calendar::{Freeze, Window};
pub use drift::Drift;
pub(super) use drift::EXPECTED;
pub use folders::{FolderPolicy, Listed, PodSecurity};
pub use gateway::{Gateway, GatewayApi, GatewayRef, Profile};
pub use judge::{Enough, Shortage};
pub use jwt::Jwt;
pub use matching::{HeaderMatch, Path, PathMatch, ValueMatch};
pub use routes::{Canary, Fallback, Routes, Split};
pub use service::{Grants, PORT_NAME, RoutePlaces, Service, TargetPort};
pub use settings::{Policy, Settings, Timing};
pub use workload::{DEFAULT_DRAIN, DEFAULT_PORT, Deployment, Probe, Probes, UpstreamRef, Workload};
