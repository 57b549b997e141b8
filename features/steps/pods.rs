//! What happens to pods by themselves.

use std::time::Duration;

use anyhow::{Result, ensure};
use cucumber::when;
use harness::sample::{Client, Target};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio_util::task::AbortOnDropHandle;

use crate::world::{World, bed};

/// How often somebody looks whether there is a pod to crash.
const LOOK: Duration = Duration::from_millis(100);

#[when(regex = r"^every pod of (\S+)/(\S+) falls ill$")]
async fn falls_ill(_: &mut World, namespace: String, deployment: String) -> Result<()> {
    let pods = ready_pods(&namespace, &deployment).await?;
    ensure!(!pods.is_empty(), "{namespace}/{deployment} has no ready pod");
    for pod in pods {
        let answer = Client::new(&pod.header("x-health", "503"))?.ask().await;
        answer.map_err(|failure| anyhow::anyhow!("{failure}"))?;
    }
    Ok(())
}

#[when(regex = r"^every pod of (\S+)/(\S+) crashes, again and again$")]
async fn crashes(world: &mut World, namespace: String, deployment: String) -> Result<()> {
    ensure!(!ready_pods(&namespace, &deployment).await?.is_empty(), "there is no ready pod");
    let fate = async move {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            for pod in ready_pods(&namespace, &deployment).await.unwrap_or_default() {
                if let Ok(client) = Client::new(&pod.header("x-exit", "1")) {
                    // It ends before it answers.
                    let _ = client.ask().await;
                }
            }
        }
    };
    world.rivals.push(AbortOnDropHandle::new(tokio::spawn(fate)));
    Ok(())
}

/// The ready pods of a Deployment, without a proxy between.
async fn ready_pods(namespace: &str, deployment: &str) -> Result<Vec<Target>> {
    let pods: Api<Pod> = Api::namespaced(bed().client(), namespace);
    let of_deployment = format!("{deployment}-");
    let pods = pods.list(&ListParams::default()).await?.into_iter();
    let pods = pods.filter(|pod| pod.name_any().starts_with(&of_deployment));
    let target = |pod: Pod| {
        let status = pod.status?;
        let mut conditions = status.conditions.unwrap_or_default().into_iter();
        conditions.find(|condition| condition.type_ == "Ready" && condition.status == "True")?;
        Some(Target::new(format!("http://{}:8080", status.pod_ip?), "/"))
    };
    Ok(pods.filter_map(target).collect())
}
