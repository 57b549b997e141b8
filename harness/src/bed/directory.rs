//! Where a bed keeps its files.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// A folder that was given, or one of the bed's own.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) own: bool,
}

impl Directory {
    /// The error of a start, with where its logs are; without any the folder goes.
    pub(super) fn with_logs(self, error: anyhow::Error) -> anyhow::Error {
        let logs = std::fs::read_dir(self.path.join("logs"));
        if logs.is_ok_and(|mut logs| logs.next().is_some()) {
            return error.context(format!("the logs are in {}", self.path.display()));
        }
        if self.own {
            drop(std::fs::remove_dir_all(self.path));
        }
        error
    }

    pub(super) fn make(given: Option<PathBuf>) -> Result<Self> {
        if let Some(path) = given {
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot make {}", path.display()))?;
            return Ok(Self { path: std::path::absolute(path)?, own: false });
        }
        let executable = std::env::current_exe().context("cannot find this program's own file")?;
        let beds = executable.with_file_name("beds");
        std::fs::create_dir_all(&beds)
            .with_context(|| format!("cannot make {}", beds.display()))?;
        let path = tempfile::Builder::new().prefix("bed-").tempdir_in(beds)?.keep();
        Ok(Self { path, own: true })
    }
}
