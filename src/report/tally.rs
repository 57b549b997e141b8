//! What is counted of one service. It lives and goes with the service's entry on the status store.

use std::time::Duration;

use coalmine_core::reason::Code;

/// Upper bounds of the buckets of a service's reconcile durations, in seconds: an unchanged service,
/// a change of weight, the settle time, a pod's start, a slow image, the default deadline.
pub(super) const BUCKETS: [f64; 7] = [0.1, 0.5, 2.0, 5.0, 20.0, 60.0, 300.0];

/// What is counted of one service.
#[derive(Default)]
pub(super) struct Tally {
    /// How often it became stalled, by reason. Most services have none, and there are few.
    pub(super) stalls: Vec<(Code, u64)>,
    /// How often a pass over it panicked.
    pub(super) panics: u64,
    /// How long it took to reconcile it.
    pub(super) reconciles: Durations,
    /// Drift per kind of object. Most services have none, and there are few kinds.
    pub(super) drift: Vec<(Box<str>, Drifts)>,
    /// Commits of the autopilot, by what they did.
    pub(super) commits: Vec<(&'static str, u64)>,
}

impl Tally {
    /// Counts that the service became stalled.
    pub(super) fn stalled(&mut self, code: Code) {
        match self.stalls.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => self.stalls.push((code, 1)),
        }
    }

    /// Counts a commit of the autopilot.
    pub(super) fn committed(&mut self, action: &'static str) {
        match self.commits.iter_mut().find(|(known, _)| *known == action) {
            Some((_, count)) => *count += 1,
            None => self.commits.push((action, 1)),
        }
    }

    pub(super) fn drift_of(&mut self, kind: &str) -> &mut Drifts {
        let known = self.drift.iter().position(|(known, _)| **known == *kind);
        let place = known.unwrap_or_else(|| {
            self.drift.push((kind.into(), Drifts::default()));
            self.drift.len() - 1
        });
        &mut self.drift[place].1
    }
}

/// Drift of one kind of object.
#[derive(Clone, Copy, Default)]
pub(super) struct Drifts {
    pub(super) found: u64,
    pub(super) repaired: u64,
}

/// A histogram of [`BUCKETS`]; 80 bytes a service, where the metrics library's own takes a lock and
/// three allocations.
#[derive(Default)]
pub(super) struct Durations {
    /// Per bucket, not cumulated; the last is for all that is longer.
    counts: [u32; BUCKETS.len() + 1],
    sum: f64,
}

impl Durations {
    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
        self.sum += seconds;
    }

    /// The sum in seconds, how many there are, and upper bound and number of each bucket.
    pub(super) fn parts(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BUCKETS.into_iter().chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(self.counts.map(u64::from)).collect();
        (self.sum, buckets.iter().map(|(_, count)| count).sum(), buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_holds_it() {
        let mut durations = Durations::default();
        for milliseconds in [1, 100, 101, 5_000, 301_000] {
            durations.observe(Duration::from_millis(milliseconds));
        }
        let (sum, count, buckets) = durations.parts();
        assert!((sum - 306.202).abs() < 1e-9, "{sum}");
        assert_eq!(count, 5);
        let counts: Vec<_> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 1, 0, 0, 0, 1]);
    }
}
