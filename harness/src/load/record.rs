//! The answers to one target's load.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::change::Span;
use crate::sample::Failure;

/// The grain of the window.
const SLOT: Duration = Duration::from_millis(250);
/// How many slots are kept: 30 s.
const SLOTS: u64 = 120;
/// Failures kept in full; all are counted.
const FAILURES: usize = 100;

/// Everything one target's load met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// The first hundred of them.
    pub failures: Vec<Failure>,
    /// Answers per version.
    pub by_version: BTreeMap<String, u64>,
}

/// What is known about one target.
#[derive(Debug)]
pub(super) struct Record {
    begun: Instant,
    total: Total,
    seen: BTreeMap<String, Span>,
    slots: VecDeque<(u64, BTreeMap<String, u64>)>,
}

impl Record {
    pub(super) fn new(begun: Instant) -> Self {
        let (total, seen) = (Total::default(), BTreeMap::new());
        Self { begun, total, seen, slots: VecDeque::new() }
    }

    pub(super) fn count(&mut self, at: Instant, outcome: Result<String, Failure>) {
        self.total.requests += 1;
        let version = match outcome {
            Ok(version) => version,
            Err(failure) => {
                self.total.failed += 1;
                if self.total.failures.len() < FAILURES {
                    self.total.failures.push(failure);
                }
                return;
            }
        };
        *self.total.by_version.entry(version.clone()).or_default() += 1;
        self.seen
            .entry(version.clone())
            .and_modify(|span| span.last = at)
            .or_insert(Span { first: at, last: at });
        let slot = self.slot(at);
        if self.slots.back().is_none_or(|(newest, _)| *newest < slot) {
            self.slots.push_back((slot, BTreeMap::new()));
        }
        while self.slots.front().is_some_and(|(oldest, _)| *oldest + SLOTS <= slot) {
            self.slots.pop_front();
        }
        if let Some((_, counts)) = self.slots.back_mut() {
            *counts.entry(version).or_default() += 1;
        }
    }

    pub(super) fn mark(&mut self) {
        self.seen.clear();
    }

    pub(super) fn seen(&self) -> &BTreeMap<String, Span> {
        &self.seen
    }

    pub(super) fn total(&self) -> &Total {
        &self.total
    }

    pub(super) fn window(&self, now: Instant, length: Duration) -> BTreeMap<String, u64> {
        let oldest = now.checked_sub(length).map_or(0, |start| self.slot(start));
        let mut window = BTreeMap::new();
        for (_, counts) in self.slots.iter().filter(|(slot, _)| *slot >= oldest) {
            for (version, count) in counts {
                *window.entry(version.clone()).or_default() += count;
            }
        }
        window
    }

    fn slot(&self, at: Instant) -> u64 {
        let slots = at.saturating_duration_since(self.begun).as_millis() / SLOT.as_millis();
        u64::try_from(slots).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_only_what_is_recent_and_old_slots_are_forgotten() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut record = Record::new(begun);
        record.count(at(0), Ok("v1".to_owned()));
        record.count(at(10), Ok("v1".to_owned()));
        record.count(at(12), Ok("v2".to_owned()));
        let window = |record: &Record, seconds| record.window(at(12), Duration::from_secs(seconds));
        assert_eq!(window(&record, 1), BTreeMap::from([("v2".to_owned(), 1)]));
        assert_eq!(window(&record, 3)["v1"], 1);
        assert_eq!(window(&record, 30)["v1"], 2);
        for second in 13..100 {
            record.count(at(second), Ok("v2".to_owned()));
        }
        assert_eq!(record.slots.len(), 30, "one for each of the last 30 seconds");
        assert_eq!(record.total().by_version["v1"], 2);
    }

    #[test]
    fn failures_are_all_counted_and_the_first_are_kept() {
        let begun = Instant::now();
        let mut record = Record::new(begun);
        for number in 0..250 {
            record.count(begun, Err(Failure::now(Some(503), format!("number {number}"))));
        }
        let total = record.total();
        assert_eq!((total.requests, total.failed, total.failures.len()), (250, 250, FAILURES));
        assert_eq!(total.failures[0].detail, "number 0");
    }

    #[test]
    fn a_mark_forgets_who_answered_before() {
        let begun = Instant::now();
        let mut record = Record::new(begun);
        record.count(begun, Ok("v1".to_owned()));
        record.mark();
        let (first, last) = (begun + SLOT, begun + 2 * SLOT);
        record.count(first, Ok("v2".to_owned()));
        record.count(last, Ok("v2".to_owned()));
        assert_eq!(*record.seen(), BTreeMap::from([("v2".to_owned(), Span { first, last })]));
    }
}
