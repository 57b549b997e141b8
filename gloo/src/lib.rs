//! What a set of Gloo objects means, as pure functions.
//!
//! [`Snapshot`] holds the objects, [`translate`] says what Gloo makes of them and what Envoy then
//! serves, [`answer`] says who answers a request, [`envoy`] writes it down for a real Envoy.
//! Nothing here reads a clock, a file, the network or a cluster.
//!
//! The rules are those of Gloo Edge 1.22 with Envoy 1.40, as recorded in `gloo/conformance`; a case
//! named in a comment stands there. What this crate does not cover is answered with a status that
//! names it.

pub mod answer;
pub mod api;
mod code;
pub mod config;
mod crds;
pub mod envoy;
mod objects;
mod pattern;
mod references;
mod snapshot;
mod translate;

pub use answer::{Answer, Outcome, Request, answer};
pub use api::crds;
pub use api::{ObjectRef, ResourceRef, State, Status};
pub use code::Code;
pub use crds::CRDS;
pub use snapshot::{Kind, NamedPort, ServiceSpec, Snapshot};
pub use translate::{
    Finding, Listener, Memory, Replacement, Severity, Translation, depends_on_other_tables,
    translate,
};
