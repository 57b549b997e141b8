//! `coalmine diff`: what a folder would change in the cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use super::watch_namespaces::WatchNamespaces;
use crate::cluster::Cluster;
use crate::reconcile::Review;
use crate::report::Requests;
use crate::source::read_directory;
use coalmine_core::diff::{self, Line};
use coalmine_core::labels::{SERVICE, keep};
use coalmine_core::object::Manifest;
use coalmine_core::plan::{Job, gone};
use coalmine_core::reason::Hinted;
use coalmine_core::render::{DEFAULT_INSTANCE, Owner};
use coalmine_core::sanitize::sanitize;
use coalmine_core::values::{PLATFORM, Repository};

/// Show what a folder of values would change in the cluster
///
/// Every object is tried by a server-side dry run; nothing is changed. Exits with 0 when there are no
/// differences, 2 when there are some, and 1 on any error.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine diff rollouts
  coalmine diff rollouts --service echo")]
pub(super) struct Diff {
    /// The folder with coalmine.yaml, platform/ and services/
    path: PathBuf,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// The instance label of the daemon that owns the objects
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
    #[command(flatten)]
    namespaces: WatchNamespaces,
}

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        super::runtime()?.block_on(self.show())
    }

    async fn show(self) -> anyhow::Result<ExitCode> {
        let tree = read_directory(&self.path)?;
        let repository = Repository::parse(&tree);
        let cluster = Cluster::connect(&Requests::default()).await?;
        let cluster = cluster.within(self.namespaces.namespaces());
        let mut errors = 0;
        let mut differences = 0;
        let mut coming = BTreeSet::new();
        let mut jobs = self.jobs(&repository, &tree.revision, &mut errors);
        if self.service.is_none() && repository.problems.is_empty() {
            let inventory = cluster.inventory(&self.instance, None).await?;
            let owners = inventory.iter().map(|(id, object)| (id, owner(object), keep(object)));
            let gone = gone(owners, |name| repository.keeps(name));
            jobs.extend(gone.iter().map(|name| Job::removal(name)));
        }
        for job in jobs {
            match Review::of(&job, &cluster, &self.instance, &mut coming).await {
                // The platform is looked at for its namespaces, whichever service was asked for.
                Ok(_) if self.service.is_some() && job.service == PLATFORM => {}
                Ok(review) => differences += print(&job, &review),
                Err(error) => {
                    errors += 1;
                    anstream::eprintln!("{}: {}", job.service, error.line());
                }
            }
        }
        Ok(match (errors, differences) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        })
    }

    /// The platform and every valid service, or the one that was asked for. Problems are printed.
    fn jobs(&self, repository: &Repository, revision: &str, errors: &mut usize) -> Vec<Job> {
        let owner = Owner { instance: self.instance.clone(), revision: revision.to_owned() };
        let wanted = |name: &str| self.service.as_deref().is_none_or(|service| service == name);
        let mut jobs = Vec::new();
        let mut problems: Vec<_> = repository.problems.iter().collect();
        if self.service.is_none() {
            problems.extend(&repository.platform.problems);
        }
        if repository.platform.problems.is_empty() {
            jobs.push(Job::for_platform(&repository.platform, &owner));
        }
        let mut found = self.service.is_none();
        for (name, service) in &repository.services {
            if !wanted(name.as_str()) {
                continue;
            }
            found = true;
            match service {
                Ok(service) => jobs.push(Job::for_service(service, &owner)),
                Err(of_service) => problems.extend(of_service),
            }
        }
        for problem in &problems {
            anstream::eprintln!("{problem}");
        }
        if !found {
            let service = self.service.as_deref().unwrap_or_default();
            anstream::eprintln!("there is no service {service} in {}", self.path.display());
        }
        *errors += problems.len() + usize::from(!found);
        if repository.problems.is_empty() { jobs } else { Vec::new() }
    }
}

fn owner(object: &Value) -> &str {
    object["metadata"]["labels"][SERVICE].as_str().unwrap_or_default()
}

/// Prints the differences of one service and counts the objects that have some.
fn print(job: &Job, review: &Review) -> usize {
    let desired = job.desired.manifests().map(Manifest::id);
    let desired = desired.filter(|id| review.changed.contains(id));
    let desired = desired.map(|id| (id, review.stored.get(id)));
    let to_prune = review.to_prune.iter().map(|id| (id, None));
    let mut count = 0;
    for (id, stored) in desired.chain(to_prune) {
        let live = review.live.get(id);
        let [live, stored] = diff::texts(live, stored);
        let lines = diff::unified(&id.to_string(), ("live", &live), ("desired", &stored));
        count += 1;
        for line in lines {
            print_line(&line);
        }
    }
    count
}

pub(super) fn print_line(line: &Line) {
    const HEADING: Style = AnsiColor::Cyan.on_default();
    const ADDED: Style = AnsiColor::Green.on_default();
    const REMOVED: Style = AnsiColor::Red.on_default();
    let style = match line {
        Line::Heading(_) => HEADING,
        Line::Added(_) => ADDED,
        Line::Removed(_) => REMOVED,
        Line::Same(_) => Style::new(),
    };
    anstream::println!("{style}{}{style:#}", sanitize(&line.to_string()));
}
