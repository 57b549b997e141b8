//! What the objects written do not say.

use std::fmt;

use serde::Serialize;

/// Something that the objects written do not say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCarried {
    /// Where it stands, as `file:line`, if it comes from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The object, as `Kind namespace/name`.
    pub object: String,
    /// The field, for example `spec.virtualHost.options.jwt`; empty for the object as a whole.
    pub field: String,
    /// What is lost, as `--accept` names it.
    pub code: Cause,
    /// Why, and what is not written because of it.
    pub why: String,
    /// What to do about it.
    pub next: String,
    /// Whether the person has accepted it.
    pub accepted: bool,
}

/// What is lost with something that is not carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The same requests reach the same pods, and something about how they do is lost: retries, health checks.
    Policy,
    /// What may keep requests out or change answers. Nothing of the routes of a VirtualService or RouteTable is written
    /// that has it.
    Guard,
    /// No rule can be what a route is.
    Route,
    /// A destination is no Service.
    Backend,
    /// TLS and its certificates, and the routes behind them.
    Tls,
    /// Objects of a kind of which nothing is made.
    Object,
    /// The API server would refuse what would be written, or the reader of values.
    Refused,
    /// Gloo itself finds a mistake in it.
    Invalid,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Policy,
        Self::Guard,
        Self::Route,
        Self::Backend,
        Self::Tls,
        Self::Object,
        Self::Refused,
        Self::Invalid,
    ];

    /// The name, as `--accept` takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Guard => "guard",
            Self::Route => "route",
            Self::Backend => "backend",
            Self::Tls => "tls",
            Self::Object => "object",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
