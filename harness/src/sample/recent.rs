//! The last answers that this process was given, for whoever asks why a check failed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::Uri;

use super::failure::Failure;

/// How many are kept.
const KEPT: usize = 100;

static RECENT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// A line per answer, the newest last, at most 100.
pub fn recent() -> Vec<String> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

pub(super) fn note(uri: &Uri, outcome: &Result<String, Failure>) {
    let line = match outcome {
        Ok(version) => format!("{} {uri} {version}", jiff::Timestamp::now()),
        Err(failure) => format!("{uri} {failure}"),
    };
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    if recent.len() == KEPT {
        recent.pop_front();
    }
    recent.push_back(line);
}
