//! A folder of finished builds. A build is made aside and renamed into place, so what is there is
//! whole; a lock file per build keeps two processes from making the same thing twice.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use nix::unistd::{User, getuid};
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;

/// The cache of the user who runs this.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Finds the folder and makes it.
    pub(super) fn open() -> Result<Self> {
        Self::at(root()?)
    }

    fn at(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root).with_context(|| {
            format!("cannot make the cache {}; set COALMINE_CACHE to a folder", root.display())
        })?;
        Ok(Self { root })
    }

    /// The folder of this cache.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The build `name` made from `inputs`; `make` fills a folder with it when it is not there yet.
    pub(super) fn get(
        &self,
        name: &str,
        inputs: &[&str],
        progress: &Progress,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let key = key(inputs);
        let place = self.root.join(format!("{name}-{key}"));
        if place.is_dir() {
            return Ok(place);
        }
        let lock = self.root.join(format!("{name}-{key}.lock"));
        let lock =
            File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
        if lock.try_lock().is_err() {
            let waiting = progress.step(format!("waiting for another process to build {name}"));
            lock.lock().context("cannot wait for the lock of the cache")?;
            waiting.done();
        }
        if !place.is_dir() {
            let aside = self.root.join(format!("{name}-{key}.making"));
            // What a build that was killed has left behind.
            if aside.exists() {
                fs::remove_dir_all(&aside)?;
            }
            fs::create_dir(&aside)?;
            make(&aside)?;
            fs::rename(&aside, &place)
                .with_context(|| format!("cannot put {} into the cache", place.display()))?;
        }
        Ok(place)
    }
}

/// Parts are separated by their length, so that no two lists of inputs run together.
fn key(inputs: &[&str]) -> String {
    let mut hash = Sha256::new();
    for input in inputs {
        hash.update(input.len().to_le_bytes());
        hash.update(input);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn root() -> Result<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    if let Some(cache) = env::var_os("COALMINE_CACHE").filter(|value| !value.is_empty()) {
        return std::path::absolute(cache).context("COALMINE_CACHE is no usable path");
    }
    if let Some(cache) = folder("XDG_CACHE_HOME") {
        return Ok(cache.join("coalmine"));
    }
    // HOME may be missing or point nowhere (services, containers): then ask the user database.
    let recorded = || Some(User::from_uid(getuid()).ok()??.dir);
    let home = folder("HOME").filter(|home| home.is_dir()).or_else(recorded);
    match home.filter(|home| home.is_dir()) {
        Some(home) => Ok(home.join(".cache/coalmine")),
        None => bail!("no home folder to keep builds in; set COALMINE_CACHE to a folder"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_is_in_the_cache_is_not_made_again() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path().to_owned()).unwrap();
        let made = AtomicU32::new(0);
        let get = |inputs: &[&str]| {
            cache.get("thing", inputs, &Progress::quiet(), |folder| {
                made.fetch_add(1, Ordering::Relaxed);
                Ok(fs::write(folder.join("file"), "content")?)
            })
        };
        let place = get(&["a", "b"]).unwrap();
        assert_eq!(get(&["a", "b"]).unwrap(), place);
        assert_eq!(fs::read_to_string(place.join("file")).unwrap(), "content");
        assert_ne!(get(&["ab"]).unwrap(), place);
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_build_that_fails_leaves_nothing_that_looks_finished() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path().to_owned()).unwrap();
        let get = |fail: bool| {
            cache.get("thing", &[], &Progress::quiet(), |folder| {
                fs::write(folder.join("half"), "")?;
                if fail { bail!("out of disk") } else { Ok(()) }
            })
        };
        assert_eq!(get(true).unwrap_err().to_string(), "out of disk");
        assert!(get(false).is_ok());
    }

    #[test]
    fn two_that_need_the_same_build_make_it_once() {
        let root = tempfile::tempdir().unwrap();
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let cache = Cache::at(root.path().to_owned()).unwrap();
                    let make = |_: &Path| {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    };
                    cache.get("thing", &["x"], &Progress::quiet(), make).unwrap();
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
