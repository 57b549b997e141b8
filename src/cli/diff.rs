//! `coalmine diff`: what a folder would change in the cluster.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cluster::Cluster;
use crate::diff::{self, Line};
use crate::harmless::harmless;
use crate::inventory::{Manifest, ObjectId, SERVICE, is_kept};
use crate::reconcile::{Job, Review, gone};
use crate::render::{DEFAULT_INSTANCE, Owner};
use crate::report::Requests;
use crate::source::Tree;
use crate::values::{PLATFORM, Repository};

/// Show what a folder of values would change in the cluster
///
/// Every object is tried by a server-side dry run; nothing is changed. Exits with 0 when there are no
/// differences, 2 when there are some, and 1 on any error.
#[derive(clap::Args)]
pub(super) struct Diff {
    /// The folder with coalmine.yaml, platform/ and services/
    path: PathBuf,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// The instance label of the daemon that owns the objects
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
}

impl Diff {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(self.show())
    }

    async fn show(self) -> anyhow::Result<ExitCode> {
        let tree = Tree::from_directory(&self.path)?;
        let repository = Repository::parse(&tree);
        let cluster = Cluster::connect(&Requests::default()).await?;
        let mut errors = 0;
        let mut differences = 0;
        let mut coming = BTreeSet::new();
        let mut jobs = self.jobs(&repository, &tree.revision, &mut errors);
        if self.service.is_none() && repository.problems.is_empty() {
            let inventory = cluster.inventory(&self.instance, None).await?;
            let owners = inventory.values().map(|object| (owner(object), is_kept(object)));
            let gone = gone(owners, |name| repository.keeps(name));
            jobs.extend(gone.iter().map(|name| Job::farewell(name)));
        }
        for job in jobs {
            match Review::of(&job, &cluster, &self.instance, &mut coming).await {
                // The platform is looked at for its namespaces, whichever service was asked for.
                Ok(_) if self.service.is_some() && job.service == PLATFORM => {}
                Ok(review) => differences += print(&job, &review),
                Err(error) => {
                    errors += 1;
                    anstream::eprintln!("{}: {error}", job.service);
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
    let surplus = review.surplus.iter().map(|id| (id, None));
    let mut count = 0;
    for (id, stored) in desired.chain(surplus) {
        let live = review.live.get(id);
        let lines = diff::unified(&id.to_string(), &text(id, live), &text(id, stored));
        count += 1;
        for line in lines {
            print_line(&line);
        }
    }
    count
}

fn print_line(line: &Line) {
    const HEADING: Style = AnsiColor::Cyan.on_default();
    const ADDED: Style = AnsiColor::Green.on_default();
    const REMOVED: Style = AnsiColor::Red.on_default();
    match line {
        Line::Heading(text) => anstream::println!("{HEADING}{}{HEADING:#}", harmless(text)),
        Line::Added(text) => anstream::println!("{ADDED}+{}{ADDED:#}", harmless(text)),
        Line::Removed(text) => anstream::println!("{REMOVED}-{}{REMOVED:#}", harmless(text)),
        Line::Same(text) => anstream::println!(" {}", harmless(text)),
    }
}

/// The object as YAML, empty when there is none. The values of a Secret are not shown.
fn text(id: &ObjectId, object: Option<&Value>) -> String {
    let Some(object) = object else { return String::new() };
    let mut object = diff::comparable(object);
    if id.kind == "Secret" {
        for field in ["data", "stringData"] {
            let values = object.get_mut(field).and_then(Value::as_object_mut);
            for value in values.into_iter().flat_map(|values| values.values_mut()) {
                let digest = Sha256::digest(value.to_string());
                let start: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
                *value = format!("(hidden, sha256 {start})").into();
            }
        }
    }
    serde_yaml::to_string(&object).unwrap_or_else(|_| format!("{object:#}"))
}
