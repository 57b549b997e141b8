//! Where a rollout stands, and what a change of its values means. Both follow from the values
//! and are written nowhere.

use std::fmt;

use crate::values::{Canary, Service, Weight};

/// Where a service's rollout stands, in the order of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// One version, and no canary.
    Stable,
    /// More versions than get requests.
    Deployed,
    /// Requests with the canary's headers go to the canary, and no others.
    CanaryTest,
    /// The canary has a share of the other requests, the primary has the rest.
    Shifting,
    /// The canary has all requests.
    Shifted,
}

impl Phase {
    /// The phase of a service's values.
    pub fn of(service: &Service) -> Self {
        match &service.routes.canary {
            None if service.versions.len() == 1 => Self::Stable,
            None => Self::Deployed,
            Some(Canary { weight, .. }) if *weight == Weight::FULL => Self::Shifted,
            Some(Canary { weight, .. }) if *weight > Weight::ZERO => Self::Shifting,
            Some(Canary { headers, .. }) if !headers.is_empty() => Self::CanaryTest,
            Some(_) => Self::Deployed,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Stable => "Stable",
            Self::Deployed => "Deployed",
            Self::CanaryTest => "CanaryTest",
            Self::Shifting => "Shifting",
            Self::Shifted => "Shifted",
        })
    }
}

/// What a change of a service's values means for its rollout. Every one is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Onward: more of the traffic for the same canary, or the canary becomes the primary.
    /// Phases may be skipped.
    Advance,
    /// The way back of an advance.
    Rollback,
    /// Anything else: another canary in the middle of a rollout, or a primary that was never
    /// the canary.
    Jump,
}

impl Change {
    /// What lies between two states of a service; `None` when both stand at the same point.
    pub fn between(before: &Service, after: &Service) -> Option<Self> {
        let same = before.routes.primary == after.routes.primary
            && canary(before) == canary(after)
            && progress(before) == progress(after);
        match (same, advances(before, after), advances(after, before)) {
            (true, ..) => None,
            (false, true, _) => Some(Self::Advance),
            (false, false, true) => Some(Self::Rollback),
            (false, false, false) => Some(Self::Jump),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Advance => "advance",
            Self::Rollback => "rollback",
            Self::Jump => "jump",
        })
    }
}

fn canary(service: &Service) -> Option<&str> {
    service.routes.canary.as_ref().map(|canary| canary.version.as_str())
}

fn progress(service: &Service) -> (Phase, Weight) {
    let weight = service.routes.canary.as_ref().map_or(Weight::ZERO, |canary| canary.weight);
    (Phase::of(service), weight)
}

fn advances(before: &Service, after: &Service) -> bool {
    let (old, new) = (&before.routes.primary, &after.routes.primary);
    match (canary(before), canary(after)) {
        (Some(promoted), None) => new.as_str() == promoted,
        (Some(one), Some(other)) if one != other => false,
        _ => old == new && progress(before) < progress(after),
    }
}
