//! A browser without a screen, and what drives it: the machine's own, or else out of Debian's packages.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{
    cache::Cache,
    packages::{self, Beside},
};
use crate::progress::Progress;

/// The driver comes with the Chromium that it fits; the fonts make pictures the same on every machine.
const PACKAGES: [&str; 3] = ["chromium-driver", "fonts-inter", "fonts-dejavu-core"];

/// A Chromium and its driver.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The program that speaks WebDriver.
    pub driver: PathBuf,
    /// The browser; the driver finds its own when absent.
    pub chromium: Option<PathBuf>,
    /// What both need in their environment.
    pub environment: Vec<(String, String)>,
}

pub(super) fn get(cache: &Cache, progress: &Progress) -> Result<Browser> {
    if let Some(driver) = installed("chromedriver") {
        return Ok(Browser { driver, chromium: None, environment: Vec::new() });
    }
    let distribution = packages::distribution();
    let inputs = [distribution.as_str(), env::consts::ARCH, &PACKAGES.join(" ")];
    let folder = cache.get("browser", &inputs, progress, |folder| {
        let fetching = progress.step("fetching Chromium as Debian packages (130 MB)");
        let work = folder.join("work");
        packages::unpack(&PACKAGES, Beside::ThisMachine, &work, folder).context(
            "there is no chromedriver on this machine, and none can be had from Debian's packages; install \
             Chromium or Chrome with the chromedriver of its version",
        )?;
        fs::remove_dir_all(work)?;
        fetching.done();
        Ok(())
    })?;
    let fonts = fonts(&folder)?;
    let libraries = libraries(&folder)?;
    Ok(Browser {
        driver: folder.join("usr/bin/chromedriver"),
        chromium: Some(folder.join("usr/lib/chromium/chromium")),
        environment: vec![
            ("LD_LIBRARY_PATH".into(), libraries),
            ("FONTCONFIG_FILE".into(), fonts.display().to_string()),
        ],
    })
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The folders of the libraries that were not on this machine: where the loader would look for them if
/// they were installed, and those below, in which packages keep what is only theirs.
fn libraries(root: &Path) -> Result<String> {
    let is_of_this_machine =
        |folder: &PathBuf| folder.to_string_lossy().ends_with("-linux-gnu") && folder.is_dir();
    let mut all = vec![root.join("usr/lib/chromium")];
    for parent in ["usr/lib", "lib"] {
        for folder in entries(&root.join(parent))?.into_iter().filter(is_of_this_machine) {
            let below = entries(&folder)?.into_iter().filter(|path| path.is_dir());
            all.extend([folder].into_iter().chain(below));
        }
    }
    let all: Vec<_> = all.iter().map(|folder| folder.display().to_string()).collect();
    Ok(all.join(":"))
}

/// What a folder holds; nothing when it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    entries.collect()
}

/// A configuration of the unpacked fonts, and of those that were on this machine already.
fn fonts(root: &Path) -> Result<PathBuf> {
    let file = root.join("fonts.conf");
    let [own, cache] = ["usr/share/fonts", "fonts-cache"].map(|folder| root.join(folder));
    let (own, cache) = (own.display(), cache.display());
    let content = format!(
        r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{own}</dir>
  <dir>/usr/share/fonts</dir>
  <match target="pattern">
    <edit name="family" mode="append_last"><string>sans-serif</string></edit>
  </match>
  <alias><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <cachedir>{cache}</cachedir>
</fontconfig>
"#
    );
    if fs::read_to_string(&file).ok().as_ref() != Some(&content) {
        fs::write(&file, content)?;
    }
    Ok(file)
}
