//! Reads `policy.freeze` and `policy.windows`.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::entry::{Entry, Problems};
use super::model::{Freeze, Window};
use super::scalars::read_filled;
use super::schema::{self, Key, MAX_PERIODS};

const FREEZE: &str =
    "for example `{from: 2026-12-24T00:00:00Z, to: 2027-01-02T00:00:00Z, why: end of the year}`";
const WINDOW: &str =
    "for example `{days: [mon, tue, wed, thu], hours: 09:00-17:00, timeZone: Europe/Berlin}`";
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Reads the times in which nothing is promoted.
pub(super) fn read_freezes(entry: &Entry, problems: &mut Problems) -> Vec<Freeze> {
    let items = read_items(entry, problems);
    items.iter().filter_map(|item| read_freeze(item, problems)).collect()
}

/// Reads the times of the week in which something may be promoted.
pub(super) fn read_windows(entry: &Entry, problems: &mut Problems) -> Vec<Window> {
    let items = read_items(entry, problems);
    if items.is_empty() && entry.list(&mut Problems::new()).is_some() {
        let problem = entry.problem("no window is listed, so that none is ever open");
        problems.push(problem.help("remove the key: then any time will do"));
    }
    items.iter().filter_map(|item| read_window(item, problems)).collect()
}

fn read_items(entry: &Entry, problems: &mut Problems) -> Vec<Entry> {
    let Some(mut items) = entry.list(problems) else { return Vec::new() };
    if items.len() > MAX_PERIODS {
        problems.push(entry.problem(format!("more than {MAX_PERIODS} are listed")));
        items.truncate(MAX_PERIODS);
    }
    items
}

fn read_freeze(entry: &Entry, problems: &mut Problems) -> Option<Freeze> {
    let mut fields = entry.fields_like::<schema::Freeze>(FREEZE, problems)?;
    let mut required = |key: fn() -> Key<schema::Freeze>| {
        let found = fields.take(key());
        if found.is_none() {
            problems.push(fields.missing(key(), FREEZE));
        }
        found
    };
    let from = required(schema::Freeze::from);
    let to = required(schema::Freeze::to);
    let why = required(schema::Freeze::why);
    fields.finish(problems);
    let from = from.and_then(|entry| read_moment(&entry, problems));
    let to = to.and_then(|entry| Some((read_moment(&entry, problems)?, entry)));
    let why = why.and_then(|entry| read_filled(&entry, "why nothing is promoted then", problems));
    let (from, (to, to_entry)) = (from?, to?);
    if from >= to {
        let problem = to_entry.problem(format!("{to} is not after `from`, {from}"));
        problems.push(problem.help("a freeze begins before it is over: exchange the two"));
        return None;
    }
    Some(Freeze { from, to, why: why? })
}

fn read_moment(entry: &Entry, problems: &mut Problems) -> Option<Timestamp> {
    let text = entry.text(problems)?;
    match text.parse() {
        Ok(moment) => Some(moment),
        Err(_) => {
            let help = "write date, time and the offset from UTC: 2026-12-24T00:00:00Z or 2026-12-24T00:00:00+01:00";
            problems.push(entry.expected("a point in time").help(help));
            None
        }
    }
}

fn read_window(entry: &Entry, problems: &mut Problems) -> Option<Window> {
    if entry.node.is_null() {
        problems.push(entry.expected("a mapping").help(WINDOW));
        return None;
    }
    let mut fields = entry.fields_like::<schema::Window>(WINDOW, problems)?;
    let days = match fields.take(schema::Window::days()) {
        Some(entry) => read_days(&entry, problems),
        None => Some(DAYS.map(|(_, day)| day).to_vec()),
    };
    let hours = match fields.take(schema::Window::hours()) {
        Some(entry) => read_hours(&entry, problems),
        None => Some((Time::midnight(), Time::midnight())),
    };
    let zone = match fields.take(schema::Window::time_zone()) {
        Some(entry) => read_zone(&entry, problems),
        None => Some(TimeZone::UTC),
    };
    fields.finish(problems);
    let (from, to) = hours?;
    Some(Window { days: days?, from, to, zone: zone? })
}

fn read_days(entry: &Entry, problems: &mut Problems) -> Option<Vec<Weekday>> {
    let items = entry.list(problems)?;
    if items.is_empty() {
        let problem = entry.problem("no day is listed, so that the window is never open");
        problems.push(problem.help("name days, `[mon, tue]`, or remove the key for every day"));
        return None;
    }
    let mut read = |item: &Entry| {
        let text = item.text(problems)?;
        let day = DAYS.iter().find(|(name, _)| *name == text).map(|(_, day)| *day);
        if day.is_none() {
            problems.push(item.expected("mon, tue, wed, thu, fri, sat or sun"));
        }
        day
    };
    // Every item is read, so that every wrong one is reported.
    let days: Vec<Option<Weekday>> = items.iter().map(&mut read).collect();
    days.into_iter().collect()
}

/// The time at which a window opens and that at which it closes; midnight at its end is the end of the day.
fn read_hours(entry: &Entry, problems: &mut Problems) -> Option<(Time, Time)> {
    let text = entry.text(problems)?;
    let hours = text.split_once('-').and_then(|(from, to)| {
        let to = if to == "24:00" { Time::midnight() } else { read_time(to)? };
        Some((read_time(from)?, to))
    });
    let Some((from, to)) = hours else {
        let problem = entry.expected("hours of a day");
        problems.push(problem.help("for example 09:00-17:00, or 22:00-06:00 over midnight"));
        return None;
    };
    // `00:00-24:00` is the whole day, and `00:00-00:00` no time at all.
    if from == to && !text.ends_with("24:00") {
        let problem =
            entry.problem(format!("the window is never open: it closes when it opens, {from}"));
        problems.push(problem.help("for the whole day write 00:00-24:00, or remove the key"));
        return None;
    }
    Some((from, to))
}

/// `09:30`.
fn read_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| text.parse::<i8>().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

fn read_zone(entry: &Entry, problems: &mut Problems) -> Option<TimeZone> {
    let text = entry.text(problems)?;
    // The database is part of the program: every replica and every checkout reads the same.
    match TimeZoneDatabase::bundled().get(&text) {
        Ok(zone) => Some(zone),
        Err(_) => {
            let problem = entry.problem(format!("there is no time zone {text:?}"));
            problems.push(
                problem.help(
                    "write a name of the IANA time zone database, such as Europe/Berlin or UTC",
                ),
            );
            None
        }
    }
}
