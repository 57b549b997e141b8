//! `coalmine validate`: every mistake of a folder at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use super::ask_cluster::AskCluster;
use crate::checkout::Checkout;
use crate::source::{SourceError, read_directory};
use coalmine_core::phase::Phase;
use coalmine_core::preflight::{Broken, Rule};
use coalmine_core::problem::Problem;
use coalmine_core::proposal::{self, Expected, Judgement, released};
use coalmine_core::sanitize::sanitize;
use coalmine_core::tree::{File, Tree};
use coalmine_core::values::{Outcome, PLATFORM, Repository, ServiceName};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();

/// Check a folder of values: every mistake with its line, and what Gloo would make of them
///
/// Notes say what leaves the repository and stays in the cluster. Without --cluster no cluster is asked. Exits with 0
/// when there is no mistake, 1 otherwise.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine validate            the folder one stands in
  coalmine validate rollouts
  coalmine validate --cluster  and what the cluster says about it")]
pub(super) struct Validate {
    /// The folder with coalmine.yaml, platform/ and services/
    #[arg(default_value = ".")]
    path: PathBuf,
    #[command(flatten)]
    cluster: AskCluster,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let tree = read_directory(&self.path)?;
        let bases = self.bases()?;
        let expected = Expected::after(&bases, &tree);
        let secrets = self.cluster.secrets(&expected)?;
        let expected = expected.beside(secrets);
        let repository = &expected.repository;
        let found = problems(repository);
        print_problems(&tree, found.iter().copied())?;
        let judgement = Judgement::of(&expected);
        let is_grave = |broken: &&Broken| broken.rule != Rule::Warning;
        let broken: Vec<&Broken> = judgement.platform.iter().filter(is_grave).collect();
        let mut out = anstream::stdout().lock();
        let gateways: BTreeSet<&String> = judgement.gateways.values().flatten().collect();
        for (name, outcome) in &repository.services {
            print_service(&mut out, (name, outcome), &tree, judgement.refused.get(name.as_str()))?;
            if let Some(own) = judgement.gateways.get(name.as_str())
                && gateways.len() > 1
                && !own.is_empty()
            {
                let own: Vec<&str> = own.iter().map(String::as_str).collect();
                writeln!(out, "       served by Gateway {}", sanitize(&own.join(", ")))?;
            }
            for note in judgement.notes.get(name.as_str()).into_iter().flatten() {
                writeln!(out, "       note: {}", sanitize(note))?;
            }
        }
        for note in judgement.notes.get(PLATFORM).into_iter().flatten() {
            writeln!(out, "note   platform/: {}", sanitize(note))?;
        }
        for broken in &judgement.platform {
            let (style, word) =
                if is_grave(&broken) { (BAD, "error") } else { (DOUBTFUL, "warning") };
            writeln!(out, "{style}{word}{style:#}  platform/: {}", sanitize(&broken.to_string()))?;
        }
        let notes = self.notes(&bases, &expected)?;
        for note in &notes {
            writeln!(out, "{DOUBTFUL}note{DOUBTFUL:#}   {}", sanitize(note))?;
        }
        writeln!(out, "{}", summary(repository, &judgement))?;
        let good = found.is_empty() && judgement.refused.is_empty() && broken.is_empty();
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What is no mistake and worth knowing beforehand.
    fn notes(&self, bases: &[Tree], expected: &Expected) -> anyhow::Result<BTreeSet<String>> {
        let mut notes: BTreeSet<String> = contested(expected).into_values().flatten().collect();
        for base in bases {
            notes.extend(released(&Expected::of(base), expected));
        }
        notes.extend(self.cluster.notes(expected)?);
        Ok(notes)
    }

    /// The trees that the folder adds to: who has a name, a path or a domain there keeps it.
    fn bases(&self) -> anyhow::Result<Vec<Tree>> {
        let Some(checkout) = self.checkout() else { return Ok(Vec::new()) };
        let read = |base: String| match checkout.tree(&base) {
            // The folder is new, or it has moved.
            Err(SourceError::PathMissing { .. }) => None,
            read => Some(read.map_err(Into::into)),
        };
        bases(&checkout).into_iter().filter_map(read).collect()
    }

    /// The checkout that the folder is part of, as the folder with the rollouts.
    fn checkout(&self) -> Option<Checkout> {
        let checkout = Checkout::discover(&self.path, None).ok()?;
        let is_it = checkout.folder().canonicalize().ok()? == self.path.canonicalize().ok()?;
        is_it.then_some(checkout)
    }
}

/// The commits that a checkout adds to, the nearest last: where it left the remote's main branch, what its branch
/// follows, and what is checked out.
fn bases(checkout: &Checkout) -> Vec<String> {
    let commit = |name: &str| checkout.commit_id(name).ok();
    let head = commit("HEAD");
    let branched = commit("origin/HEAD").zip(head.clone());
    let branched = branched.and_then(|(one, other)| checkout.merge_base(&one, &other).ok());
    let mut bases: Vec<String> = Vec::new();
    for base in [branched, commit("@{upstream}"), head].into_iter().flatten() {
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    bases
}

/// What the autoscalers of `platform/` do to the services.
fn contested(expected: &Expected) -> BTreeMap<String, Vec<String>> {
    let manifests = expected.job(PLATFORM).into_iter().flat_map(|job| job.desired.manifests());
    let objects = manifests.map(|manifest| (manifest.id(), manifest.object()));
    proposal::contested(expected.names().filter_map(|name| expected.job(name)), objects)
}

/// Every problem: the repository's, the platform's, then the services' by name.
fn problems(repository: &Repository) -> Vec<&Problem> {
    let services = repository.services.values().filter_map(|outcome| outcome.as_ref().err());
    let platform = &repository.platform.problems;
    repository.problems.iter().chain(platform).chain(services.flatten()).collect()
}

/// Shows problems with the lines they are about, on the standard error stream.
pub(super) fn print_problems<'a>(
    tree: &Tree,
    problems: impl Iterator<Item = &'a Problem>,
) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    for problem in problems {
        let source = tree.files.get(&*problem.at.file).map(File::content);
        writeln!(err, "{}", problem.annotated(source))?;
    }
    Ok(())
}

fn print_service(
    out: &mut impl Write,
    (name, outcome): (&ServiceName, &Outcome),
    tree: &Tree,
    refused: Option<&String>,
) -> io::Result<()> {
    match (outcome, refused) {
        (Ok(service), Some(refused)) => {
            writeln!(out, "{BAD}error{BAD:#}  {name:20} {}", sanitize(&service.file))?;
            writeln!(out, "       {}", sanitize(refused))
        }
        (Ok(service), None) => {
            let phase = Phase::of(service);
            writeln!(out, "{GOOD}ok{GOOD:#}     {name:20} {phase:11} {}", sanitize(&service.file))?;
            for warning in service.warnings() {
                let warning = warning.located(&service.file, tree);
                writeln!(out, "       {DOUBTFUL}warning:{DOUBTFUL:#} {}", sanitize(&warning))?;
            }
            Ok(())
        }
        (Err(problems), _) => {
            let count = counted(problems.len(), "problem");
            writeln!(out, "{BAD}error{BAD:#}  {name:20} {count}")
        }
    }
}

fn summary(repository: &Repository, judgement: &Judgement) -> String {
    let right = repository.services.values().filter(|outcome| outcome.is_ok()).count();
    let good = right - judgement.refused.len();
    let mut summary = format!("{} ok", counted(good, "service"));
    if good < repository.services.len() {
        summary += &format!(", {} with errors", repository.services.len() - good);
    }
    let platform = repository.platform.problems.len();
    if platform > 0 {
        summary += &format!(", {} in platform/", counted(platform, "problem"));
    }
    if !repository.problems.is_empty() {
        summary += ", and nothing would be applied: see the first error";
    }
    summary
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
