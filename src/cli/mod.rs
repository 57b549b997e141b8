//! The command line: one file per command.
//!
//! Exit codes: 0 when all is well, 1 for any error (a wrong command line too), and 2 is left to
//! `diff`, for "there are differences".

mod diff;
mod fetch;
mod render;
mod run;
mod validate;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;

use crate::harmless::harmless;
use crate::values::check_label_value;

/// Keeps Gloo canary rollouts equal to a git repository.
#[derive(Parser)]
#[command(name = "coalmine", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Diff(diff::Diff),
    Validate(validate::Validate),
    Render(render::Render),
    #[command(hide = true)]
    Fetch(fetch::Fetch),
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Command::Run(run) => run.run(),
            Command::Diff(diff) => diff.run(),
            Command::Validate(validate) => validate.run(),
            Command::Render(render) => render.run(),
            Command::Fetch(fetch) => Ok(fetch.run()),
        }
    }
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
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

fn fail(error: &anyhow::Error) -> ExitCode {
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    let error = format!("{error:#}");
    let lines: Vec<_> = error.lines().map(harmless).collect();
    anstream::eprintln!("{ERROR}error:{ERROR:#} {}", lines.join("\n"));
    ExitCode::FAILURE
}
