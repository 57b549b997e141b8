//! What was told: kept on disk, so that a daemon that starts anew repeats nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::commit::CommitNews;
use super::rollout::Rollouts;

/// What was told, and what is yet to be.
pub(super) struct Memory {
    file: PathBuf,
    pub(super) commit: Option<CommitNews>,
    pub(super) rollouts: Rollouts,
    /// Services whose message somebody has yet to get.
    pub(super) untold: BTreeSet<String>,
    saved: Rollouts,
}

impl Memory {
    /// What the process before remembered; nothing when there is none, or it cannot be read: then messages
    /// begin anew.
    pub(super) fn load(directory: &Path) -> Self {
        let file = directory.join("notifications.json");
        let read = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let rollouts: Rollouts = read.unwrap_or_default();
        let saved = rollouts.clone();
        Self { file, commit: None, rollouts, untold: BTreeSet::new(), saved }
    }

    /// Writes it down if it is new. A disk that is full costs a repeated message, and no rollout.
    pub(super) fn save(&mut self) {
        if self.saved == self.rollouts {
            return;
        }
        let draft = self.file.with_extension("json.new");
        let written = serde_json::to_vec(&self.rollouts)
            .map_err(std::io::Error::other)
            .and_then(|bytes| fs::write(&draft, bytes))
            .and_then(|()| fs::rename(&draft, &self.file));
        match written {
            Ok(()) => self.saved = self.rollouts.clone(),
            Err(error) => tracing::warn!("cannot write {}: {error}", self.file.display()),
        }
    }
}
