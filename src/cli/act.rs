//! What all verbs have in common: they edit one service's file, show what that means, commit and push.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::connection::Connection;
use super::diff::print_line;
use super::wait::{Follow, TargetCommit, seconds};
use crate::checkout::{Checkout, Descent, FileChange, FileEdit, NewCommit, Publish, Remote};
use crate::hint::{Advise, advised};
use coalmine_core::diff::{self, Line};
use coalmine_core::edit::{Edited, Verb, edit, valid};
use coalmine_core::hidden::holds_a_secret;
use coalmine_core::proposal::{Proposal, text};
use coalmine_core::reason::Hinted;
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::Tree;
use coalmine_core::values::{PLATFORM, Repository, Service, service_file};

/// How a verb's edit becomes a commit, and where that goes.
#[derive(clap::Args)]
pub(super) struct Act {
    /// The service: its file's name without the ending
    pub(super) service: String,
    /// The checkout to work in
    #[arg(short = 'C', long = "directory", value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// The folder in the repository with coalmine.yaml, platform/ and services/ [default: the nearest one
    /// above the working directory]
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
    /// Why, for the commit's message
    #[arg(short, long, value_name = "TEXT")]
    pub(super) message: Option<String>,
    /// Commit onto the branch that is checked out, and push nothing
    #[arg(long)]
    no_push: bool,
    /// Push the commit as a new branch, for a pull request
    #[arg(long, value_name = "NAME", conflicts_with = "no_push")]
    branch: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Follow the commit until it is applied
    #[arg(long, conflicts_with_all = ["no_push", "branch", "dry_run"])]
    wait: bool,
    /// How long to follow it
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = super::duration)]
    timeout: std::time::Duration,
    #[command(flatten)]
    connection: Connection,
}

/// What is asked for.
pub(super) enum Request {
    /// One of the verbs that say what the values should be.
    Verb(Verb),
    /// The file as it was before its last change, or the folder platform/.
    Undo,
}

impl Act {
    pub(super) fn run(self, request: &Request) -> anyhow::Result<ExitCode> {
        let checkout = Checkout::discover(&self.directory, self.path.as_deref())?;
        let publish = self.target(&checkout)?;
        let base = checkout.base(&publish)?;
        let first = self.prepare(&checkout, request, &base)?;
        first.show()?;
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        if self.wait {
            let status = async { self.connection.client()?.status().await };
            let status = super::runtime()?.block_on(status);
            drop(status.context("nothing was pushed, since --wait has nobody to ask")?);
        }
        let made = checkout.publish(&publish, base.clone(), |now| {
            if now == base {
                return Ok(first.edit.clone());
            }
            let prepared = self.prepare(&checkout, request, now)?;
            if !prepared.begins_like(&first) {
                let newest = checkout.revision(now)?;
                return Err(advised(
                    format_args!("somebody changed {} meanwhile", self.service),
                    format_args!(
                        "the branch is now at {} ({}, by {}). Look at it and say it again",
                        newest.short(),
                        sanitize(&newest.subject),
                        sanitize(&newest.author)
                    ),
                ));
            }
            Ok(prepared.edit)
        })?;
        tell(&made);
        if !self.wait {
            return Ok(ExitCode::SUCCESS);
        }
        self.follow(&TargetCommit::Known(Descent::new(checkout, made.id)))
    }

    fn target(&self, checkout: &Checkout) -> anyhow::Result<Publish> {
        if self.no_push {
            return Ok(Publish::Local);
        }
        let from: Remote = checkout.upstream()?;
        Ok(match &self.branch {
            Some(name) => Publish::Branch { from, name: name.clone() },
            None => Publish::Push(from),
        })
    }

    /// The edit on top of a commit, with what it means.
    fn prepare(
        &self,
        checkout: &Checkout,
        request: &Request,
        base: &str,
    ) -> anyhow::Result<Prepared> {
        let tree = checkout.tree(base)?;
        let (subject, files) = match request {
            Request::Verb(verb) => of_one_file(edit(&tree, &self.service, verb)?),
            Request::Undo if self.service == PLATFORM => undo_platform(checkout, base)?,
            Request::Undo => of_one_file(undo(checkout, &tree, base, &self.service)?),
        };
        let mut after = tree.clone();
        after.revision = "local".into();
        for FileChange { file, after: content, .. } in &files {
            match content {
                Some(content) => after.files.insert(file.clone(), content.as_str().into()),
                None => after.files.remove(file),
            };
        }
        let proposal = Proposal::of(&tree, &after);
        let objections = proposal.objections(&self.service);
        if !objections.is_empty() {
            let wrong: Vec<String> = objections.iter().map(ToString::to_string).collect();
            let wrong = format!("{} would not be accepted: {}", self.service, wrong.join("; "));
            let hints: Vec<String> = objections.iter().filter_map(Hinted::hint).collect();
            return Err(match hints.is_empty() {
                true => anyhow::Error::msg(wrong),
                false => advised(wrong, hints.join("; ")),
            });
        }
        let transition = proposal.services.iter().find(|it| it.service == self.service);
        let transition = transition.map(|it| match (&it.before, &it.after) {
            (Some(before), Some(after)) => format!("{before} to {after}, {}.", it.verdict.name()),
            _ => it.verdict.name().to_owned(),
        });
        let reason = self.message.iter().cloned();
        let paragraphs: Vec<String> =
            [subject].into_iter().chain(reason).chain(transition).collect();
        Ok(Prepared {
            before: service(&tree, &self.service),
            edit: FileEdit { files, message: paragraphs.join("\n\n") },
            proposal,
        })
    }

    fn follow(self, wanted: &TargetCommit) -> anyhow::Result<ExitCode> {
        let follow = Follow {
            service: &self.service,
            timeout: self.timeout,
            phase: None,
            wanted: Some(wanted),
            no_requests_by: None,
        };
        anstream::println!("waiting for up to {} ...", seconds(self.timeout));
        super::runtime()?.block_on(follow.until_reached(&self.connection.client()?))
    }
}

/// An edit, and what it means.
struct Prepared {
    /// The service before: an edit is made anew only where this is the same.
    before: Option<Service>,
    edit: FileEdit,
    proposal: Proposal,
}

impl Prepared {
    /// Whether the other one begins with the same values, or where there are none with the same files.
    fn begins_like(&self, other: &Self) -> bool {
        self.before == other.before
            && (self.before.is_some() || self.edit.files == other.edit.files)
    }

    fn show(&self) -> anyhow::Result<()> {
        for FileChange { file, before, after } in &self.edit.files {
            let (before, after) =
                (before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
            if [before, after].into_iter().any(holds_a_secret) {
                let what = "it holds a Secret, so what changes in it is not shown";
                print_line(&Line::Heading(format!("--- {file}: {what}; `git show` does")));
                continue;
            }
            for line in diff::unified(file, ("a", before), ("b", after)) {
                print_line(&line);
            }
        }
        anstream::print!("{}", text(&self.proposal, false));
        Ok(())
    }
}

fn service(tree: &Tree, name: &str) -> Option<Service> {
    valid(&Repository::parse(tree), name).ok().map(|service| Service::clone(&service))
}

/// The file before its last change, which then is undone; so whoever says it twice has it back.
fn undo(checkout: &Checkout, tree: &Tree, base: &str, name: &str) -> anyhow::Result<Edited> {
    let file = service_file(tree, name).advise(|| {
        let known = Repository::parse(tree);
        let known: Vec<_> = known.services.keys().map(ToString::to_string).collect();
        let wrong = format!("there is no one file of a service {name:?}");
        (wrong, format!("there are: {}", known.join(", ")))
    })?;
    let file = file.to_owned();
    let (change, after) = checkout.previous(base, &file)?;
    let before = tree.files.get(&file).map(|file| file.content().to_vec()).unwrap_or_default();
    let subject = format!("{name}: undo \"{}\" ({})", change.subject, change.short());
    Ok(Edited { file, before: String::from_utf8_lossy(&before).into_owned(), after, subject })
}

/// The folder platform/ before its last change, which then is undone.
fn undo_platform(checkout: &Checkout, base: &str) -> anyhow::Result<(String, Vec<FileChange>)> {
    let (change, files) = checkout.previous_of(base, PLATFORM)?;
    Ok((format!("{PLATFORM}: undo \"{}\" ({})", change.subject, change.short()), files))
}

/// The subject of the commit, and the file.
fn of_one_file(edited: Edited) -> (String, Vec<FileChange>) {
    let Edited { file, before, after, subject } = edited;
    (subject, vec![FileChange { file, before: Some(before), after: Some(after) }])
}

fn tell(made: &NewCommit) {
    let NewCommit { id, place, note } = made;
    anstream::println!("commit {id} is on {}", sanitize(place));
    if let Some(note) = note {
        anstream::println!("note: {}", sanitize(note));
    }
}
