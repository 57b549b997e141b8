//! Where each rollout stands, for people and for programs.

mod board;
mod http;

pub use board::{Board, ServiceReport, SourceReport, State, Summary};
pub use http::serve;
