//! Which service is reconciled when, and by whom.
//!
//! [`Schedule`] decides and is pure: it is told what is requested, what has changed and how passes ended,
//! and says what is due. [`Queue`] shares it between tasks, and [`run`] carries out the passes that are
//! due.

mod known_services;
mod queue;
mod schedule;
mod workers;

pub use known_services::KnownServices;
pub use queue::{Queue, Taken};
pub use schedule::{Accepted, Next, Pass, PassResult, Request, Schedule};
pub(crate) use workers::panic_message;
pub use workers::{Failure, Passes, run};
