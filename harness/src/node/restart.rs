//! How long a container that ended waits before it is started again.

use std::time::Duration;

/// Doubles from `first` to `longest` with every restart, and begins anew after a container ran for
/// `healthy`.
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    /// Before the first restart.
    pub first: Duration,
    /// Never longer than this.
    pub longest: Duration,
    /// A container that ran this long is forgiven.
    pub healthy: Duration,
}

impl Default for BackOff {
    /// A kubelet's 10 s to 5 min would make every test wait: 1 s to 30 s.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            healthy: Duration::from_secs(60),
        }
    }
}

impl BackOff {
    /// The wait after the one that took `last` (`None`: there was none), when the container then
    /// ran for `ran`.
    pub(super) fn next(&self, last: Option<Duration>, ran: Duration) -> Duration {
        match last {
            Some(last) if ran < self.healthy => (last * 2).min(self.longest),
            _ => self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_begins_anew_after_a_long_run() {
        let back_off = BackOff::default();
        let mut last = None;
        let mut waits = Vec::new();
        for _ in 0..7 {
            last = Some(back_off.next(last, Duration::ZERO));
            waits.extend(last.map(|wait| wait.as_secs()));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off.next(last, Duration::from_secs(61)), back_off.first);
    }
}
