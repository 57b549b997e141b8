//! Times as people read them.

use std::time::Duration;

use jiff::Timestamp;

/// A time, and how long ago that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// For programs, such as the browser.
    pub(super) iso: String,
    /// `2026-01-01 12:00:00 UTC`.
    pub(super) exact: String,
    /// `3 min`.
    pub(super) age: String,
}

impl Moment {
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        let utc = at.to_zoned(jiff::tz::TimeZone::UTC);
        Self {
            iso: utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            exact: utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            age: span(at, now),
        }
    }
}

/// How long it is from one time to another, in its two largest units; nothing when the clock went back.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = seconds(from, to).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: u64, name: &str, small: u64, other: &str| match small {
        0 => format!("{big} {name}"),
        small => format!("{big} {name} {small} {other}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, 1..10) => two(minutes, "min", seconds % 60, "s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => two(hours, "h", minutes % 60, "min"),
        (1..10, ..) => two(days, "d", hours % 24, "h"),
        _ => format!("{days} d"),
    }
}

pub(super) fn seconds(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_span_has_the_units_that_matter() {
        let spans = [0, 59, 60, 61, 599, 601, 3600, 3660, 86_400, 90_000, 900_000];
        let words = spans.map(|seconds| span(at(0), at(seconds)));
        assert_eq!(
            words,
            [
                "0 s",
                "59 s",
                "1 min",
                "1 min 1 s",
                "9 min 59 s",
                "10 min",
                "1 h",
                "1 h 1 min",
                "1 d",
                "1 d 1 h",
                "10 d"
            ]
        );
        assert_eq!(span(at(10), at(0)), "0 s", "a clock that went back");
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        let moment = Moment::of(at(1_767_268_800), at(1_767_268_980));
        assert_eq!(moment.iso, "2026-01-01T12:00:00Z");
        assert_eq!(moment.exact, "2026-01-01 12:00:00 UTC");
        assert_eq!(moment.age, "3 min");
    }
}
