//! What is requested of a service. Its objects are rendered when they are needed: a thousand services
//! are kept as values.

use std::sync::Arc;

use crate::reconcile::RolloutSettings;
use crate::scheduler::Request;
use coalmine_core::plan::Job;
use coalmine_core::render::Owner;
use coalmine_core::values::{PLATFORM, Platform, Service};

/// What is requested of a service, and by which revision.
#[derive(Clone, Debug)]
pub(super) struct ServiceRequest {
    pub(super) state: DesiredState,
    pub(super) rollout_settings: Arc<RolloutSettings>,
    pub(super) revision: Arc<str>,
    /// The blob of the service's file, where an autopilot looks after it.
    pub(super) file: Option<Arc<str>>,
}

/// What a service is to become.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DesiredState {
    /// The objects in `platform/`.
    Platform(Arc<Platform>),
    /// What these values mean.
    Service(Arc<Service>),
    /// Nothing: the service is removed.
    Removal(Arc<str>),
}

impl DesiredState {
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::Platform(_) => PLATFORM.into(),
            Self::Service(service) => service.name.as_str().into(),
            Self::Removal(name) => name.clone(),
        }
    }

    pub(super) fn job(&self, owner: &Owner) -> Job {
        match self {
            Self::Platform(platform) => Job::for_platform(platform, owner),
            Self::Service(service) => Job::for_service(service, owner),
            Self::Removal(name) => Job::removal(name),
        }
    }

    /// Whether the other is the same. Values that were not read anew are recognised by their address.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Service(one), Self::Service(other)) if Arc::ptr_eq(one, other) => true,
            (one, other) => one == other,
        }
    }
}

impl ServiceRequest {
    pub(super) fn job(&self, instance: &str) -> Job {
        let revision = self.revision.to_string();
        self.state.job(&Owner { instance: instance.to_owned(), revision })
    }
}

impl Request for ServiceRequest {
    fn is_same(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.rollout_settings, &other.rollout_settings)
            || self.rollout_settings == other.rollout_settings)
            && self.state.is(&other.state)
            && self.file == other.file
    }

    fn is_removal(&self) -> bool {
        matches!(self.state, DesiredState::Removal(_))
    }
}
