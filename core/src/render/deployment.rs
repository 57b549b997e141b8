//! A Deployment per version that we run ourselves.

use serde_json::{Map, Value, json};

use super::Owner;
use crate::kind::Kind;
use crate::labels;
use crate::values::{Deployment, PORT_NAME, Probe, Service, Version, Workload};

/// The image of a version whose values name none.
pub const DEFAULT_IMAGE: &str = "hashicorp/http-echo";
/// How many seconds a pod has to end once it is asked to: as many as Kubernetes gives by default.
const GRACE: u64 = 30;

pub(super) fn render(service: &Service, owner: &Owner) -> Vec<Value> {
    service
        .versions
        .iter()
        .filter_map(|(version, workload)| match workload {
            Workload::Deployed(deployment) => {
                Some(render_version(service, version, deployment, owner))
            }
            Workload::External | Workload::Upstream(_) => None,
        })
        .collect()
}

fn render_version(
    service: &Service,
    version: &Version,
    deployment: &Deployment,
    owner: &Owner,
) -> Value {
    let selector = json!({"app": service.name.as_str(), "version": version.as_str()});
    let labels = with(&selector, &json!(deployment.labels));
    let mut metadata = json!({
        "name": service.version_name(version),
        "namespace": service.namespace,
        "labels": labels,
    });
    // Ours on the pods too, so that a watch on our own pods needs no other label. They are not in
    // the selector: that cannot be changed, and a pod belongs to its version whoever deployed it.
    let ours = labels::labels(&owner.instance, service.name.as_str());
    let mut pod_metadata = json!({"labels": with(&labels, &json!(ours))});
    if !deployment.annotations.is_empty() {
        metadata["annotations"] = json!(deployment.annotations);
        pod_metadata["annotations"] = json!(deployment.annotations);
    }
    let mut spec = Map::new();
    // Left out, the field is not ours: an autoscaler may have it.
    if let Some(replicas) = deployment.replicas {
        spec.insert("replicas".into(), replicas.into());
    }
    spec.insert("selector".into(), json!({"matchLabels": selector}));
    // An update never has fewer pods than are wanted.
    let strategy = json!({"maxUnavailable": 0, "maxSurge": "25%"});
    spec.insert("strategy".into(), json!({"type": "RollingUpdate", "rollingUpdate": strategy}));
    let pod = render_pod(service, version, deployment);
    spec.insert("template".into(), json!({"metadata": pod_metadata, "spec": pod}));
    let mut object = json!({
        "apiVersion": Kind::Deployment.api_version(),
        "kind": Kind::Deployment,
        "metadata": metadata,
        "spec": spec,
    });
    if let Some(patch) = &deployment.patch {
        json_patch::merge(&mut object, &Value::Object(patch.clone()));
    }
    object
}

fn render_pod(service: &Service, version: &Version, deployment: &Deployment) -> Value {
    let name = service.version_name(version);
    let port = deployment.container_port();
    let mut container = json!({
        "name": name,
        "image": deployment.image.as_deref().unwrap_or(DEFAULT_IMAGE),
    });
    let default_args = || match deployment.image {
        None => Some(vec![
            format!("-text=version:{}-{version}", service.name),
            format!("-listen=:{port}"),
        ]),
        Some(_) => None,
    };
    if let Some(args) = deployment.args.clone().or_else(default_args) {
        container["args"] = args.into();
    }
    if !deployment.env.is_empty() {
        container["env"] = deployment.env.clone().into();
    }
    container["ports"] = json!([{"name": PORT_NAME, "containerPort": port, "protocol": "TCP"}]);
    if let Some(policy) = &deployment.image_pull_policy {
        container["imagePullPolicy"] = policy.as_str().into();
    }
    if let Some(resources) = &deployment.resources {
        container["resources"] = resources.clone().into();
    }
    if let Some(context) = &deployment.security_context {
        container["securityContext"] = context.clone().into();
    }
    let probes = &deployment.probes;
    // Without a readiness probe a pod would count as ready before it listens.
    let connects = json!({"tcpSocket": {"port": port}, "periodSeconds": 1});
    for (field, probe, default) in [
        ("readinessProbe", &probes.readiness, Some(connects)),
        ("livenessProbe", &probes.liveness, None),
        ("startupProbe", &probes.startup, None),
    ] {
        let probe = match probe {
            Probe::Default => default,
            Probe::Off => None,
            Probe::Given(probe) => Some(probe.clone().into()),
        };
        if let Some(probe) = probe {
            container[field] = probe;
        }
    }
    let drain = deployment.drain().as_secs();
    if drain > 0 {
        // Done by the kubelet, so the image needs no shell.
        container["lifecycle"] = json!({"preStop": {"sleep": {"seconds": drain}}});
    }
    let mut pod = json!({"containers": [container]});
    // It is counted from the decision; what comes after the drain stays Kubernetes' default.
    pod["terminationGracePeriodSeconds"] = (drain + GRACE).into();
    if let Some(context) = &deployment.pod_security_context {
        pod["securityContext"] = context.clone().into();
    }
    if let Some(account) = &deployment.service_account_name {
        pod["serviceAccountName"] = account.as_str().into();
    }
    pod
}

fn with(base: &Value, more: &Value) -> Value {
    let mut merged = base.clone();
    json_patch::merge(&mut merged, more);
    merged
}
