//! Where rules are served.

use super::super::listeners::Plan;
use super::policies::Policies;
use crate::snapshot::Snapshot;

/// Where a rule is served.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) plan: &'a Plan<'a>,
    pub(super) policies: &'a Policies<'a>,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// The listener that a virtual host is for.
    pub(super) section: &'a str,
    /// The name of the route configuration.
    pub(super) routes: &'a str,
}
