//! How a bed is wanted.

use std::path::PathBuf;

use crate::namespace::Inside;

/// How to start a bed.
#[derive(Clone, Debug)]
pub struct BedOptions {
    /// What [`crate::enter`] gave.
    pub inside: Inside,
    /// Where the bed keeps its files. Without one it makes a folder of its own below the build
    /// folder and removes it in [`crate::Bed::stop`]; after a failure it stays, for its logs.
    pub directory: Option<PathBuf>,
    /// What a local bed is for.
    pub purpose: Purpose,
    /// Whether the API server of a local bed shares itself out among its clients (API priority and fairness),
    /// as those of real clusters do; without it nobody is ever turned away.
    pub fairness: bool,
}

/// What a local bed is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Requests go through it. The controllers of Kubernetes may ask the API server as often as they
    /// like, so that scenarios do not wait for them.
    #[default]
    Traffic,
    /// Nobody looks at more than objects: there is no Envoy, and each controller makes at most 20
    /// requests a second, as the controller manager has it when nothing else is said.
    Objects,
}

impl BedOptions {
    /// A bed for traffic, in a folder of its own.
    pub fn new(inside: Inside) -> Self {
        Self { inside, directory: None, purpose: Purpose::default(), fairness: false }
    }
}
