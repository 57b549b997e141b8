//! Reads values that several keys have in common: ports, labels, durations.

use std::time::Duration;

use jiff::SignedDuration;

use super::entry::{Entry, Problems};
use super::names::{check_label, check_path_segment};
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

/// Whether a label or annotation is one of ours.
pub(super) fn is_reserved(key: &str) -> bool {
    RESERVED_KEYS.contains(&key) || key.starts_with(RESERVED_PREFIX)
}
