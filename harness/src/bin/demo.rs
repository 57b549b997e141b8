//! `cargo demo`.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;
use harness::demo::{self, Options};

fn main() -> ExitCode {
    demo(&Options::parse()).unwrap_or_else(|error| {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        anstream::eprintln!("{ERROR}error:{ERROR:#} {error:#}");
        ExitCode::FAILURE
    })
}

fn demo(options: &Options) -> anyhow::Result<ExitCode> {
    demo::run(options, demo::enter(options)?)
}
