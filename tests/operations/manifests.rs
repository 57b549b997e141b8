//! The objects of `deploy/`.

use anyhow::{Context, Result, ensure};
use harness::Bed;
use serde_json::{Value, json};

use crate::{kubectl, kustomize};

/// The kinds that the pods need before they are.
const FIRST: [&str; 2] = ["Namespace", "ServiceAccount"];

/// Applied as a dry run by the API server, with its defaults, validation and pod security.
pub(crate) async fn the_api_server_takes_every_object_and_every_pod_is_a_restricted_one(
    bed: &Bed,
) -> Result<()> {
    for folder in ["base", "overlays/example"] {
        let all = kustomize(bed, folder)?;
        let documents: Vec<Value> = all
            .split("\n---\n")
            .map(serde_yaml::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("deploy/{folder}"))?;
        let of_kinds = |kinds: &[&str]| -> Vec<&Value> {
            let fits =
                |object: &&Value| object["kind"].as_str().is_some_and(|it| kinds.contains(&it));
            documents.iter().filter(fits).collect()
        };
        let first = of_kinds(&FIRST);
        ensure!(first.len() == FIRST.len(), "deploy/{folder}: {first:?}");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": first});
        kubectl(bed, &["apply", "--server-side", "--filename=-"], &list.to_string())?;

        let dry =
            ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-"];
        kubectl(bed, &dry, &all).with_context(|| format!("deploy/{folder}"))?;
        for deployment in of_kinds(&["Deployment"]) {
            kubectl(
                bed,
                &["create", "--dry-run=server", "--filename=-"],
                &pod(deployment).to_string(),
            )
            .with_context(|| format!("a pod of deploy/{folder}"))?;
        }
    }
    Ok(())
}

/// A pod as the Deployment would make it: that is where the namespace's pod security is enforced.
fn pod(deployment: &Value) -> Value {
    let template = &deployment["spec"]["template"];
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"],
        "spec": template["spec"]});
    pod["metadata"]["name"] = "coalmine-0".into();
    pod["metadata"]["namespace"] = deployment["metadata"]["namespace"].clone();
    pod
}
