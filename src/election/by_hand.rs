//! A leadership that a test gives and takes.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Leadership, Role};

/// Gives and takes the leadership.
pub(crate) struct ByHand {
    role: watch::Sender<Role>,
    term: u64,
}

impl ByHand {
    /// Nobody leads yet.
    pub(crate) fn new() -> (Self, Leadership) {
        let (role, receiver) = watch::channel(Role::By { leader: None });
        let last_accepted = watch::channel(Some(None)).1;
        let leadership = Leadership { role: receiver, last_accepted, calls: Arc::default() };
        (Self { role, term: 0 }, leadership)
    }

    /// From now on we lead.
    pub(crate) fn give(&mut self) {
        self.term += 1;
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(365 * 24 * 3600);
        self.role.send_replace(Role::Leading { term: self.term, until });
    }

    /// From now on we do not.
    pub(crate) fn take(&self) {
        self.role.send_replace(Role::By { leader: None });
    }
}
