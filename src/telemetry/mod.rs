//! The log: what the daemon decided and why, one line per decision, and the spans that say which service
//! and object a line is about. docs/status.md says how to follow one service.

use std::io::IsTerminal;

use tracing::{Span, info_span};
use tracing_subscriber::EnvFilter;

use crate::inventory::ObjectId;

/// How log lines look.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log on standard error. `RUST_LOG` says what is logged; without it our own decisions are,
/// and the warnings of others.
///
/// # Panics
/// When it is called twice.
pub fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,coalmine=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
        }
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Around everything that is done to bring a service to a revision.
pub fn reconcile(service: &str, revision: &str) -> Span {
    info_span!("reconcile", service, revision)
}

/// Around the writing of one object.
pub fn apply(object: &ObjectId) -> Span {
    info_span!("apply", %object)
}
