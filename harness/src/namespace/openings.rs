//! The way in from outside of a namespace: ports on loopback that the guard listens on.

use std::net::SocketAddr;

use super::addresses::STATUS;
use crate::gateway_kind::{GatewayKind, Gateways};

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
    gateways: Gateways,
}

/// The addresses that the guard listens on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    pub(crate) api: SocketAddr,
    pub(crate) proxy: SocketAddr,
    pub(crate) status: SocketAddr,
}

impl Inside {
    /// Inside a namespace that is reached at these addresses.
    pub(super) fn reached_at(outside: Outside, gateways: Gateways) -> Self {
        Self { outside: Some(outside), gateways }
    }

    /// For a bed that needs no namespace.
    pub(crate) fn without_namespace() -> Self {
        Self { outside: None, gateways: Gateways::default() }
    }

    /// The gateway that the way to the proxy was made for.
    pub fn gateway(&self) -> GatewayKind {
        self.gateways.first
    }

    /// All gateways that the bed is to have.
    pub fn gateways(&self) -> Gateways {
        self.gateways
    }

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
