//! The API server's store is restored from a backup: objects are as they were, and their versions too.

use coalmine_core::object::ObjectId;

use crate::actions::Watching;
use crate::cluster::store::{Backup, is_ours};
use crate::repository::SERVICES;
use crate::world::World;

/// How many backups are kept.
pub(crate) const BACKUPS: usize = 3;
/// What goes back. Pods and Endpoints are what the kubelets and controllers make of it.
const KINDS: [&str; 4] = ["Deployment", "Service", "Upstream", "RouteTable"];

/// The last backups, the newest one first.
#[derive(Default)]
pub(crate) struct Backups(Vec<Backup>);

impl World {
    /// Keeps how the objects are.
    pub(crate) fn back_up(&mut self) {
        self.backups.0.insert(0, self.store.backup(&KINDS));
        self.backups.0.truncate(BACKUPS);
    }

    /// Goes back to one of the last backups, if there is one so old.
    pub(crate) fn restore(&mut self, back: usize, watching: Watching) {
        let Some(backup) = self.backups.0.get(back).cloned() else { return };
        // Newer backups are of a time that nobody knows any more.
        self.backups.0.drain(..back);
        let changed = self.store.restore(&backup, &KINDS);
        self.outdate(watching);
        self.rules.restored_at = self.now;
        for service in SERVICES {
            self.rules.meddled(service, self.now);
        }
        for id in &changed {
            self.note_restored(id);
        }
    }

    /// The daemon cannot know of it before it lists everything again.
    fn note_restored(&mut self, id: &ObjectId) {
        match self.store.get(id) {
            Some(object) if is_ours(&object) => self.rules.unheard(id, self.now),
            _ => self.rules.collided(id, self.now),
        }
    }

    /// Whether the daemon has listed everything since the store was restored.
    pub(crate) fn is_informed(&self) -> bool {
        self.known_until(&KINDS) >= self.rules.restored_at
    }
}
