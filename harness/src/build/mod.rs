//! What beds run that is not ours: built or fetched once, then kept in a cache that is addressed by
//! the content of what it is made from.

mod axe;
mod browser;
mod cache;
mod control_plane;
mod engine;
mod envoy;
pub(crate) mod gateway;
mod go;
pub(crate) mod node_image;
mod packages;
mod python;
mod tool;

use std::path::PathBuf;

use anyhow::Result;

pub use browser::Browser;

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
        control_plane: control_plane::get(&control_plane::CONTROL_PLANE, &cache, progress)?,
    })
}

/// Finds a controller of a gateway in the cache, or builds it: some 6 minutes of processor time. Blocks the
/// calling thread.
///
/// # Errors
/// As [`artifacts`].
pub(crate) fn controller(
    controller: &gateway::Controller,
    progress: &Progress,
) -> Result<gateway::Built> {
    gateway::get(controller, &cache::Cache::open()?, progress)
}

/// Finds a browser that needs no screen on this machine or in the cache, or fetches it, in seconds.
///
/// # Errors
/// There is none, and Debian packages cannot be had.
pub fn browser(progress: &Progress) -> Result<Browser> {
    browser::get(&cache::Cache::open()?, progress)
}

/// Finds the script axe-core in the cache, or fetches it.
///
/// # Errors
/// Python packages cannot be had.
pub fn axe(progress: &Progress) -> Result<PathBuf> {
    axe::get(&cache::Cache::open()?, progress)
}

/// What a bed of real containers needs, where there is no registry.
#[derive(Clone, Debug)]
pub struct NodeImage {
    /// An archive for `docker load` with the image of the node.
    pub archive: PathBuf,
    /// The layer that the images of its pods begin with.
    pub pods: PathBuf,
    /// Folder with a Docker engine's programs, below `usr`.
    pub engine: PathBuf,
    /// A kubectl of the node's version.
    pub kubectl: PathBuf,
}

/// Finds a Docker engine's programs in the cache, or fetches them, in seconds: the part of
/// [`node_image`] that another machine may not be able to do.
///
/// # Errors
/// Debian packages cannot be had.
pub fn engine(progress: &Progress) -> Result<PathBuf> {
    engine::get(&cache::Cache::open()?, progress)
}

/// Finds the node image in the cache, or makes it: 2 minutes on 2 cores after [`artifacts`]. The rest
/// is as there.
///
/// # Errors
/// As [`artifacts`]; and where Debian packages cannot be had.
pub fn node_image(progress: &Progress) -> Result<NodeImage> {
    let cache = cache::Cache::open()?;
    // First what fails soonest.
    let engine = engine::get(&cache, progress)?;
    let envoy = envoy::get(&cache, progress)?;
    let control_plane = control_plane::get(&control_plane::CONTROL_PLANE, &cache, progress)?;
    let node = control_plane::get(&control_plane::NODE, &cache, progress)?;
    let programs =
        node_image::Programs { control_plane: &control_plane, node: &node, envoy: &envoy };
    let folder = node_image::get(&programs, &cache, progress)?;
    Ok(NodeImage {
        archive: folder.join("node.tar"),
        pods: folder.join("pods.tar"),
        engine,
        kubectl: control_plane.join("kubectl"),
    })
}
