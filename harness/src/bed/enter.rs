//! The way into the namespaces of a bed.

use std::thread;

use anyhow::{Result, anyhow};

use super::{gateway_api, kind::Kind};
use crate::{
    build,
    cargo::Built,
    gateway_kind::{GatewayKind, Gateways},
    namespace::{self, Inside, Openings},
    progress::Progress,
};

/// Builds and fetches what the bed of `COALMINE_BED` with the gateway of `COALMINE_GATEWAY` needs (there is no
/// network inside), makes its namespaces and returns inside of them. The process that was started stays behind as the guard and
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
    enter_beside(kind, kind.gateways()?, openings, |_| Ok(()))
}

/// The same for a program that cargo runs, and that has something of its own to build while there still
/// is a network: it is built at the same time as what the bed needs. A program without the feature that the
/// bed of `COALMINE_BED` needs is built again and run in this one's place.
///
/// # Errors
/// As [`enter`], and those of `build`.
pub(crate) fn enter_building(
    openings: &Openings,
    build: impl FnOnce(&Progress) -> Result<()> + Send,
) -> Result<Inside> {
    enter_building_for(None, openings, build)
}

/// The same for a bed with this gateway, where one is given.
///
/// # Errors
/// As [`enter_building`].
pub(crate) fn enter_building_for(
    gateway: Option<GatewayKind>,
    openings: &Openings,
    build: impl FnOnce(&Progress) -> Result<()> + Send,
) -> Result<Inside> {
    let kind = Kind::from_environment()?;
    let gateways = match gateway {
        Some(gateway) => kind.with_gateways(gateway.into())?,
        None => kind.gateways()?,
    };
    if let Some(feature) = kind.missing_feature()
        && !namespace::entered()
    {
        return Err(Built::this_program()?.run_with(feature));
    }
    enter_beside(kind, gateways, openings, build)
}

fn enter_beside(
    kind: Kind,
    gateways: Gateways,
    openings: &Openings,
    build: impl FnOnce(&Progress) -> Result<()> + Send,
) -> Result<Inside> {
    if !kind.is_enclosed() && !namespace::entered() {
        build(&Progress::new())?;
        return Ok(Inside::without_namespace());
    }
    let both = |progress: &Progress| {
        thread::scope(|scope| {
            let build = scope.spawn(|| build(progress));
            let parts = parts_of(kind, gateways, progress);
            let built = build.join().map_err(|_| anyhow!("a build has panicked"))?;
            parts.and(built)
        })
    };
    namespace::enter_after(both, openings, gateways, kind == Kind::K3sOffline)
}

/// Builds and fetches what a bed consists of.
fn parts_of(kind: Kind, gateways: Gateways, progress: &Progress) -> Result<()> {
    match kind {
        Kind::K3sOffline => build::node_image(progress).map(drop),
        _ => {
            build::artifacts(progress)?;
            gateways.all().try_for_each(|gateway| gateway_api::build(gateway, progress).map(drop))
        }
    }
}
