//! What is wanted of a service. Its objects are rendered when they are needed: a thousand services
//! are kept as values.

use std::sync::Arc;

use crate::reconcile::Conduct;
use coalmine_core::plan::Job;
use coalmine_core::render::Owner;
use coalmine_core::values::{PLATFORM, Platform, Service};

/// What is wanted of a service, and since which revision.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) content: Content,
    pub(super) conduct: Arc<Conduct>,
    pub(super) revision: Arc<str>,
}

/// What is wanted of a service.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// The objects in `platform/`.
    Platform(Arc<Platform>),
    /// What these values mean.
    Service(Arc<Service>),
    /// That it goes.
    Farewell(Arc<str>),
}

impl Content {
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            Self::Platform(_) => PLATFORM.into(),
            Self::Service(service) => service.name.as_str().into(),
            Self::Farewell(name) => name.clone(),
        }
    }

    pub(super) fn job(&self, owner: &Owner) -> Job {
        match self {
            Self::Platform(platform) => Job::for_platform(platform, owner),
            Self::Service(service) => Job::for_service(service, owner),
            Self::Farewell(name) => Job::farewell(name),
        }
    }

    /// Whether the other is the same; values that were not read anew are told by their address.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Service(one), Self::Service(other)) if Arc::ptr_eq(one, other) => true,
            (one, other) => one == other,
        }
    }
}

impl Wanted {
    /// True when only the revision differs.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.conduct, &other.conduct) || self.conduct == other.conduct)
            && self.content.is(&other.content)
    }

    pub(super) fn job(&self, instance: &str) -> Job {
        let revision = self.revision.to_string();
        self.content.job(&Owner { instance: instance.to_owned(), revision })
    }
}
