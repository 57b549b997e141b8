//! A place of its own for a bed: a network namespace whose addresses nobody else uses, and a
//! process namespace that the kernel empties when the program ends, in whatever way.
//!
//! [`crate::enter`] turns one program into three processes:
//! - the *guard*, the process somebody started. It binds the outside ports, makes the namespaces
//!   and relays connections and signals.
//! - the *init*, process 1 of the new process namespace. The kernel kills it when the guard dies,
//!   and with it everything in the namespace.
//! - the program itself, started again by the init. Only there does [`crate::enter`] return.
//!
//! A thread that has made a process namespace for its children can start no threads any more, so
//! the program cannot simply go on in the guard.

mod addresses;
mod guard;
mod init;
mod network;
mod openings;
mod stage;

use std::process;

use anyhow::Result;

pub use addresses::{API, NODE, PODS, STATUS};
pub use openings::{Inside, Openings};

use crate::{gateway_kind::Gateways, progress::Progress};
use stage::Stage;

/// Whether this process was started by [`crate::enter`] in another one: then what a program does before
/// it enters has been done.
pub fn entered() -> bool {
    stage::current().is_some()
}

/// Makes the namespaces of a program that needs no bed, but a network without anybody else and an end
/// that leaves nothing behind. `build` makes or fetches what it needs, while there still is a network.
///
/// # Errors
/// As [`crate::enter`], and those of `build`.
pub fn enter_without_bed(build: impl FnOnce(&Progress) -> Result<()>) -> Result<()> {
    enter_after(build, &Openings::default(), Gateways::default(), false).map(drop)
}

/// Runs `build` in a process of its own, makes the namespaces and returns inside of them, where the proxy is
/// reached as the first of these gateways has it; with an engine it also makes, and in the end removes, what that has outside of them.
pub(crate) fn enter_after(
    build: impl FnOnce(&Progress) -> Result<()>,
    openings: &Openings,
    gateways: Gateways,
    with_engine: bool,
) -> Result<Inside> {
    match stage::current() {
        Some(Stage::Inside { outside }) => {
            guard::unblock_signals()?;
            Ok(Inside::reached_at(outside, gateways))
        }
        Some(Stage::Build) => {
            build(&Progress::new())?;
            process::exit(0)
        }
        Some(Stage::Init { guard, outside }) => init::run(&guard, outside),
        None => guard::run(openings, gateways.first.proxy(), with_engine),
    }
}
