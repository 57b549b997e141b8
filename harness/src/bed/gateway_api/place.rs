//! The names of what a bed has by the Gateway API, and where a controller has its files.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use crate::gateway_kind::{GatewayKind, LISTENER};

/// Where the Gateway is that every team's routes attach to.
pub(in crate::bed) const NAMESPACE: &str = "gateways";
/// Its name.
pub(in crate::bed) const GATEWAY: &str = "public";
/// The name of its listener, which is for plain HTTP on port 80.
pub(super) const SECTION: &str = "http";

/// Long enough for a machine that compiles something else at the same time.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);

/// A controller, and where it runs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its program.
    pub(super) program: PathBuf,
    /// The namespace that it is installed in.
    pub(super) namespace: String,
    /// Its files, and those of the Envoy that it programs.
    pub(super) folder: PathBuf,
    /// Takes its log.
    pub(super) logs: PathBuf,
}

/// A Gateway for routes of every namespace.
pub(super) fn gateway(kind: GatewayKind) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
        "spec": {
            "gatewayClassName": kind.name(),
            "listeners": [{
                "name": SECTION,
                "port": LISTENER,
                "protocol": "HTTP",
                "allowedRoutes": {"namespaces": {"from": "All"}},
            }],
        },
    })
}
