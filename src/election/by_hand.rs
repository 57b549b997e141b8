//! A leadership that a test gives and takes.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Leadership, Standing};

/// Gives and takes the leadership.
pub(crate) struct ByHand {
    standing: watch::Sender<Standing>,
    term: u64,
}

impl ByHand {
    /// Nobody leads yet.
    pub(crate) fn new() -> (Self, Leadership) {
        let (standing, receiver) = watch::channel(Standing::By { leader: None });
        let last_taken_up = watch::channel(Some(None)).1;
        let leadership = Leadership { standing: receiver, last_taken_up, calls: Arc::default() };
        (Self { standing, term: 0 }, leadership)
    }

    /// From now on we lead.
    pub(crate) fn give(&mut self) {
        self.term += 1;
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(365 * 24 * 3600);
        self.standing.send_replace(Standing::Leading { term: self.term, until });
    }

    /// From now on we do not.
    pub(crate) fn take(&self) {
        self.standing.send_replace(Standing::By { leader: None });
    }
}
