//! Objects of services that are gone, and that appear all the same: by a write that was under way when
//! another daemon took over, by a watch that is late, from somebody's backup.

use std::sync::Arc;

use super::Daemon;
use super::work::Work;
use crate::source::{Revision, Source};

impl Daemon {
    /// Removes what has appeared of services that are gone by the revision that was accepted last.
    ///
    /// # Errors
    /// When the tree cannot be read, or more than `prune.limit` objects would go.
    pub(super) fn remove_orphans(
        &mut self,
        source: &Source,
        revision: &Revision,
    ) -> anyhow::Result<()> {
        let repository = self.reader.read(&source.tree(revision)?);
        let mut work = Work::of(&repository, &self.options, &revision.id)?;
        let orphans =
            work.orphans(&repository, &self.cache.inventory(), &self.values, &self.options)?;
        let revision: Arc<str> = revision.id.as_str().into();
        for name in orphans {
            self.services.remove(work.removal(&name.into(), &revision));
        }
        Ok(())
    }
}
