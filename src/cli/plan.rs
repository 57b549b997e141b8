//! `coalmine plan`: what a change of the repository would do, for whoever reviews it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::ask_cluster::AskCluster;
use crate::checkout::Checkout;
use crate::hint::advised;
use crate::source::read_directory;
use coalmine_core::proposal::{Expected, Proposal, Verdict, markdown, text};
use coalmine_core::tree::Tree;

/// Show what a change of the repository would do: transitions, requests, steps, objects
///
/// Without --cluster no cluster is asked. Exits with 0 when the change can be carried out and 1 when it cannot; with
/// --detailed-exitcode 0 means that nothing changes, and 2 that something does.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine plan                         what pushing the work tree as it is would do
  coalmine plan HEAD~1..HEAD            what the last commit did
  coalmine plan origin/main...HEAD -o markdown > comment.md
                                        what this branch would do, for a pull request")]
pub(super) struct Plan {
    /// BASE..HEAD, or BASE...HEAD for what HEAD has since it left BASE; without HEAD it is the work tree
    /// [default: the remote's branch as it was fetched last]
    #[arg(value_name = "BASE..HEAD")]
    range: Option<String>,
    /// How it is printed
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Leave the objects' differences away
    #[arg(long)]
    brief: bool,
    /// Exit with 2 when something changes
    #[arg(long)]
    detailed_exitcode: bool,
    #[command(flatten)]
    cluster: AskCluster,
    /// The checkout to work in
    #[arg(short = 'C', long = "directory", value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// The folder in the repository with coalmine.yaml, platform/ and services/ [default: the nearest one
    /// above the working directory]
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
}

/// A form of the result.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For a terminal.
    Text,
    /// For programs; docs/plan.md has the fields.
    Json,
    /// For the one comment of a pull request.
    Markdown,
}

impl Plan {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let checkout = Checkout::discover(&self.directory, self.path.as_deref())?;
        let (base, head) = self.trees(&checkout)?;
        let (before, after) = (Expected::of(&base), Expected::after([&base], &head));
        let secrets = self.cluster.secrets(&after)?;
        let (before, after) = (before.beside(secrets.clone()), after.beside(secrets));
        let mut proposal = Proposal::between(&before, &after, &base, &head);
        proposal.notes = self.cluster.notes(&after)?;
        if self.brief {
            proposal.services.iter_mut().for_each(|service| service.objects.clear());
        }
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Text => write!(out, "{}", text(&proposal, true))?,
            Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&proposal)?)?,
            Output::Markdown => write!(out, "{}", markdown(&proposal))?,
        }
        Ok(match proposal.verdict {
            Verdict::Error => ExitCode::FAILURE,
            Verdict::Unchanged => ExitCode::SUCCESS,
            _ => ExitCode::from(if self.detailed_exitcode { 2 } else { 0 }),
        })
    }

    fn trees(&self, checkout: &Checkout) -> anyhow::Result<(Tree, Tree)> {
        let commit = |name: &str| checkout.commit_id(if name.is_empty() { "HEAD" } else { name });
        let work_tree = || read_directory(&checkout.folder());
        let Some(range) = &self.range else {
            let Ok(base) = checkout.commit_id("@{upstream}") else {
                return Err(advised(
                    "the checked out branch follows none of a remote",
                    "say what to compare with, for example `coalmine plan origin/main`",
                ));
            };
            return Ok((checkout.tree(&base)?, work_tree()?));
        };
        if let Some((base, head)) = range.split_once("...") {
            let (base, head) = (commit(base)?, commit(head)?);
            let base = checkout.merge_base(&base, &head)?;
            return Ok((checkout.tree(&base)?, checkout.tree(&head)?));
        }
        match range.split_once("..") {
            Some((base, head)) => {
                Ok((checkout.tree(&commit(base)?)?, checkout.tree(&commit(head)?)?))
            }
            None => Ok((checkout.tree(&commit(range)?)?, work_tree()?)),
        }
    }
}
