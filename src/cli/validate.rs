//! `coalmine validate`: every mistake of a folder at once, without a cluster.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::harmless::harmless;
use crate::phase::Phase;
use crate::problem::Problem;
use crate::source::{File, Tree};
use crate::values::{Outcome, Repository, ServiceName};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();

/// Check a folder's values, and show where each service's rollout stands.
#[derive(clap::Args)]
pub(super) struct Validate {
    /// The folder with coalmine.yaml, platform/ and services/.
    path: PathBuf,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let tree = Tree::from_directory(&self.path)?;
        let repository = Repository::parse(&tree);
        let found = problems(&repository);
        print_problems(&tree, found.iter().copied())?;
        let mut out = anstream::stdout().lock();
        for (name, outcome) in &repository.services {
            print_service(&mut out, name, outcome)?;
        }
        writeln!(out, "{}", summary(&repository))?;
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
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

fn print_service(out: &mut impl Write, name: &ServiceName, outcome: &Outcome) -> io::Result<()> {
    match outcome {
        Ok(service) => {
            let phase = Phase::of(service);
            writeln!(out, "{GOOD}ok{GOOD:#}     {name:20} {phase:11} {}", harmless(&service.file))?;
            for warning in service.warnings() {
                writeln!(out, "       {DOUBTFUL}warning:{DOUBTFUL:#} {warning}")?;
            }
            Ok(())
        }
        Err(problems) => {
            let count = counted(problems.len(), "problem");
            writeln!(out, "{BAD}error{BAD:#}  {name:20} {count}")
        }
    }
}

fn summary(repository: &Repository) -> String {
    let good = repository.services.values().filter(|outcome| outcome.is_ok()).count();
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
