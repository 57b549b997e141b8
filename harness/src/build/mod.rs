//! The programs a local bed runs that are not ours: built or fetched once, then kept in a cache
//! that is addressed by the content of what they are made from.

mod cache;
mod control_plane;
mod envoy;
mod tool;

use std::path::PathBuf;

use anyhow::Result;

use crate::progress::Progress;

/// The executables of a local bed.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// Folder with `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler` and
    /// `kubectl`.
    control_plane: PathBuf,
    /// The Envoy binary.
    pub envoy: PathBuf,
}

impl Artifacts {
    /// The executable of one part of the control plane.
    pub fn control_plane(&self, name: &str) -> PathBuf {
        self.control_plane.join(name)
    }
}

/// The versions that [`artifacts`] gives.
pub const VERSIONS: [(&str, &str); 3] = [
    ("kubernetes", control_plane::KUBERNETES),
    ("etcd", control_plane::ETCD),
    ("envoy", envoy::VERSION),
];

/// Finds everything in the cache, or makes it: about 4 minutes on 2 cores for the control plane,
/// seconds for Envoy. Says nothing when everything is there. Processes that need the same thing at
/// the same time make it once.
///
/// The cache is `COALMINE_CACHE`, else `XDG_CACHE_HOME/coalmine`, else `~/.cache/coalmine`. Blocks
/// the calling thread.
///
/// # Errors
/// A tool is missing or too old, a download or a build fails; the message says what to install.
pub fn artifacts(progress: &Progress) -> Result<Artifacts> {
    let cache = cache::Cache::open()?;
    Ok(Artifacts {
        envoy: envoy::get(&cache, progress)?.join("envoy"),
        control_plane: control_plane::get(&cache, progress)?,
    })
}
