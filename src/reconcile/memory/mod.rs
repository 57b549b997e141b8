//! What is remembered of a service between two passes. All of it can be lost: then a pass waits a
//! little longer, or asks the API server once more.

mod clearance;
mod manifests;
mod repairs;
mod rollback;
mod route_watch;
mod unconfirmed;
mod waiting;

use jiff::Timestamp;

use coalmine_core::managed_fields::Digest;

pub(super) use clearance::{Clearance, Effect};
use manifests::{DryRuns, ReportedDrift, StoredForms};
use repairs::Repairs;
use rollback::Rollback;
use route_watch::RouteWatch;
use unconfirmed::Unconfirmed;
use waiting::Waiting;

/// What is remembered of a service between two passes.
#[derive(Debug)]
pub struct Memory {
    pub(super) routes: RouteWatch,
    pub(super) rollback: Rollback,
    pub(super) clearance: Clearance,
    pub(super) waiting: Waiting,
    pub(super) repairs: Repairs,
    pub(super) stored: StoredForms,
    pub(super) dry_runs: DryRuns,
    pub(super) reported: ReportedDrift,
    pub(super) unconfirmed: Unconfirmed,
    /// The job whose objects were all applied.
    pub(super) applied: Option<Digest>,
}

impl Memory {
    /// Nothing but the moment.
    pub fn new(now: Timestamp) -> Self {
        Self {
            routes: RouteWatch::new(now),
            rollback: Rollback::default(),
            clearance: Clearance::default(),
            waiting: Waiting::default(),
            repairs: Repairs::default(),
            stored: StoredForms::default(),
            dry_runs: DryRuns::default(),
            reported: ReportedDrift::default(),
            unconfirmed: Unconfirmed::default(),
            applied: None,
        }
    }

    /// Forgets everything but what is not known: somebody else has written meanwhile.
    pub fn forget(&mut self, now: Timestamp) {
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        *self = Self { unconfirmed, ..Self::new(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::object::ObjectId;

    #[test]
    fn unconfirmed_writes_outlive_what_is_forgotten() {
        let mut memory = Memory::new(Timestamp::UNIX_EPOCH);
        let id = ObjectId::new("v1", "Service", Some("echo"), "echo");
        memory.unconfirmed.begin([id.clone()]);
        memory.applied = Some(Digest::of(&serde_json::json!(1)));
        memory.forget(Timestamp::UNIX_EPOCH);
        assert_eq!(memory.unconfirmed.first(), Some(&id));
        assert_eq!(memory.applied, None);
    }
}
