//! What has to be true before the first pod can be made.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{Api, Client, runtime::wait::await_condition};

const DEADLINE: Duration = Duration::from_secs(180);

/// Waits until the node takes pods and the namespace `default` has the account they run under.
pub(super) async fn pods_can_run(client: &Client, node: &str) -> Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    let untainted = |node: Option<&Node>| {
        let spec = node.and_then(|node| node.spec.as_ref());
        spec.is_some_and(|spec| spec.taints.as_ref().is_none_or(Vec::is_empty))
    };
    let node = await_condition(nodes, node, untainted);
    let account = await_condition(accounts, "default", |a: Option<&ServiceAccount>| a.is_some());
    let both = async { tokio::try_join!(node, account) };
    match tokio::time::timeout(DEADLINE, both).await {
        Ok(found) => found.map(drop).map_err(Into::into),
        Err(_) => anyhow::bail!(
            "the node is still tainted, or ServiceAccount default/default is not there, after \
             {} s: the controller manager's log says more",
            DEADLINE.as_secs()
        ),
    }
}
