//! The times in which the autopilot may promote.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

/// A time in which the autopilot promotes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// When it begins.
    pub from: Timestamp,
    /// When it is over; later than `from`.
    pub to: Timestamp,
    /// Why it is there.
    pub why: String,
}

/// A time of the week in which the autopilot may promote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days on which it opens, at least one.
    pub days: Vec<Weekday>,
    /// The time of day at which it opens.
    pub from: Time,
    /// The time of day at which it closes; on the next day when it is not later than `from`.
    pub to: Time,
    /// Where these days and times are counted.
    pub zone: TimeZone,
}
