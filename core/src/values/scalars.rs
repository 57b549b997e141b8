//! Reads values that several keys have in common: ports, labels, durations.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use super::entry::{Entry, Problems};
use super::names::{check_label, check_path_segment};
use super::node::{Data, Scalar};
use super::schema::{RESERVED_KEYS, RESERVED_PREFIX};

/// A port number.
pub(super) fn read_port(entry: &Entry, problems: &mut Problems) -> Option<u16> {
    entry.whole(1..=65535, "a TCP port", problems).and_then(|port| port.try_into().ok())
}

/// A DNS label, for example a namespace.
pub(super) fn read_label(entry: &Entry, what: &str, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    match check_label(what, &text) {
        Ok(()) => Some(text),
        Err(message) => {
            problems.push(entry.problem(message));
            None
        }
    }
}

/// A name that can stand in a path of the API server.
pub(super) fn read_segment(entry: &Entry, what: &str, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    match check_path_segment(what, &text) {
        Ok(()) => Some(text),
        Err(message) => {
            problems.push(entry.problem(message));
            None
        }
    }
}

/// A duration, such as `1m 30s`.
pub(super) fn read_duration(entry: &Entry, problems: &mut Problems) -> Option<Duration> {
    let text = entry.text(problems)?;
    let duration = text.parse::<SignedDuration>().ok().and_then(|parsed| parsed.try_into().ok());
    if duration.is_none() {
        problems.push(entry.expected("a duration").help("for example 5m, 3s or 1m 30s"));
    }
    duration
}

/// A duration within bounds.
pub(super) fn read_duration_within(
    entry: &Entry,
    range: RangeInclusive<Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let duration = read_duration(entry, problems)?;
    if range.contains(&duration) {
        return Some(duration);
    }
    let [least, most] = [range.start(), range.end()].map(|bound| shown(*bound));
    problems.push(entry.expected(&format!("a duration from {least} to {most}")));
    None
}

/// A duration as a person writes it: `1h`, `500ms`.
pub(super) fn shown(duration: Duration) -> String {
    match SignedDuration::try_from(duration) {
        Ok(duration) => format!("{duration:#}"),
        Err(_) => format!("{duration:?}"),
    }
}

/// Text that is not empty; `what` names it.
pub(super) fn read_filled(entry: &Entry, what: &str, problems: &mut Problems) -> Option<String> {
    let text = entry.text(problems)?;
    if text.is_empty() {
        problems.push(entry.expected(what));
        return None;
    }
    Some(text)
}

/// A finite number.
pub(super) fn read_number(entry: &Entry, what: &str, problems: &mut Problems) -> Option<f64> {
    let number = match entry.node.scalar() {
        Some(Scalar::Number(number)) => number.as_f64().filter(|number| number.is_finite()),
        _ => None,
    };
    if number.is_none() {
        let problem = entry.expected(what);
        problems.push(match &entry.node.data {
            Data::Scalar { text, plain: false } if text.parse::<f64>().is_ok() => {
                problem.help(format!("leave the quotes away: `{text}`"))
            }
            _ => problem,
        });
    }
    number
}

/// A percentage such as `0.2%`, as a share of 1: more than nothing, and at most `most` percent.
pub(super) fn read_percentage(entry: &Entry, most: f64, problems: &mut Problems) -> Option<f64> {
    let text = entry.text(problems)?;
    let is_number = |number: &str| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        match number.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(number),
        }
    };
    let percent = text.strip_suffix('%').filter(|number| is_number(number));
    let percent = percent.and_then(|number| number.parse::<f64>().ok());
    let Some(percent) = percent else {
        let problem = entry.expected("a percentage");
        problems.push(problem.help("write a number and the sign: for example `0.2%`"));
        return None;
    };
    if percent > 0.0 && percent <= most {
        return Some(percent / 100.0);
    }
    problems.push(entry.expected(&format!("a percentage above 0% and up to {most}%")));
    None
}

/// Whether a label or annotation is one of ours.
pub(super) fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.contains(&key) || key.starts_with(RESERVED_PREFIX)
}
