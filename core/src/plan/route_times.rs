use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// When the routes of a service changed, as far as this process knows: a process that has just started takes
/// the moment of its first look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteTimes {
    /// When their content last changed.
    pub changed_at: Timestamp,
    /// When Gloo last gave them another verdict, began or ended to have one, or served changes again after it
    /// was kept from it.
    pub judged_at: Timestamp,
}

impl RouteTimes {
    /// Routes that have been as they are since this moment.
    pub fn since(moment: Timestamp) -> Self {
        Self { changed_at: moment, judged_at: moment }
    }
}

/// A moment later; the end of time when there is none.
pub(super) fn after(moment: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    moment.checked_add(pause).unwrap_or(Timestamp::MAX)
}
