//! The command line: one file per command.
//!
//! Exit codes: 0 when all is well, 1 for any error (a wrong command line too), 2 where a command says that
//! there are differences, [`DEADLINE_PASSED`] and [`NEEDS_A_PERSON`].

mod abort;
mod act;
mod ask_cluster;
mod autopilot;
mod completions;
mod connection;
mod diff;
mod doctor;
mod explain;
mod fetch;
mod finish;
mod git;
mod migrate;
mod next;
mod notify;
mod pilot;
mod plan;
mod promote;
mod publish;
mod render;
mod run;
mod schema;
mod settings;
mod start;
mod status;
mod undo;
mod validate;
mod wait;
mod watch_namespaces;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser};
use jiff::SignedDuration;
use tokio::runtime::Runtime;

use crate::hint;
use coalmine_core::sanitize::sanitize;
use coalmine_core::values::check_label_value;

/// The exit code of a wait that took too long.
pub(crate) const DEADLINE_PASSED: u8 = 3;
/// The exit code when a service does not get on without a person.
pub(crate) const NEEDS_A_PERSON: u8 = 4;

/// Keeps Gloo canary rollouts equal to a git repository.
#[derive(Parser)]
#[command(
    name = "coalmine",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit codes: 0 all is well, 1 error, 2 differences (diff, migrate, plan --detailed-exitcode), 3 too late (wait), \
4 a service needs a person (status, wait), or objects do (migrate)."
)]
struct CommandLine {
    /// File with options of `run`, `doctor`, `status`, `wait` and `explain`; the environment comes first
    /// (COALMINE_REPO for --repo), the command line before both
    #[arg(long, global = true, value_name = "FILE", env = "COALMINE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Status(status::Status),
    Wait(wait::Wait),
    Explain(explain::Explain),
    Start(start::Start),
    Promote(promote::Promote),
    Abort(abort::Abort),
    Finish(finish::Finish),
    Undo(undo::Undo),
    Validate(validate::Validate),
    Plan(plan::Plan),
    Autopilot(pilot::Pilot),
    Render(render::Render),
    Diff(diff::Diff),
    Doctor(Box<doctor::Doctor>),
    Migrate(migrate::Migrate),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(completions::Man),
    #[command(hide = true)]
    Fetch(fetch::Fetch),
    #[command(hide = true)]
    Publish(publish::Publish),
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Run(run) => run.run(),
            Command::Status(status) => status.run(),
            Command::Wait(wait) => wait.run(),
            Command::Explain(explain) => explain.run(),
            Command::Start(start) => start.run(),
            Command::Promote(promote) => promote.run(),
            Command::Abort(abort) => abort.run(),
            Command::Finish(finish) => finish.run(),
            Command::Undo(undo) => undo.run(),
            Command::Validate(validate) => validate.run(),
            Command::Plan(plan) => plan.run(),
            Command::Autopilot(pilot) => pilot.run(),
            Command::Render(render) => render.run(),
            Command::Diff(diff) => diff.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Migrate(migrate) => migrate.run(),
            Command::Schema(schema) => schema.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
            Command::Fetch(fetch) => Ok(fetch.run()),
            Command::Publish(publish) => Ok(publish.run()),
        }
    }
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = match settings::with_settings(CommandLine::command(), &arguments) {
        Ok(command) => command,
        Err(error) => return fail(&error),
    };
    let matches = command.try_get_matches_from(arguments);
    let command_line = match matches.and_then(|it| CommandLine::from_arg_matches(&it)) {
        Ok(command_line) => command_line,
        Err(answer) => return print_answer(&answer),
    };
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail(&anyhow::anyhow!("another TLS provider than ring is installed already"));
    }
    command_line.command.run().unwrap_or_else(|error| fail(&error))
}

/// Clap answers a request for help with an error too, and would exit with 2 for a wrong command
/// line, which is `diff`'s word for "there are differences".
fn print_answer(answer: &clap::Error) -> ExitCode {
    let printed = answer.print();
    if answer.use_stderr() || printed.is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The instance, which becomes a label's value.
fn label_value(text: &str) -> Result<String, String> {
    check_label_value(text).map(|()| text.to_owned())
}

/// `1s`, `5m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration =
        text.parse().map_err(|_| "expected a duration such as 30s, 5m or 1h30m".to_owned())?;
    match Duration::try_from(parsed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a duration longer than zero".to_owned()),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Runtime::new().context("cannot start the runtime")
}

/// Says what is wrong on one line, and on the next what to do about it.
fn fail(error: &anyhow::Error) -> ExitCode {
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    const HINT: Style = AnsiColor::Cyan.on_default();
    let (wrong, hints) = hint::wrong_and_hints(error);
    let lines: Vec<_> = wrong.lines().map(sanitize).collect();
    anstream::eprintln!("{ERROR}error:{ERROR:#} {}", lines.join("\n"));
    for hint in hints {
        anstream::eprintln!("{HINT}hint:{HINT:#} {}", sanitize(&hint));
    }
    ExitCode::FAILURE
}
