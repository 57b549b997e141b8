//! Debian packages, downloaded by apt, which checks their signatures, and unpacked. Nothing is
//! installed, and nothing of the machine's own package lists changes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::tool;

const INSTALL: &str = "this bed is put together from Debian packages: use Debian, or one of the \
                       other beds (COALMINE_BED=local)";

/// What packages find in place when they are unpacked, and so is not downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Whatever is installed on this machine.
    ThisMachine,
    /// Nothing: they come with everything they depend on.
    Nothing,
}

/// Unpacks `packages` and what they depend on into `target`; keeps downloads in `work`, which can
/// be removed afterwards.
pub(super) fn unpack(packages: &[&str], beside: Beside, work: &Path, target: &Path) -> Result<()> {
    let [lists, archives] = ["lists", "archives"].map(|name| work.join(name));
    for folder in [&lists, &archives] {
        fs::create_dir_all(folder.join("partial"))?;
    }
    fs::create_dir_all(target)?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["--quiet", "--quiet", "--yes", "--no-install-recommends"]);
        let mut set = |name: &str, value: &Path| {
            command.arg("--option").arg(format!("{name}={}", value.display()));
        };
        set("Dir::State::lists", &lists);
        set("Dir::Cache", work);
        set("Dir::Cache::archives", &archives);
        if beside == Beside::Nothing {
            set("Dir::State::status", Path::new("/dev/null"));
        }
        // The user that apt would download as cannot write below somebody's home.
        command.args(["--option", "APT::Sandbox::User=root"]);
        command.args(["--option", "Debug::NoLocking=true"]).args(arguments);
        tool::run(&mut command, INSTALL, |_| {})
    };
    apt(&["update"]).context("cannot fetch the lists of Debian packages")?;
    apt(&[&["install", "--download-only"], packages].concat())
        .context("cannot download Debian packages")?;
    for package in downloaded(&archives)? {
        let mut extract = Command::new("dpkg-deb");
        tool::run(extract.arg("--extract").arg(package).arg(target), INSTALL, |_| {})?;
    }
    Ok(())
}

fn downloaded(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>();
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    Ok(entries?.into_iter().filter(is_package).collect())
}

/// The commands of iptables are one program that goes by its name.
pub(super) fn link_iptables(root: &Path) -> Result<()> {
    for family in ["iptables", "ip6tables"] {
        for action in ["", "-save", "-restore"] {
            let link = root.join(format!("usr/sbin/{family}{action}"));
            if fs::symlink_metadata(&link).is_ok() {
                fs::remove_file(&link)?;
            }
            std::os::unix::fs::symlink("xtables-nft-multi", &link)
                .with_context(|| format!("cannot make {}", link.display()))?;
        }
    }
    Ok(())
}

/// What the cache knows packages by: they are those of the distribution that is installed.
pub(super) fn distribution() -> String {
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}
