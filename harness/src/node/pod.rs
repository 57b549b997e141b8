//! The life of one pod: its containers, what is reported about them, and its end.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

use super::{
    container::{Life, State},
    options::NodeOptions,
    spec, status,
};

/// Looks after a pod until it is gone. When the sender of `pod` is dropped, the pod has vanished
/// from the API server, or the node stops: its processes are then killed at once.
pub(super) async fn run(
    client: Client,
    options: Arc<NodeOptions>,
    mut pod: watch::Receiver<Pod>,
    address: Ipv4Addr,
) -> Result<()> {
    let first = pod.borrow_and_update().clone();
    let namespace = first.namespace().unwrap_or_default();
    let api = Api::<Pod>::namespaced(client, &namespace);
    if matches!(phase(&first), Some("Succeeded" | "Failed")) {
        return finished(&api, &mut pod).await;
    }
    let Some(spec) = first.spec.clone() else { return Ok(()) };
    if spec.init_containers.is_some_and(|containers| !containers.is_empty()) {
        refuse(&api, &first, "the process node runs no init containers").await?;
        return finished(&api, &mut pod).await;
    }
    let (stop, _) = watch::channel(None);
    let (states, mut changes) = watch::channel(vec![State::default(); spec.containers.len()]);
    // Dropping the set ends every container's task, and with it the processes.
    let mut lives = JoinSet::new();
    for (index, container) in spec.containers.into_iter().enumerate() {
        let life = Life {
            options: options.clone(),
            pod: first.clone(),
            container,
            address,
            stop: stop.subscribe(),
            states: states.clone(),
            index,
        };
        lives.spawn(life.run());
    }
    let started = Timestamp::now();
    let mut said = None;
    loop {
        let current = pod.borrow_and_update().clone();
        if current.metadata.deletion_timestamp.is_some() {
            stop.send_replace(Some(grace(&current)));
        }
        let now = changes.borrow_and_update().clone();
        if said.as_ref() != Some(&now) && stop.borrow().is_none() {
            let status = status::pod(&current, &now, address, started);
            match report(&api, &current, &status).await {
                Ok(()) => said = Some(now),
                // It is tried again with the next change of the pod or of a container.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "status not written"),
            }
        }
        tokio::select! {
            changed = pod.changed() => if changed.is_err() { return Ok(()) },
            changed = changes.changed() => changed.context("the containers are lost")?,
            Some(_) = lives.join_next() => {}
        }
        if lives.is_empty() && stop.borrow().is_some() {
            return delete(&api, &first).await;
        }
    }
}

/// A pod that has run its course only waits to be deleted.
async fn finished(api: &Api<Pod>, pod: &mut watch::Receiver<Pod>) -> Result<()> {
    match pod.wait_for(|pod| pod.metadata.deletion_timestamp.is_some()).await.map(|p| p.clone()) {
        Ok(pod) => delete(api, &pod).await,
        Err(_) => Ok(()),
    }
}

async fn refuse(api: &Api<Pod>, pod: &Pod, message: &str) -> Result<()> {
    let status = PodStatus {
        phase: Some("Failed".to_owned()),
        reason: Some("NotSupported".to_owned()),
        message: Some(message.to_owned()),
        ..PodStatus::default()
    };
    report(api, pod, &status).await
}

async fn report(api: &Api<Pod>, pod: &Pod, status: &PodStatus) -> Result<()> {
    let name = pod.name_any();
    // The id guards against a new pod of the same name.
    let patch = json!({"metadata": {"uid": pod.uid()}, "status": status});
    match api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
        other => other.map(drop).with_context(|| format!("cannot report Pod {name}")),
    }
}

/// Takes the pod off the API server, now that nothing of it runs any more.
async fn delete(api: &Api<Pod>, pod: &Pod) -> Result<()> {
    let name = pod.name_any();
    let now = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: pod.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &now).await {
        Err(kube::Error::Api(answer)) if answer.is_not_found() || answer.is_conflict() => Ok(()),
        other => other.map(drop).with_context(|| format!("cannot delete Pod {name}")),
    }
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn grace(pod: &Pod) -> Duration {
    spec::seconds(pod.metadata.deletion_grace_period_seconds.unwrap_or(30))
}
