//! `cargo bench-all`.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;
use harness::{Openings, bench, demo};

fn main() -> ExitCode {
    measure(&bench::Options::parse()).map(|()| ExitCode::SUCCESS).unwrap_or_else(|error| {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        anstream::eprintln!("{ERROR}error:{ERROR:#} {error:#}");
        ExitCode::FAILURE
    })
}

fn measure(options: &bench::Options) -> anyhow::Result<()> {
    // Only out here is there a network to build with.
    if !harness::namespace::entered() {
        demo::programs()?;
    }
    bench::run(options, harness::enter(&Openings::default())?)
}
