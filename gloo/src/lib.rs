//! What a set of Gloo objects means, as pure functions.
//!
//! [`Snapshot`] holds the objects, [`translate`] says what Gloo makes of them and what Envoy then
//! serves, [`answer`] says who answers a request, [`envoy`] writes it down for a real Envoy.
//! Nothing here reads a clock, a file, the network or a cluster.
//!
//! The rules are those of Gloo Edge 1.22 with Envoy 1.40, as recorded in `gloo/conformance`; a case
//! named in a comment stands there. What this crate does not model is neither good nor bad: it is there,
//! and a [`Note`] says what was not judged.

pub mod answer;
pub mod api;
mod code;
pub mod config;
mod crds;
mod environment;
pub mod envoy;
mod memo;
mod objects;
pub mod pattern;
mod references;
mod secret;
mod snapshot;
mod translate;

pub use answer::{Answer, Entry, Outcome, Request, answer, domain_of_host, takes_host};
pub use api::crds;
pub use api::{ObjectRef, ResourceRef, State, Status};
pub use code::Code;
pub use crds::CRDS;
pub use environment::{Edition, Environment};
pub use memo::Memo;
pub use objects::Table;
pub use secret::Secret;
pub use snapshot::{Kind, NamedPort, ServiceSpec, Snapshot};
pub use translate::{
    Chain, Desired, Finding, Listener, Memory, Note, Refused, Replacement, RouteConfiguration,
    Serves, Severity, Tls, Translation, depends_on_other_tables, translate,
};
