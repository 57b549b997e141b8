//! The Node object and the Lease that says the node lives.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::{api::coordination::v1::Lease, api::core::v1::Node};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    build::VERSIONS,
    namespace::NODE,
    wait::{self, Seen},
};

/// As a kubelet does it.
const RENEWAL: Duration = Duration::from_secs(10);
const LEASE_SECONDS: u32 = 40;
/// A kubelet that has nothing new to say repeats its status every 5 minutes: this many renewals.
const RENEWALS_PER_STATUS: u32 = 30;

const DEADLINE: Duration = Duration::from_secs(180);
const FIELD_MANAGER: &str = "process-node";

/// Makes the Node and reports it ready.
pub(super) async fn register(client: &Client, name: &str) -> Result<()> {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture(),
        }},
    });
    let nodes = Api::<Node>::all(client.clone());
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let applied = nodes.patch(name, &apply, &Patch::Apply(&node)).await;
    applied.with_context(|| format!("cannot register Node {name}"))?;
    // The API server makes the namespace of Leases only after it is ready.
    wait::until("the node's first Lease", DEADLINE, || async {
        Seen::from_result(renew(client, name).await)
    })
    .await?;
    report(client, name, Timestamp::now()).await
}

/// Renews the Lease and the status for ever.
pub(super) async fn keep_alive(client: Client, name: String) {
    let since = Timestamp::now();
    let mut ticks = tokio::time::interval(RENEWAL);
    ticks.tick().await;
    for count in 1_u32.. {
        ticks.tick().await;
        let mut renewed = renew(&client, &name).await;
        if renewed.is_ok() && count.is_multiple_of(RENEWALS_PER_STATUS) {
            renewed = report(&client, &name, since).await;
        }
        if let Err(error) = renewed {
            tracing::warn!(node = name, error = format!("{error:#}"), "cannot renew the node");
        }
    }
}

async fn renew(client: &Client, name: &str) -> Result<()> {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": format!("{:.6}", Timestamp::now()),
        },
    });
    let leases = Api::<Lease>::namespaced(client.clone(), "kube-node-lease");
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let applied = leases.patch(name, &apply, &Patch::Apply(&lease)).await;
    applied.with_context(|| format!("cannot renew Lease kube-node-lease/{name}"))?;
    Ok(())
}

async fn report(client: &Client, name: &str, since: Timestamp) -> Result<()> {
    let [now, since] = [Timestamp::now(), since].map(|time| format!("{time:.0}"));
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "pods are processes here",
            "lastHeartbeatTime": now, "lastTransitionTime": since,
        })
    };
    let version =
        VERSIONS.iter().find(|(part, _)| *part == "kubernetes").map(|(_, version)| version);
    let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    let status = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": NODE},
                {"type": "Hostname", "address": name},
            ],
            // Nothing is measured or limited: enough for whatever a test asks for.
            "capacity": resources,
            "allocatable": resources,
            "conditions": [
                condition("Ready", "True", "NodeReady"),
                condition("MemoryPressure", "False", "NotMeasured"),
                condition("DiskPressure", "False", "NotMeasured"),
                condition("PIDPressure", "False", "NotMeasured"),
            ],
            "nodeInfo": {
                "architecture": architecture(),
                "bootID": "", "machineID": "", "systemUUID": "", "kernelVersion": "",
                "containerRuntimeVersion": "process://0",
                "kubeProxyVersion": "",
                "kubeletVersion": version.map(|version| format!("v{version}")),
                "operatingSystem": "linux",
                "osImage": "process node",
            },
        },
    });
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    let nodes = Api::<Node>::all(client.clone());
    let applied = nodes.patch_status(name, &apply, &Patch::Apply(&status)).await;
    applied.with_context(|| format!("cannot report the status of Node {name}"))?;
    Ok(())
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
