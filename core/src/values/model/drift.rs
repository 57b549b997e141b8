//! What is done about objects that somebody else changed.

use std::fmt;
use std::str::FromStr;

/// What is done when a field or an object of ours is no longer what we wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drift {
    /// It is reported and written again.
    Repair,
    /// It is reported and left as it is, until the next commit changes the service.
    Report,
    /// It is left as it is, without a word.
    Ignore,
}

impl Drift {
    const ALL: [Self; 3] = [Self::Repair, Self::Report, Self::Ignore];

    /// The word that stands for it in values and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Report => "report",
            Self::Ignore => "ignore",
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Drift {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|drift| drift.as_str() == text);
        found.ok_or_else(|| format!("expected {EXPECTED}, found {text:?}"))
    }
}

pub(in crate::values) const EXPECTED: &str = "repair, report or ignore";
