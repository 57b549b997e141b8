//! What the files of one revision ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{Service, Settings};
use super::names::ServiceName;
use super::platform::Platform;
use crate::problem::Problem;

/// A service, or everything that is wrong with it.
pub type Outcome = Result<Arc<Service>, Vec<Problem>>;

/// What a repository asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// The settings of `coalmine.yaml`, or their defaults.
    pub settings: Settings,
    /// The objects of `platform/`.
    pub platform: Arc<Platform>,
    /// The services of `services/`, by name. A file whose name no service can have stands here by
    /// its path, with that problem.
    pub services: BTreeMap<ServiceName, Outcome>,
    /// The names of services that files with impossible names most likely mean: `echo` for
    /// `Echo.yaml`. What the cluster has of them is not to be taken for gone.
    pub resembled: BTreeSet<String>,
    /// Whether a folder was never read as a whole, so that what is in no file may be in one of it: nothing that the
    /// cluster has is to be taken for gone.
    pub incomplete: bool,
    /// Problems of the repository as a whole: while there is one, nothing of the revision is to
    /// be applied, because what the services would become is not known. Then a service's own list
    /// of problems can be empty, where all of them are in `coalmine.yaml`.
    pub problems: Vec<Problem>,
}

impl Repository {
    /// Whether some file is this service's, right or wrong, or most likely means to be: then what
    /// the cluster has of it is not to be taken for gone.
    pub fn keeps(&self, service: &str) -> bool {
        self.incomplete || self.services.contains_key(service) || self.resembled.contains(service)
    }
}
