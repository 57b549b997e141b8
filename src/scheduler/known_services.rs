//! The services that a revision keeps.

use std::collections::BTreeSet;

use crate::shard::Shard;
use coalmine_core::values::{PLATFORM, Repository};

/// The services that the newest revision keeps, whether their values are valid or not, and those of other
/// daemons. Whatever else has objects in the cluster is gone, and its objects are orphans.
#[derive(Clone, Debug)]
pub struct KnownServices {
    names: BTreeSet<String>,
    /// Whether there may be others, because not all of the repository was read.
    incomplete: bool,
    shard: Shard,
}

impl KnownServices {
    /// The services of this name, as far as they belong to the shard.
    pub fn new(names: impl IntoIterator<Item = String>, shard: Shard) -> Self {
        Self { names: names.into_iter().collect(), incomplete: false, shard }
    }

    /// The services that have a file in the repository, also one that cannot be read or whose name is
    /// misspelt.
    pub fn of(repository: &Repository, shard: Shard) -> Self {
        let services = repository.services.keys().map(ToString::to_string);
        let known = Self::new(services.chain(repository.resembled.iter().cloned()), shard);
        Self { incomplete: repository.incomplete, ..known }
    }

    /// The services of this daemon that the revision keeps.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).filter(|name| self.shard.owns(name))
    }

    /// Whether the service's objects are not orphans.
    pub fn has(&self, name: &str) -> bool {
        name.is_empty()
            || name == PLATFORM
            || self.incomplete
            || self.names.contains(name)
            || !self.shard.owns(name)
    }
}
