//! `cargo node-image`: makes the node image of the bed `k3s-offline`, and with `--try` shows whether it
//! runs on this machine. Exit code 3, with the reason on standard output, where it cannot.

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use harness::{
    Bed, BedOptions, Openings, Progress,
    bed::{self, Kind},
    build,
    engine::{self, CannotRun},
    interrupt::unless_interrupted,
    namespace,
};

/// What cannot run here is no failure, and no success either.
const CANNOT: u8 = 3;

#[derive(Parser)]
#[command(name = "cargo node-image", about = "Make the node image of the bed k3s-offline")]
struct Options {
    /// Start a cluster of it, say how long that took, and end it
    #[arg(long)]
    r#try: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // The process that a person started looks first; those that it starts have been looked at.
    if !namespace::entered()
        && let Some(reason) = obstacle()
    {
        println!("{reason}");
        return ExitCode::from(CANNOT);
    }
    match if options.r#try { start() } else { make() } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<CannotRun>() => {
            println!("{error:#}");
            ExitCode::from(CANNOT)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obstacle() -> Option<String> {
    let fetched = || build::engine(&Progress::new()).err().map(|error| format!("{error:#}"));
    engine::obstacle().or_else(fetched)
}

fn make() -> Result<()> {
    let image = build::node_image(&Progress::new())?;
    println!("{}", image.archive.display());
    Ok(())
}

fn start() -> Result<()> {
    let inside = bed::enter_for(Kind::K3sOffline, &Openings::default())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let begun = Instant::now();
        let options = BedOptions::new(inside);
        let progress = Progress::new();
        let starting = Bed::start_kind(Kind::K3sOffline, options, &progress);
        let bed = unless_interrupted(starting).await?.context("interrupted")?;
        println!("pods can be made and routed to after {:.1} s", begun.elapsed().as_secs_f32());
        bed.stop().await
    })
}
