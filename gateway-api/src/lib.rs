//! What a set of Gateway API objects means to kgateway and to Envoy Gateway, as pure functions.
//!
//! [`Snapshot`] holds the objects, [`translate`] says what the controller of a [`Profile`] makes of them and what the
//! Envoys then serve, [`answer`] says who answers a request, [`admit`] what the API server makes of an object.
//! Nothing here reads a clock, a file, the network or a cluster. The sister of the crate `gloo`, with the same
//! interfaces where the two worlds have the same things.
//!
//! The rules are those of kgateway 2.4.0 and Envoy Gateway 1.9.1 with Envoy 1.40, as recorded in
//! `gateway-api/conformance`; a case named in a comment stands there. What this crate does not model is neither good
//! nor bad: it is there, and a [`Note`] says what was not judged.

mod admission;
pub mod answer;
pub mod api;
mod code;
pub mod config;
mod environment;
pub mod envoy;
mod objects;
mod pattern;
mod snapshot;
mod translate;

pub use admission::{Admitted, Violation, admit};
pub use answer::{Answer, Entry, Outcome, Token, Tokens, Verdict, answer, answer_with};
pub use code::Code;
pub use environment::{Channel, Environment, Profile, Validation};
pub use gloo::{ObjectRef, Request, ResourceRef};
pub use snapshot::Snapshot;
pub use translate::{
    Condition, Desired, Finding, ListenerStatus, Memory, Note, ParentStatus, Refused, Severity,
    Status, Translation, translate,
};
