//! The network of a fresh namespace: loopback, the node's address, and a network of addresses that
//! can all be bound without being configured one by one.

use std::fs;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use rtnetlink::{
    LinkUnspec, RouteMessageBuilder,
    packet_route::route::{RouteScope, RouteType},
};

use super::addresses::{NODE, PODS};

/// The first port of this network that everybody may listen on.
const LOWEST_PORT: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// The kernel's table of addresses that are its own (`RT_TABLE_LOCAL`).
const LOCAL_TABLE: u32 = 255;

/// Prepares the network namespace the calling thread is in.
pub(super) async fn prepare() -> Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection().context("cannot open netlink")?;
    let connection = tokio::spawn(connection);
    let lo = handle.link().get().match_name("lo".to_owned()).execute().try_next().await?;
    let lo = lo.context("the network namespace has no loopback interface")?.header.index;
    let up = LinkUnspec::new_with_index(lo).up().build();
    handle.link().set(up).execute().await.context("cannot bring up loopback")?;
    let address = handle.address().add(lo, NODE.into(), 32).execute().await;
    address.with_context(|| format!("cannot add {NODE} to loopback"))?;
    let route = RouteMessageBuilder::<std::net::Ipv4Addr>::new()
        .destination_prefix(PODS.0, PODS.1)
        .output_interface(lo)
        .kind(RouteType::Local)
        .scope(RouteScope::Host)
        .table_id(LOCAL_TABLE)
        .build();
    let added = handle.route().add(route).execute().await;
    added.with_context(|| format!("cannot make {}/{} local", PODS.0, PODS.1))?;
    connection.abort();
    // Whoever we are, as in the pods of gateways: listeners are on port 80.
    fs::write(LOWEST_PORT, "0").with_context(|| format!("cannot write {LOWEST_PORT}"))?;
    Ok(())
}
