//! `coalmine publish`: the child in which the daemon commits and pushes. Hidden; it takes its request on stdin.

use std::process::ExitCode;

/// No arguments: whatever the push needs comes through stdin.
#[derive(clap::Args)]
pub(super) struct Publish;

impl Publish {
    pub(super) fn run(self) -> ExitCode {
        crate::source::serve_publish()
    }
}
