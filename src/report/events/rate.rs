//! How many events about one object are too many.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use coalmine_core::object::ObjectId;

/// How many events about one object may come at once: a rollout with all its steps.
const BURST: u32 = 12;
/// After this long one more may come.
const REFILL: Duration = Duration::from_secs(60);
/// Full buckets are forgotten whenever so many more objects are known.
const SWEEP: usize = 1024;

/// One bucket per object that there was an event about lately.
#[derive(Default)]
pub(super) struct Rate {
    buckets: HashMap<ObjectId, Bucket>,
    known_at_last_sweep: usize,
}

struct Bucket {
    left: u32,
    since: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let periods = now.saturating_duration_since(self.since).as_secs() / REFILL.as_secs();
        let periods = u32::try_from(periods).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(periods).min(BURST);
        self.since += REFILL * periods.min(BURST);
        if self.left == BURST {
            self.since = now;
        }
    }
}

impl Rate {
    /// Whether one more event about the object may be sent, which counts it.
    pub(super) fn may(&mut self, about: &ObjectId, now: Instant) -> bool {
        if self.buckets.len() >= self.known_at_last_sweep + SWEEP {
            self.buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.left < BURST
            });
            self.known_at_last_sweep = self.buckets.len();
        }
        let new = || Bucket { left: BURST, since: now };
        let bucket = self.buckets.entry(about.clone()).or_insert_with(new);
        bucket.refill(now);
        let may = bucket.left > 0;
        bucket.left = bucket.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> ObjectId {
        ObjectId::new("apps/v1", "Deployment", Some("echo"), name)
    }

    #[test]
    fn a_burst_about_one_object_passes_and_then_one_a_minute() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        let echo = object("echo");
        let passed = (0..100).filter(|_| rate.may(&echo, now)).count();
        assert_eq!(passed, 12);
        assert!(rate.may(&object("foxtrot"), now), "others have their own");
        let later = now + REFILL;
        assert_eq!((0..100).filter(|_| rate.may(&echo, later)).count(), 1);
        let much_later = now + REFILL * 1000;
        assert_eq!((0..100).filter(|_| rate.may(&echo, much_later)).count(), 12);
    }

    #[test]
    fn objects_that_are_quiet_again_are_forgotten() {
        let (mut rate, now) = (Rate::default(), Instant::now());
        for round in 0..10u32 {
            for number in 0..SWEEP {
                rate.may(&object(&format!("echo-{round}-{number}")), now + REFILL * 20 * round);
            }
        }
        assert!(rate.buckets.len() <= 2 * SWEEP, "{} are known", rate.buckets.len());
    }
}
