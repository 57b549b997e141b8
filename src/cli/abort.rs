//! `coalmine abort`: take the canary's requests away.

use std::process::ExitCode;

use super::act::{Act, Request};
use coalmine_core::edit::Verb;

/// Take the canary's share of the requests away, by a commit
///
/// Its header route and its pods stay, so that it can be looked at; --full takes the header route too. Where the service
/// has an autopilot the canary is held, with the message as the reason, until somebody promotes or starts it again.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine abort echo -m 'v2 answers 500'   back to the primary
  coalmine abort echo --full                and no header route either")]
pub(super) struct Abort {
    #[command(flatten)]
    act: Act,
    /// Leave no canary at all
    #[arg(long)]
    full: bool,
}

impl Abort {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let reason = self.act.message.clone();
        self.act.run(&Request::Verb(Verb::Abort { full: self.full, reason }))
    }
}
