//! Requests that fail.

use std::fmt;

/// A request that was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was known to have failed.
    pub at: jiff::Timestamp,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The answer's body, or what happened to the connection.
    pub detail: String,
}

impl Failure {
    /// A failure of this moment.
    pub fn now(status: Option<u16>, detail: impl Into<String>) -> Self {
        Self { at: jiff::Timestamp::now(), status, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ", self.at)?;
        match self.status {
            Some(status) => write!(f, "status {status}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}
