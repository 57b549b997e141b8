//! A folder that is there as a whole, or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::hint::advised;
use coalmine_core::migration::{Migration, markdown};

/// The report beside the files.
const REPORT: &str = "report.md";

/// Refuses a folder that has something in it.
pub(super) fn check(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", folder.display());
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(entry) => {
                entry.with_context(cannot)?;
                Err(advised(
                    format_args!("{} is not empty", folder.display()),
                    "name a folder that is not there yet: nothing is written over",
                ))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(cannot),
    }
}

/// Writes the files of a migration and its report.
pub(super) fn write(folder: &Path, migration: &Migration) -> anyhow::Result<()> {
    let beside = beside(folder)?;
    // A folder of this name is of a run that was killed, or of one that runs at the same time: that one fails then.
    fs::create_dir(&beside).with_context(|| {
        format!("cannot make {}; remove it, if nothing writes there", beside.display())
    })?;
    let written = fill(&beside, migration).and_then(|()| {
        // Onto a folder that is empty or not there, at once.
        fs::rename(&beside, folder).with_context(|| format!("cannot make {}", folder.display()))
    });
    if written.is_err() {
        // What was wrong is said; what is left of it has a name that says so.
        drop(fs::remove_dir_all(&beside));
    }
    written
}

/// The folder in which the files are written first.
fn beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let Some(name) = folder.file_name() else {
        bail!("{} is no name of a folder", folder.display());
    };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".unfinished");
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    Ok(folder.with_file_name(hidden))
}

fn fill(folder: &Path, migration: &Migration) -> anyhow::Result<()> {
    for (path, value) in &migration.files {
        let yaml = serde_yaml::to_string(value).with_context(|| format!("{path} has no YAML"))?;
        put(&folder.join(path), &yaml)?;
    }
    put(&folder.join(REPORT), &markdown(migration))
}

fn put(path: &Path, content: &str) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(cannot)?;
    }
    let mut file = File::create_new(path).with_context(cannot)?;
    file.write_all(content.as_bytes()).with_context(cannot)?;
    file.sync_all().with_context(cannot)
}
