//! `coalmine start`: a new version beside the primary.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::act::{Act, Request};
use coalmine_core::edit::Verb;
use coalmine_core::values::Version;

/// Run a new version beside the primary and make it the canary, by a commit
///
/// It runs as the primary does. Requests reach it by the headers that are given, here or in the defaults of
/// coalmine.yaml; without any it only runs.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine start echo --version v2 --header stage=canary
  coalmine start shop --version v8 --image example.com/shop:8 --wait")]
pub(super) struct Start {
    #[command(flatten)]
    act: Act,
    /// The new version
    #[arg(long, value_name = "VERSION", value_parser = Version::new)]
    version: Version,
    /// Its image, where the primary names one
    #[arg(long)]
    image: Option<String>,
    /// Requests with this header reach it; may be repeated, then all have to be there
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { act, version, image, headers } = self;
        let headers: BTreeMap<String, String> = headers.into_iter().collect();
        act.run(&Request::Verb(Verb::Start { version, image, headers }))
    }
}

/// `name=value`, or `name: value` as HTTP and curl write it.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').or_else(|| text.split_once(':'));
    let parts = parts.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    parts.filter(|(name, _)| !name.is_empty()).ok_or_else(|| "expected NAME=VALUE".to_owned())
}
