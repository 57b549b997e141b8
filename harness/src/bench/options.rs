//! The command line of the measurements.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Measure coalmine on a real API server
///
/// Starts the local bed once per number of services, runs `coalmine run` on a repository with that
/// many, and measures from outside: by watching objects, by counting requests in a proxy before the
/// API server, and by the kernel's books on the process.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo bench-all", bin_name = "cargo bench-all", version)]
pub struct Options {
    /// Numbers of services
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 1000])]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=9999))]
    pub services: Vec<u16>,
    /// What to measure; the cold sync always comes first
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Part::Idle, Part::Push, Part::Drift])]
    pub measure: Vec<Part>,
    /// Also send the requests of a cold sync without a tool: each object is tried and then written, and
    /// nothing is decided or waited for
    #[arg(long)]
    pub bare: bool,
    /// Another tool to measure in the same way, after coalmine: a command that brings the cluster to
    /// what stands in the folder `{folder}`, where `{kubeconfig}` is an administrator's; `{kubectl}`
    /// is the bed's own. May be given more than once
    #[arg(long, value_name = "COMMAND")]
    pub compare: Vec<String>,
    /// Weight changes to push
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub pushes: usize,
    /// Edits to have repaired
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub edits: usize,
    /// Seconds to watch a daemon that has nothing to do
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub idle: u64,
    /// Transitions of rollouts, at least, of `--measure=transitions`
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub transitions: u32,
    /// How often the six steps are gone forward and back in `--measure=steps`
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Requests meanwhile, at least
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub requests: u64,
    /// Requests a second meanwhile
    #[arg(long, value_name = "N", default_value_t = 2000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// What decides when pods crash and the daemon is killed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Reconciles of `--measure=soak`
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub reconciles: u64,
    /// Minutes that one part may take; what was measured by then counts
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pub limit: u64,
    /// How often the daemon looks at the repository
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub interval: String,
    /// Further arguments of `coalmine run`
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub with: Vec<String>,
    /// Where the figures go, as JSON [default: bench/NAME.json in cargo's target folder]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// What the report is called
    #[arg(long, default_value = "coalmine")]
    pub name: String,
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Nothing, after the cold sync
    Cold,
    /// Requests, processor and memory while nothing changes
    Idle,
    /// From a pushed weight change, of which a webhook tells, to the RouteTable
    Push,
    /// The same without a webhook: the daemon has to find out
    Poll,
    /// From an edit by somebody else to its repair
    Drift,
    /// Requests that fail while rollouts are always under way, pods crash and the daemon is killed
    Transitions,
    /// Requests that fail at full speed over 8 connections while a service goes through the six steps of the articles
    /// and back, again and again; fails when one has
    Steps,
    /// Memory, file descriptors, sockets, threads and tasks while 200 services are reconciled again and again; fails
    /// when one of them has grown
    Soak,
}

impl Options {
    pub(super) fn limit(&self) -> Duration {
        Duration::from_secs(60 * self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_measured_for_one_and_for_a_thousand_services_by_default() {
        let options = Options::try_parse_from(["bench"]).unwrap();
        assert_eq!(options.services, [1, 1000]);
        assert_eq!(options.measure, [Part::Idle, Part::Push, Part::Drift]);
        let options = Options::try_parse_from(["bench", "--measure=cold", "--services", "7,8"]);
        assert_eq!(options.unwrap().services, [7, 8]);
    }

    #[test]
    fn none_and_too_many_services_are_refused() {
        for number in ["0", "10000"] {
            assert!(Options::try_parse_from(["bench", "--services", number]).is_err());
        }
    }
}
