//! Process 1 of a bed's process namespace. When it ends, the kernel ends every process in there;
//! and it ends when the guard does.

use std::{fs, process};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::{prctl, signal::Signal},
    unistd::Pid,
};

use super::{
    guard,
    openings::{Inside, Outside},
    stage::{self, Stage},
};

/// Starts the program, reaps orphans, and ends with the program's exit code.
pub(super) fn run(guard: &str, outside: Outside) -> Result<Inside> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("cannot ask to die with the parent")?;
    // The guard may have died before the kernel knew of our wish.
    ensure!(parent()? == guard, "the process that started this bed is gone");
    let signals = guard::watch_signals()?;
    let program = stage::command(&Stage::Inside { outside })?.spawn();
    let program = program.context("cannot start this program inside its namespace")?;
    process::exit(guard::outlive(&signals, Pid::from_raw(program.id().cast_signed()))?)
}

/// Our parent as `/proc` shows it. `/proc` belongs to the namespace outside, so the number is the
/// one the guard knows itself by; getppid(2) answers 0 in here.
fn parent() -> Result<String> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Ok(parent.context("/proc/self/status names no parent")?.trim().to_owned())
}
