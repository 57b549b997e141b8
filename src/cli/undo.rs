//! `coalmine undo`: a service's file as it was.

use std::process::ExitCode;

use super::act::{Act, Request};

/// Bring a service's file back to what it was before its last change, by a commit
///
/// For `platform` it is every file of the folder platform/ that its last change changed. Said twice it brings
/// the change back.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine undo echo --wait   whatever the last commit changed of echo, as it was before
  coalmine undo platform      the same for the folder platform/")]
pub(super) struct Undo {
    #[command(flatten)]
    act: Act,
}

impl Undo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.act.run(&Request::Undo)
    }
}
