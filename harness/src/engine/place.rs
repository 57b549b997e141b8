//! Where an engine keeps its data and its control groups. Both outlive its processes, so the
//! outermost process removes them, or the next one to start an engine does.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context as _, Result};
use nix::unistd::geteuid;

/// On a disk, and short: a socket's path has at most 107 characters.
const PARENT: &str = "/var/tmp";
/// The rest of the name is the id of the process it belongs to.
const NAME: &str = "coalmine-engine-";
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// The folder of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// Makes the folder of this process's engine, after removing those of processes that are gone.
    pub(crate) fn make() -> Result<Self> {
        for place in abandoned(Path::new(PARENT)) {
            place.remove();
        }
        let path = Path::new(PARENT).join(format!("{NAME}{}", process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// What `DOCKER_HOST` has to be for whoever uses the engine.
    pub(crate) fn docker_host(&self) -> String {
        format!("unix://{}", self.0.join("docker.sock").display())
    }

    /// Removes the folder and the control groups. What cannot be removed is left to the next engine.
    pub(crate) fn remove(&self) {
        drop(fs::remove_dir_all(&self.0));
        let Some(name) = self.0.file_name() else { return };
        let roots = fs::read_dir(CONTROL_GROUPS).into_iter().flatten().flatten();
        let hierarchies = roots.map(|entry| entry.path()).chain([CONTROL_GROUPS.into()]);
        for hierarchy in hierarchies {
            remove_groups(&hierarchy.join(name));
        }
    }
}

#[cfg(feature = "containers")]
impl Place {
    /// The place that `DOCKER_HOST` names.
    pub(super) fn of(docker_host: &str) -> Option<Self> {
        let path = Path::new(docker_host.strip_prefix("unix://")?).parent()?;
        let name = path.file_name()?.to_str()?;
        name.starts_with(NAME).then(|| Self(path.to_owned()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }
}

/// Places of processes that are gone.
fn abandoned(parent: &Path) -> Vec<Place> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let left = entries.filter(|entry| {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse::<u32>().ok());
        let gone = id.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists());
        // The parent is everybody's.
        let ours = |data: fs::Metadata| data.is_dir() && data.uid() == geteuid().as_raw();
        gone && entry.metadata().is_ok_and(ours)
    });
    left.map(|entry| Place(entry.path())).collect()
}

/// Removes a control group and those in it, which is refused while a process is in one.
fn remove_groups(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    // A group's files cannot and need not be removed.
    drop(fs::remove_dir(group));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "containers")]
    #[test]
    fn a_place_is_found_again_from_the_variable_that_leads_to_it() {
        let place = Place(PathBuf::from("/var/tmp/coalmine-engine-17"));
        assert_eq!(Place::of(&place.docker_host()), Some(place));
        for other in ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", ""] {
            assert_eq!(Place::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_process_that_is_gone_has_left_is_found_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let gone = format!("{NAME}{}", u32::MAX);
        let alive = format!("{NAME}{}", process::id());
        for name in [gone.as_str(), &alive, "coalmine-engine-", "coalmine-engine-x", "other-1"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        assert_eq!(abandoned(parent.path()), [Place(parent.path().join(gone))]);
    }
}
