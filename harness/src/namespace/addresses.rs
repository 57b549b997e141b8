//! The addresses inside a namespace. Nobody else is in there, so they are always the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The API server's address inside the namespace.
pub const API: SocketAddr = loopback(6443);
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
