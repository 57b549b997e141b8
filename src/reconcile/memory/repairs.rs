use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use coalmine_core::object::ObjectId;

/// The pause after the first repair of an object, doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two repairs of an object, and how long it has to stay as it is for its
/// repairs to be forgotten.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The back-off of repairs of drift, for each object.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Repairs(BTreeMap<ObjectId, Repaired>);

#[derive(Clone, Copy, Debug)]
struct Repaired {
    count: u32,
    last: Timestamp,
}

impl Repairs {
    /// Until when an object that somebody else changes again and again is left alone.
    pub(in crate::reconcile) fn due(&self, id: &ObjectId) -> Option<Timestamp> {
        let Repaired { count, last } = self.0.get(id)?;
        let pause = match count {
            0 | 1 => Duration::ZERO,
            more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(16)).min(LONGEST_PAUSE),
        };
        last.checked_add(SignedDuration::try_from(pause).ok()?).ok()
    }

    /// Counts a repair; one after a long calm is the first again.
    pub(in crate::reconcile) fn record(&mut self, id: &ObjectId, now: Timestamp) {
        let repaired = self.0.entry(id.clone()).or_insert(Repaired { count: 0, last: now });
        let calm = Duration::try_from(now.duration_since(repaired.last)).unwrap_or_default();
        if calm > LONGEST_PAUSE {
            repaired.count = 0;
        }
        *repaired = Repaired { count: repaired.count.saturating_add(1), last: now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ObjectId {
        ObjectId::new("gateway.solo.io/v1", "RouteTable", Some("echo"), "echo-routes")
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn repairs_of_an_object_that_keeps_changing_become_rarer_and_are_forgotten_after_a_calm() {
        let mut repairs = Repairs::default();
        assert_eq!(repairs.due(&table()), None);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..14 {
            repairs.record(&table(), second(now));
            let due = repairs.due(&table()).expect("repaired before");
            pauses.push(due.as_second() - now);
            now = due.as_second();
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
        repairs.record(&table(), second(now + 601));
        assert_eq!(repairs.due(&table()), Some(second(now + 601)));
    }
}
