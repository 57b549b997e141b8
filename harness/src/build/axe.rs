//! axe-core, which finds what people with disabilities would stumble over on a page, out of a Python
//! package that carries it. It is under MPL-2.0, and fetched for tests only.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use super::{cache::Cache, python};
use crate::progress::Progress;

const REQUIREMENTS: &str = include_str!("../../axe/requirements.txt");

/// The script.
pub(super) fn get(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let folder = cache.get("axe", &[REQUIREMENTS], progress, |folder| {
        let fetching = progress.step("fetching axe-core (160 kB)");
        let unpacked = python::unpack(REQUIREMENTS, folder)?;
        fs::rename(unpacked.join("axe_playwright_python/axe.min.js"), folder.join("axe.min.js"))
            .context("the Python package holds no axe.min.js")?;
        fs::remove_dir_all(unpacked)?;
        fetching.done();
        Ok(())
    })?;
    Ok(folder.join("axe.min.js"))
}
