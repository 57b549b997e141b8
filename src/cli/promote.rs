//! `coalmine promote`: give the canary more of the requests.

use std::process::ExitCode;

use super::act::{Act, Request};
use coalmine_core::edit::{Goal, Verb};
use coalmine_core::values::Weight;

/// Give the canary a bigger share of the requests, by a commit
///
/// Without --weight it is the next step of the service's autopilot, or of 10, 25, 50 and 100 percent where it has none, no
/// more than policy.maxStep allows at once. A canary that is held is held no more.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine promote echo                     the next step
  coalmine promote echo --weight 25 --wait  a quarter, and wait until it has it
  coalmine promote echo --branch echo-25    as a branch for a pull request")]
pub(super) struct Promote {
    #[command(flatten)]
    act: Act,
    /// The share, in percent
    #[arg(long, value_name = "PERCENT", value_parser = weight)]
    weight: Option<Weight>,
    /// The next step; so it is without --weight too
    #[arg(long, conflicts_with = "weight")]
    next: bool,
}

impl Promote {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let goal = self.weight.map_or(Goal::Next, Goal::Weight);
        self.act.run(&Request::Verb(Verb::Promote(goal)))
    }
}

fn weight(text: &str) -> Result<Weight, String> {
    let percent = text.trim_end_matches('%').parse().ok().and_then(Weight::new);
    percent.ok_or_else(|| "expected a whole number from 0 to 100".to_owned())
}
