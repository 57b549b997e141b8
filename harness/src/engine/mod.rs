//! A Docker engine of our own, for machines that have none: from Debian's packages, in the
//! namespaces that [`crate::enter`] made, with no way out to any network.

mod obstacle;
mod place;
#[cfg(feature = "containers")]
mod start;

pub use obstacle::{CannotRun, obstacle};

pub(crate) use place::Place;
#[cfg(feature = "containers")]
pub(crate) use start::{answering, load, start};
