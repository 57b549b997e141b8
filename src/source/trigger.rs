//! A reason to fetch before the next poll is due.

use std::sync::Arc;

use tokio::sync::Notify;

/// Whoever learns that the branch moved pulls this; the loop that fetches waits for it beside its
/// timer. Clones share one state.
///
/// Any number of pulls while nobody waits are one: the fetch that follows sees them all. A pull while
/// a fetch is under way is kept, because that fetch may have asked the server a moment too early.
#[derive(Clone, Debug, Default)]
pub struct Trigger(Arc<Notify>);

impl Trigger {
    /// Asks for a fetch.
    pub fn pull(&self) {
        self.0.notify_one();
    }

    /// Resolves once for all pulls since it last did; at once if there were any. Nothing is lost when
    /// it is dropped before it resolves.
    pub async fn pulled(&self) {
        self.0.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_burst_is_one_reason_to_fetch() {
        let trigger = Trigger::default();
        assert!(trigger.pulled().now_or_never().is_none());
        for _ in 0..3 {
            trigger.clone().pull();
        }
        assert!(trigger.pulled().now_or_never().is_some());
        assert!(trigger.pulled().now_or_never().is_none());
    }

    #[test]
    fn a_pull_while_nobody_waits_is_kept() {
        let trigger = Trigger::default();
        drop(trigger.pulled());
        trigger.pull();
        drop(trigger.pulled());
        assert!(trigger.pulled().now_or_never().is_some());
    }
}
