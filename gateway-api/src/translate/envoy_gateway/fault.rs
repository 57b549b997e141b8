//! What is wrong with a rule.

use crate::code::Code;

/// What is wrong with a rule: which condition says so, its reason, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) reason: &'static str,
    pub(super) words: String,
}

impl Fault {
    pub(super) fn new(kind: &'static str, reason: &'static str, words: impl Into<String>) -> Self {
        Self { kind, reason, words: words.into() }
    }

    /// What is wrong, independent of the words.
    pub(super) fn code(&self) -> Code {
        match self.reason {
            "InvalidKind" => Code::InvalidBackendKind,
            "RefNotPermitted" => Code::NoGrant,
            "BackendNotFound" | "PortNotFound" => Code::MissingBackend,
            _ => Code::InvalidRule,
        }
    }
}
