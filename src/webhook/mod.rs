//! `POST /hooks/git`: the git server says that somebody pushed, so the daemon need not wait for its
//! next poll.
//!
//! A message is only a reason to look; what is fetched is decided by the configuration alone. So a
//! message that is lost costs one poll's pause, and one that is repeated costs one question to the
//! server.

mod http;
mod message;

pub use http::routes;
pub use message::{Refused, Verdict, judge};
