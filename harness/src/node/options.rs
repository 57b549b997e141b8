//! How a node is wanted.

use std::path::PathBuf;

use super::{images::Images, restart::BackOff};

/// How the node behaves.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name in the cluster.
    pub name: String,
    /// Which program an image is.
    pub images: Images,
    /// Takes a log file per container.
    pub logs: PathBuf,
    /// How long to wait before a container is started again.
    pub back_off: BackOff,
}
