//! Whether something may be promoted at a time, by `policy.freeze` and `policy.windows`.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::values::{Freeze, Policy, Window};

/// Nothing may be promoted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Why.
    pub cause: Cause,
    /// When something may be promoted again, by all freezes and windows; `None` when that is beyond the calendar.
    pub until: Option<Timestamp>,
}

/// Why nothing may be promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A freeze.
    Freeze {
        /// Why it is there.
        why: String,
        /// When it is over.
        to: Timestamp,
    },
    /// No window is open.
    Windows,
}

/// What stops promotions at a time; nothing when they are free.
pub fn closed(policy: &Policy, now: Timestamp) -> Option<Closed> {
    let cause = match freeze(policy, now) {
        Some(freeze) => Cause::Freeze { why: freeze.why.clone(), to: freeze.to },
        None if is_open(policy, now) => return None,
        None => Cause::Windows,
    };
    Some(Closed { cause, until: opening(policy, now) })
}

/// The first time from `now` on at which something may be promoted; `None` when that is beyond the calendar.
pub fn opening(policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let mut at = now;
    // Each turn ends a freeze, and each freeze once.
    for _ in 0..=policy.freeze.len() {
        if !is_open(policy, at) {
            at = policy.windows.iter().filter_map(|window| opens(window, at)).min()?;
        }
        match freeze(policy, at) {
            Some(freeze) => at = freeze.to,
            None => return Some(at),
        }
    }
    None
}

/// The freeze that holds at a time: of several the one that lasts longest.
fn freeze(policy: &Policy, at: Timestamp) -> Option<&Freeze> {
    let holds = policy.freeze.iter().filter(|freeze| freeze.from <= at && at < freeze.to);
    holds.max_by_key(|freeze| freeze.to)
}

fn is_open(policy: &Policy, at: Timestamp) -> bool {
    let is_in = |window: &Window| {
        let today = window.zone.to_datetime(at).date();
        // One that goes over midnight has opened yesterday.
        let days = [today.yesterday().ok(), Some(today)].into_iter().flatten();
        days.filter_map(|day| period(window, day)).any(|(from, to)| from <= at && at < to)
    };
    policy.windows.is_empty() || policy.windows.iter().any(is_in)
}

/// How many days ahead a window is looked for. In two weeks each day of the week comes twice: once it may be that
/// its hours are those that a clock leaves out in spring.
const DAYS_AHEAD: i32 = 15;

/// When a window opens next, after a time at which it is closed.
fn opens(window: &Window, at: Timestamp) -> Option<Timestamp> {
    let today = window.zone.to_datetime(at).date();
    let days = (-1..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
    let periods = days.filter_map(|day| period(window, day));
    periods.map(|(from, _)| from).filter(|from| *from > at).min()
}

/// From when until when a window that opens on this day is open; `None` when it does not.
fn period(window: &Window, day: Date) -> Option<(Timestamp, Timestamp)> {
    if !window.days.contains(&day.weekday()) {
        return None;
    }
    let end = if window.to > window.from { day } else { day.tomorrow().ok()? };
    let moment = |date: Date, time| window.zone.to_timestamp(date.to_datetime(time)).ok();
    let (from, to) = (moment(day, window.from)?, moment(end, window.to)?);
    (from < to).then_some((from, to))
}
