//! The objects of `deploy/`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::Bed;
use harness::wait::Seen;
use serde_json::{Value, json};

use crate::election::client;
use crate::{kubectl, kustomize};

/// Far longer than the API server takes to see a new object of its own.
const DEADLINE: Duration = Duration::from_secs(60);

/// The kinds that the pods need before they are.
const FIRST: [&str; 2] = ["Namespace", "ServiceAccount"];

/// Applied as a dry run by the API server, with its defaults, validation and pod security.
pub(crate) async fn the_api_server_takes_every_object_and_every_pod_is_a_restricted_one(
    bed: &Bed,
) -> Result<()> {
    for folder in ["base", "overlays/example", "overlays/lockdown"] {
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

/// The API server itself says by which FlowSchema and priority level it took a request, by their uids.
pub(crate) async fn the_daemon_has_a_priority_of_its_own(bed: &Bed) -> Result<()> {
    let objects = kustomize(bed, "base")?;
    let objects = objects.split("\n---\n").filter(|object| !object.contains("kind: Deployment\n"));
    let objects = objects.collect::<Vec<_>>().join("\n---\n");
    kubectl(bed, &["apply", "--server-side", "--filename=-"], &objects)?;
    let daemon = client(bed).await?;
    let uid = |kind: &str, name: &str| -> Result<String> {
        kubectl(bed, &["get", kind, name, "--output=jsonpath={.metadata.uid}"], "")
    };
    for (path, schema, level) in [
        ("/api/v1/services", "coalmine", "workload-high"),
        (
            "/apis/coordination.k8s.io/v1/namespaces/coalmine/leases/coalmine-default",
            "coalmine-leader-election",
            "leader-election",
        ),
    ] {
        let (schema, level) =
            (uid("flowschema", schema)?, uid("prioritylevelconfiguration", level)?);
        // The API server takes up a new FlowSchema a moment after it was made.
        harness::wait::until("the FlowSchema to count", DEADLINE, async || {
            let request = http::Request::get(path).body(kube::client::Body::empty());
            let answer = match request {
                Ok(request) => daemon.send(request).await,
                Err(error) => return Seen::NotYet(error.to_string()),
            };
            let headers = match answer {
                Ok(answer) => answer.headers().clone(),
                Err(error) => return Seen::NotYet(error.to_string()),
            };
            let is = |name: &str, uid: &str| headers.get(name).is_some_and(|it| it == uid);
            let counts = is("x-kubernetes-pf-flowschema-uid", &schema)
                && is("x-kubernetes-pf-prioritylevel-uid", &level);
            Seen::when(counts, format!("{headers:?}"))
        })
        .await?;
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
