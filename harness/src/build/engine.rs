//! A Docker engine out of Debian's packages.

use std::{fs, path::PathBuf};

use anyhow::Result;

use super::{
    cache::Cache,
    packages::{self, Beside},
};
use crate::progress::Progress;

const PACKAGES: [&str; 2] = ["docker.io", "iptables"];

/// The folder with the programs below `usr`.
pub(super) fn get(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    let distribution = packages::distribution();
    let inputs = [distribution.as_str(), std::env::consts::ARCH, &PACKAGES.join(" ")];
    cache.get("engine", &inputs, progress, |folder| {
        let fetching = progress.step("fetching a Docker engine as Debian packages (66 MB)");
        let work = folder.join("work");
        packages::unpack(&PACKAGES, Beside::ThisMachine, &work, folder)?;
        // Where it is installed already it need not be downloaded, and is used from there.
        if folder.join("usr/sbin/xtables-nft-multi").exists() {
            packages::link_iptables(folder)?;
        }
        fs::remove_dir_all(work)?;
        fetching.done();
        Ok(())
    })
}
