//! `cargo bench-all`.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;
use harness::bench;

fn main() -> ExitCode {
    measure(&bench::Options::parse()).map(|()| ExitCode::SUCCESS).unwrap_or_else(|error| {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        anstream::eprintln!("{ERROR}error:{ERROR:#} {error:#}");
        ExitCode::FAILURE
    })
}

fn measure(options: &bench::Options) -> anyhow::Result<()> {
    bench::run(options, bench::enter()?)
}
