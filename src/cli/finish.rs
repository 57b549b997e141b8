//! `coalmine finish`: the canary becomes the primary.

use std::process::ExitCode;

use super::act::{Act, Request};
use coalmine_core::edit::Verb;

/// Make the canary the primary and remove the version before, by a commit
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine finish echo --wait   the old version goes when nobody needs it any more")]
pub(super) struct Finish {
    #[command(flatten)]
    act: Act,
    /// Even if the canary has not had all requests yet
    #[arg(long)]
    force: bool,
}

impl Finish {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.act.run(&Request::Verb(Verb::Finish { force: self.force }))
    }
}
