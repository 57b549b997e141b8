use std::collections::BTreeMap;
use std::sync::Arc;

use super::Status;
use super::envoys::Envoys;
use super::output::Wanted;
use crate::ObjectRef;
use crate::snapshot::Snapshot;

/// What Envoys, the API server and the controller remember between two translations.
///
/// The default is Envoys that have just started and objects without a status.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// In the Envoys: what they took last.
    pub(super) envoys: Envoys,
    /// In the controller: what it sent last.
    pub(super) published: Envoys,
    /// On the objects.
    pub(super) statuses: Arc<BTreeMap<ObjectRef, Status>>,
    /// When these objects were made.
    pub(super) made: Arc<BTreeMap<ObjectRef, String>>,
    /// In the controller.
    pub(super) wanted: Wanted,
}

impl Memory {
    /// The status on an object, which an object that was deleted and came back has lost.
    pub(super) fn status(&self, snapshot: &Snapshot, object: &ObjectRef) -> Option<&Status> {
        let made = self.made.get(object)?;
        self.statuses.get(object).filter(|_| snapshot.created(object) == Some(made))
    }

    /// The same after the controller was restarted: nobody notices, but that statuses are written anew (case
    /// 08-restart-controller), and that what it sent before is not known any more.
    #[must_use]
    pub fn controller_restarted(self) -> Self {
        Self { wanted: Wanted::default(), published: Envoys::default(), ..self }
    }

    /// The same after the Envoys were restarted: what they took last is gone. Where routes are refused they have none
    /// at all and answer 404 to everybody.
    #[must_use]
    pub fn envoys_restarted(self) -> Self {
        Self { envoys: Envoys::default(), ..self }
    }

    /// The same after the Envoy of one Gateway was restarted.
    #[must_use]
    pub fn envoy_restarted(mut self, gateway: &ObjectRef) -> Self {
        self.envoys.forget(gateway);
        self
    }
}
