//! The files of one revision, in memory.

use std::collections::BTreeMap;

/// The files of one revision below the configured path.
///
/// Paths are relative to that path and use `/`, for example `services/team-a/foxtrot.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The commit's full id; for a plain folder the word `local`.
    pub revision: String,
    /// Path to content, in the order of the paths.
    pub files: BTreeMap<String, Vec<u8>>,
}
