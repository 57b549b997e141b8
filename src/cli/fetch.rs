//! `coalmine fetch`: the child in which the daemon fetches. Hidden; it takes its request on stdin.

use std::process::ExitCode;

/// No arguments: whatever the fetch needs comes through stdin.
#[derive(clap::Args)]
pub(super) struct Fetch;

impl Fetch {
    pub(super) fn run(self) -> ExitCode {
        crate::source::serve_fetch()
    }
}
