//! Reads `drift`.

use super::entry::{Entry, Problems};
use super::model::{Drift, EXPECTED};

/// Reads `drift`.
pub(super) fn read(entry: &Entry, problems: &mut Problems) -> Option<Drift> {
    let text = entry.text(problems)?;
    let drift = text.parse().ok();
    if drift.is_none() {
        problems.push(entry.expected(EXPECTED));
    }
    drift
}
