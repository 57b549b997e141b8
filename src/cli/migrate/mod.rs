//! `coalmine migrate`: from Gloo's objects to those of the Gateway API.

mod folder;
mod sources;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::NEEDS_A_PERSON;
use super::watch_namespaces::WatchNamespaces;
use crate::hint::advised;
use coalmine_core::migration::{
    Accepted, Form, Migration, Outcome, Sources, Target, markdown, migrate, text,
};
use coalmine_core::values::{GatewayRef, Profile, check_label};

/// Write objects of the Gateway API or values for Gloo's objects, and show which requests they would answer otherwise
///
/// Reads files and folders of YAML, a repository of values, what `kubectl get -o yaml` prints (`-`), or the cluster. Two
/// models, of Gloo and of the new gateway, are asked a request of every class: hosts, paths, methods, headers and
/// parameters with their boundaries. The report names each request that is answered otherwise, and what is not carried
/// over by object, field, file and line. With --out, files are written when nothing is left that is not accepted: all of
/// them, or none.
///
/// Exits with 0 when everything is carried over and answered alike, or accepted; 2 when requests are answered otherwise;
/// 4 when something is not carried over; 1 on any error.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coalmine migrate gloo/ --gateway infra/edge
  coalmine migrate gloo/ --gateway infra/edge --accept missing-pods,slashes,port --out gateway-api
  coalmine migrate --cluster --gateway infra/edge --to values --out rollouts
  kubectl get upstreams,virtualservices,routetables,services -A -o yaml |
    coalmine migrate - --gateway infra/edge -o markdown > report.md")]
pub(super) struct Migrate {
    /// Files and folders with Gloo's objects and the Services they name, or repositories of values; `-` is the standard
    /// input
    #[arg(value_name = "PATH", required_unless_present = "cluster", conflicts_with = "cluster")]
    paths: Vec<PathBuf>,
    /// Read the objects of the cluster of KUBECONFIG
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    namespaces: WatchNamespaces,
    /// By whose rules the new objects are served: kgateway, envoy-gateway, or portable for both
    #[arg(long, default_value = "kgateway", value_parser = profile)]
    profile: Profile,
    /// The Gateway that the routes attach to, as NAMESPACE/NAME or NAMESPACE/NAME/LISTENER
    #[arg(long, value_parser = gateway)]
    gateway: GatewayRef,
    /// What is written
    #[arg(long, value_enum, default_value_t = To::GatewayApi)]
    to: To,
    /// Write the files to this folder, which must not be there, or be empty
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Differences that are accepted, by the names that the report has in brackets; may be repeated
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    accept: Vec<Accepted>,
    /// The namespace of objects in files that name none
    #[arg(long, default_value = "default", value_parser = namespace)]
    namespace: String,
    /// The namespace of Gloo; a repository says it itself
    #[arg(long, default_value = "gloo-system", value_parser = namespace)]
    gloo_namespace: String,
    /// How the report is printed
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum To {
    /// Services, HTTPRoutes and ReferenceGrants.
    GatewayApi,
    /// A repository of coalmine's values, from which they are rendered.
    Values,
}

/// A form of the report.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For a terminal.
    Text,
    /// For programs, the files and objects included.
    Json,
    /// For a comment of a pull request.
    Markdown,
}

fn profile(text: &str) -> Result<Profile, String> {
    let named = Profile::ALL.into_iter().find(|profile| profile.as_str() == text);
    named.ok_or_else(|| "expected kgateway, envoy-gateway or portable".to_owned())
}

fn namespace(text: &str) -> Result<String, String> {
    check_label("the name of a namespace", text).map(|()| text.to_owned())
}

fn gateway(text: &str) -> Result<GatewayRef, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, name, section) = match parts[..] {
        [namespace, name] => (namespace, name, None),
        [namespace, name, section] => (namespace, name, Some(section)),
        _ => return Err("expected NAMESPACE/NAME or NAMESPACE/NAME/LISTENER".to_owned()),
    };
    if parts.iter().any(|part| part.is_empty()) {
        return Err("expected NAMESPACE/NAME or NAMESPACE/NAME/LISTENER".to_owned());
    }
    let section_name = section.map(str::to_owned);
    Ok(GatewayRef { name: name.to_owned(), namespace: Some(namespace.to_owned()), section_name })
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(out) = &self.out {
            folder::check(out)?;
        }
        let (sources, notes) = match self.cluster {
            true => super::runtime()?.block_on(sources::of_cluster(
                self.namespaces.namespaces(),
                &self.gloo_namespace,
            ))?,
            false => match sources::of_paths(&self.paths, &self.namespace, &self.gloo_namespace)? {
                Some(sources) => (sources, Vec::new()),
                None => return Ok(ExitCode::FAILURE),
            },
        };
        self.check(&sources)?;
        if self.to == To::Values && self.paths.iter().any(|path| sources::is_repository(path)) {
            return Err(advised(
                "these are values already, and move without this command",
                "write `gateway: {api: both, profile: ..., gateways: [...]}` into coalmine.yaml",
            ));
        }
        let form = match self.to {
            To::GatewayApi => Form::GatewayApi,
            To::Values => Form::Values,
        };
        let target = Target { profile: self.profile, gateway: self.gateway.clone(), form };
        let mut migration = migrate(&sources, &target);
        migration.notes.extend(notes);
        migration.accept(&self.accept.iter().copied().collect::<BTreeSet<_>>());
        let outcome = migration.outcome();
        if let (Some(out), Outcome::Same) = (&self.out, outcome) {
            folder::write(out, &migration)?;
        }
        self.report(&migration)?;
        self.tell(&migration, outcome);
        Ok(match outcome {
            Outcome::Same => ExitCode::SUCCESS,
            Outcome::Differs => ExitCode::from(2),
            Outcome::Lacking => ExitCode::from(NEEDS_A_PERSON),
        })
    }

    /// Without a VirtualService Gloo serves nothing, and there is nothing to carry over.
    fn check(&self, sources: &Sources) -> anyhow::Result<()> {
        if sources.has_routes() {
            return Ok(());
        }
        let places: Vec<String> = self.paths.iter().map(|it| it.display().to_string()).collect();
        let place = if self.cluster { "the cluster".to_owned() } else { places.join(", ") };
        Err(advised(
            format_args!(
                "there is no VirtualService in {place}, so that Gloo serves nothing of it"
            ),
            "read what the cluster has: `coalmine migrate --cluster --gateway NAMESPACE/NAME`",
        ))
    }

    fn report(&self, migration: &Migration) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        match self.output {
            Output::Text => write!(out, "{}", text(migration)),
            Output::Json => {
                let json =
                    serde_json::to_string_pretty(migration).context("the report is no JSON")?;
                writeln!(out, "{json}")
            }
            Output::Markdown => write!(out, "{}", markdown(migration)),
        }
        .context("cannot print the report")
    }

    /// Says what was written, or why nothing was.
    fn tell(&self, migration: &Migration, outcome: Outcome) {
        let Some(out) = &self.out else { return };
        let out = out.display();
        if outcome == Outcome::Same {
            anstream::eprintln!("{} files are in {out}", migration.files.len() + 1);
            return;
        }
        anstream::eprintln!("nothing is written to {out}: the report lists what is not accepted");
        let words = migration.to_accept().join(",");
        anstream::eprintln!("hint: change the objects, or accept it: `--accept {words}`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_with_its_namespace() {
        let read = gateway("infra/edge/http").unwrap();
        assert_eq!((read.name.as_str(), read.namespace.as_deref()), ("edge", Some("infra")));
        assert_eq!(read.section_name.as_deref(), Some("http"));
        assert!(gateway("edge").is_err() && gateway("infra/").is_err());
    }
}
