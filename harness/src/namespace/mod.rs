//! A place of its own for a bed: a network namespace whose addresses nobody else uses, and a
//! process namespace that the kernel empties when the program ends, in whatever way.
//!
//! [`enter`] turns one program into three processes:
//! - the *guard*, the process somebody started. It binds the outside ports, makes the namespaces
//!   and relays connections and signals.
//! - the *init*, process 1 of the new process namespace. The kernel kills it when the guard dies,
//!   and with it everything in the namespace.
//! - the program itself, started again by the init. Only there does [`enter`] return.
//!
//! A thread that has made a process namespace for its children can start no threads any more, so
//! the program cannot simply go on in the guard.

mod guard;
mod init;
mod network;
mod stage;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process,
};

use anyhow::Result;

use crate::{bed::Kind, build, engine::Place, progress::Progress};
use stage::Stage;

/// The API server's address inside the namespace.
pub const API: SocketAddr = loopback(6443);
/// Envoy's listener inside the namespace.
pub const PROXY: SocketAddr = loopback(8080);
/// Where a daemon inside the namespace serves its status.
pub const STATUS: SocketAddr = loopback(8090);

/// The node's own address, the first of [`PODS`].
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The network whose addresses are all local: one for each pod. The API server refuses loopback
/// addresses in Endpoints, so pods cannot live there.
pub const PODS: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 77, 0, 0), 16);

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Ports on loopback through which the bed is reached from outside the namespace. The default 0
/// takes any free port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Openings {
    /// For the API server.
    pub api: u16,
    /// For Envoy.
    pub proxy: u16,
    /// For the daemon's status page.
    pub status: u16,
}

/// What the program knows about the place it runs in.
#[derive(Clone, Copy, Debug)]
pub struct Inside {
    outside: Option<Outside>,
}

/// The addresses that the guard listens on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    pub(crate) api: SocketAddr,
    pub(crate) proxy: SocketAddr,
    pub(crate) status: SocketAddr,
}

impl Inside {
    /// Where people outside reach the API server; `None` without a namespace.
    pub fn outside_api(&self) -> Option<SocketAddr> {
        Some(self.outside?.api)
    }

    /// Where people outside reach Envoy; `None` without a namespace.
    pub fn outside_proxy(&self) -> Option<SocketAddr> {
        Some(self.outside?.proxy)
    }

    /// Where people outside reach what listens on [`STATUS`].
    pub fn outside_status(&self) -> SocketAddr {
        self.outside.map_or(STATUS, |outside| outside.status)
    }
}

/// Whether this process was started by [`enter`] in another one: then what a program does before it
/// enters has been done.
pub fn entered() -> bool {
    stage::current().is_some()
}

/// Builds and fetches what the bed of `COALMINE_BED` needs (there is no network inside), makes its
/// namespaces and returns inside of them. The process that was started stays behind as the guard and
/// ends with the same exit code. A bed that runs elsewhere, `k3s` or `existing`, needs none of this: it
/// returns at once.
///
/// Call it first thing in `main`, before any thread is started.
///
/// # Errors
/// A requested port is taken, or the kernel refuses the namespaces; the message says what to do.
pub fn enter(openings: &Openings) -> Result<Inside> {
    enter_for(Kind::from_environment()?, openings)
}

/// The same for a bed of this kind.
///
/// # Errors
/// As [`enter`].
pub fn enter_for(kind: Kind, openings: &Openings) -> Result<Inside> {
    if !kind.is_enclosed() && !entered() {
        return Ok(Inside { outside: None });
    }
    let build = |progress: &Progress| match kind {
        Kind::K3sOffline => build::node_image(progress).map(drop),
        _ => build::artifacts(progress).map(drop),
    };
    enter_after(build, openings, kind == Kind::K3sOffline)
}

/// The same for a program that needs no bed, but a network without anybody else and an end that leaves
/// nothing behind. `build` makes or fetches what it needs, while there still is a network.
///
/// # Errors
/// As [`enter`], and those of `build`.
pub fn enter_without_bed(build: impl FnOnce(&Progress) -> Result<()>) -> Result<()> {
    enter_after(build, &Openings::default(), false).map(drop)
}

fn enter_after(
    build: impl FnOnce(&Progress) -> Result<()>,
    openings: &Openings,
    with_engine: bool,
) -> Result<Inside> {
    match stage::current() {
        Some(Stage::Inside { outside }) => {
            guard::unblock_signals()?;
            Ok(Inside { outside: Some(outside) })
        }
        Some(Stage::Build) => {
            build(&Progress::new())?;
            process::exit(0)
        }
        Some(Stage::Init { guard, outside }) => init::run(&guard, outside),
        None => guard::run(openings, with_engine),
    }
}
