//! `coalmine render`: the objects that a folder's services become, as YAML.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::validate::print_problems;
use crate::hint::advised;
use crate::source::read_directory;
use coalmine_core::render::{DEFAULT_INSTANCE, Owner, render};
use coalmine_core::traffic::Traffic;
use coalmine_core::values::{Outcome, Repository, ServiceName};

/// Print the objects of a folder's services as YAML, in a stable order
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine render rollouts
  coalmine render rollouts --service echo | kubectl diff -f -")]
pub(super) struct Render {
    /// The folder with coalmine.yaml, platform/ and services/
    path: PathBuf,
    /// Only this service; may be given more than once
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,
    /// The instance whose label the objects carry
    #[arg(long, default_value = DEFAULT_INSTANCE, value_parser = super::label_value)]
    instance: String,
}

impl Render {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let tree = read_directory(&self.path)?;
        let repository = Repository::parse(&tree);
        let selected = self.select(&repository)?;
        let owner = Owner { instance: self.instance, revision: tree.revision.clone() };

        let mut yaml = String::new();
        for service in selected.iter().filter_map(|outcome| outcome.as_ref().ok()) {
            for manifest in render(service, &Traffic::of(service), &owner).iter() {
                if !yaml.is_empty() {
                    yaml += "---\n";
                }
                yaml += &serde_yaml::to_string(manifest.object())
                    .with_context(|| format!("{} has no YAML", manifest.id()))?;
            }
        }
        std::io::stdout().lock().write_all(yaml.as_bytes())?;

        let broken: Vec<_> = selected.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        let problems = repository.problems.iter().chain(broken.into_iter().flatten());
        print_problems(&tree, problems.clone())?;
        Ok(if problems.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn select<'a>(&self, repository: &'a Repository) -> anyhow::Result<Vec<&'a Outcome>> {
        let wanted = |name: &ServiceName| {
            self.services.is_empty() || self.services.iter().any(|wanted| wanted == name.as_str())
        };
        let known = |wanted: &str| repository.services.keys().any(|name| name.as_str() == wanted);
        if let Some(unknown) = self.services.iter().find(|wanted| !known(wanted))
            && repository.problems.is_empty()
        {
            let names: Vec<_> = repository.services.keys().map(ServiceName::as_str).collect();
            return Err(advised(
                format_args!("no service is called {unknown:?}"),
                format_args!("the folder has: {}", names.join(", ")),
            ));
        }
        let services = repository.services.iter().filter(|(name, _)| wanted(name));
        Ok(services.map(|(_, outcome)| outcome).collect())
    }
}
