use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// When the routes of a service and the policies that guard them changed, as far as this process knows: a process that has just started takes
/// the moment of its first look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteTimes {
    /// When their content last changed.
    pub changed_at: Timestamp,
    /// When Gloo last gave them another verdict, began or ended to have one, or served changes again after it
    /// was kept from it.
    pub judged_at: Timestamp,
    /// When the same content was last written in other words, because a parent had no status for it.
    pub repeated_at: Timestamp,
}

/// How long a new HTTPRoute may be without any status before it is written again. kgateway 2.4.0 writes it within a second
/// where it writes it at all (gateway-conformance, "Seen, but in no case": none for 3.5 s, there at the next step). It is
/// shorter than any deadline worth setting, and a write that was not needed costs one translation.
const REPETITION: Duration = Duration::from_secs(2);

impl RouteTimes {
    /// Routes that have been as they are since this moment.
    pub fn since(moment: Timestamp) -> Self {
        Self { changed_at: moment, judged_at: moment, repeated_at: moment }
    }

    /// When routes without a status are to be written again: after twice as long each time, so that a gateway that is
    /// slow and not forgetful has the time to answer.
    pub(super) fn repetition_due(&self) -> Timestamp {
        let since = self.changed_at.max(self.judged_at);
        let last = self.repeated_at.max(since);
        let waited = Duration::try_from(last.duration_since(since)).unwrap_or_default();
        after(last, waited.max(REPETITION))
    }
}

/// A moment later; the end of time when there is none.
pub(super) fn after(moment: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    moment.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_without_a_status_are_written_again_ever_more_rarely() {
        let second = |second: i64| Timestamp::from_second(second).expect("in range");
        let mut times = RouteTimes::since(second(100));
        for due in [102, 104, 108, 116, 132] {
            assert_eq!(times.repetition_due(), second(due));
            times.repeated_at = second(due);
        }
        // Others have been judged meanwhile, or these have changed: from then on.
        times.judged_at = second(500);
        assert_eq!(times.repetition_due(), second(502));
        times.changed_at = second(600);
        assert_eq!(times.repetition_due(), second(602));
        assert_eq!(RouteTimes::since(Timestamp::MAX).repetition_due(), Timestamp::MAX);
        let earliest =
            RouteTimes { repeated_at: Timestamp::MAX, ..RouteTimes::since(Timestamp::MIN) };
        assert_eq!(earliest.repetition_due(), Timestamp::MAX);
    }
}
