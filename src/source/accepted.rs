//! The commit that was accepted last, remembered beside the clone.
//!
//! It is a file of its own and not a reference in the clone, because a damaged clone is made anew and
//! must not take this with it: a rewritten history would then be followed as if it were the first.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SourceError;
use super::revision::Revision;
use coalmine_core::reason::Advice;

/// The file inside the state directory.
const FILE: &str = "accepted.json";

/// What was accepted, of which branch. Another repository or branch is another history: what was
/// accepted of this one says nothing about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accepted {
    pub(super) repository: String,
    pub(super) branch: String,
    pub(super) revision: Revision,
    /// Whether signatures were asked for when it was accepted.
    pub(super) verified: bool,
}

impl Accepted {
    /// What the state directory remembers of this branch.
    ///
    /// # Errors
    /// [`SourceError::Disk`] when the file is there and cannot be read. That is not the same as
    /// nothing accepted, so nobody may go on as if it were.
    pub(super) fn load(
        directory: &Path,
        repository: &str,
        branch: &str,
    ) -> Result<Option<Self>, SourceError> {
        let path = directory.join(FILE);
        let unreadable = |detail: String| SourceError::Disk {
            path: path.clone(),
            detail: Advice::new(
                detail,
                "it names the commit that was accepted last. Mend it, or remove it to start with whatever the \
                 branch has now",
            ),
        };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let accepted: Self =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        Ok(Some(accepted).filter(|known| known.repository == repository && known.branch == branch))
    }

    /// Remembers this, whole or not at all, also when the machine dies meanwhile.
    ///
    /// # Errors
    /// [`SourceError::Disk`].
    pub(super) fn save(&self, directory: &Path) -> Result<(), SourceError> {
        let path = directory.join(FILE);
        let growing = path.with_extension("json.new");
        self.write(directory, &growing, &path)
            .map_err(|error| SourceError::Disk { path, detail: error.to_string().into() })
    }

    fn write(&self, directory: &Path, growing: &PathBuf, path: &PathBuf) -> std::io::Result<()> {
        fs::create_dir_all(directory)?;
        let mut file = File::create(growing)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(growing, path)?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_core::reason::Hinted;

    fn accepted(id: &str) -> Accepted {
        Accepted {
            repository: "file:///srv/a.git".to_owned(),
            branch: "main".to_owned(),
            revision: Revision {
                id: id.to_owned(),
                author: "Ada".to_owned(),
                subject: "say one".to_owned(),
                committed: jiff::Timestamp::UNIX_EPOCH,
            },
            verified: true,
        }
    }

    #[test]
    fn the_last_that_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let load = || Accepted::load(folder.path(), "file:///srv/a.git", "main").unwrap();
        assert_eq!(load(), None);
        accepted("1").save(folder.path()).unwrap();
        accepted("2").save(folder.path()).unwrap();
        assert_eq!(load(), Some(accepted("2")));
    }

    #[test]
    fn another_repository_or_branch_starts_without_a_past() {
        let folder = tempfile::tempdir().unwrap();
        accepted("1").save(folder.path()).unwrap();
        let load = |repository, branch| Accepted::load(folder.path(), repository, branch).unwrap();
        assert_eq!(load("file:///srv/b.git", "main"), None);
        assert_eq!(load("file:///srv/a.git", "next"), None);
    }

    #[test]
    fn a_garbled_file_is_an_error_and_no_empty_past() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let error = Accepted::load(folder.path(), "file:///srv/a.git", "main").unwrap_err();
        assert!(error.to_string().contains("accepted.json: EOF while parsing"), "{error}");
        assert!(error.line().contains("remove it to start with"), "{error}");
    }
}
