//! A number and its bound.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::Number;

/// What is known of one number in this step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NumberSeen {
    /// The last one that was measured.
    pub(crate) value: Option<f64>,
    /// For how long it is beyond its bound; `None` if it is not.
    pub(crate) beyond: Option<Duration>,
    /// For how long it has been measured.
    pub(crate) measured: Duration,
    /// For how long it could not be measured, up to now.
    pub(crate) blind: Option<Duration>,
}

impl NumberSeen {
    /// Takes one look. The first look beyond the bound begins the time: before it nothing is known.
    pub(crate) fn look(&mut self, number: &Number, length: Duration, value: f64) {
        self.blind = None;
        self.value = Some(value);
        self.measured = self.measured.saturating_add(length);
        self.beyond = number
            .bound
            .is_crossed_by(value)
            .then(|| self.beyond.map_or(Duration::ZERO, |before| before.saturating_add(length)));
    }

    /// Whether it is a regression.
    pub(crate) fn is_regression(&self, number: &Number) -> bool {
        self.beyond.is_some_and(|lasting| lasting >= number.lasting)
    }
}
