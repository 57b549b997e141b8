//! What a failed scenario leaves for whoever wants to know why, in `target/failures/SCENARIO/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use harness::sample;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};

use crate::report;
use crate::world::{World, bed};

/// Whose objects tell what the API server, Kubernetes and the gateway made of it: their statuses stand there too.
const KINDS: [(&str, &str, &str); 13] = [
    ("apps", "v1", "Deployment"),
    ("", "v1", "Service"),
    ("", "v1", "Endpoints"),
    ("", "v1", "Pod"),
    ("gloo.solo.io", "v1", "Upstream"),
    ("gateway.solo.io", "v1", "RouteTable"),
    ("gateway.solo.io", "v1", "VirtualService"),
    ("gateway.networking.k8s.io", "v1", "Gateway"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
    ("gateway.kgateway.dev", "v1alpha1", "TrafficPolicy"),
    ("gateway.kgateway.dev", "v1alpha1", "GatewayExtension"),
    ("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy"),
    ("events.k8s.io", "v1", "Event"),
];

/// Writes down what can be had, and returns where. What cannot be had is said in its place.
///
/// # Errors
/// The disk's.
pub(crate) async fn collect(scenario: &str, world: &World) -> Result<PathBuf> {
    let name: String =
        scenario.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let folder = report::folder("failures")?.join(name.to_lowercase());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    for (group, version, kind) in KINDS {
        let text = objects(group, version, kind).await.unwrap_or_else(|error| format!("{error:#}"));
        write(&format!("{}.yaml", kind.to_lowercase()), &text)?;
    }
    if let Some(admin) = bed().envoy_admin() {
        let dump = admin.get("/config_dump?include_eds").await;
        write("envoy.json", &dump.unwrap_or_else(|error| format!("{error:#}")))?;
    }
    if let Some(daemon) = &world.daemon {
        let status = match daemon.status.get().await {
            Ok(status) => format!("{status:#?}"),
            Err(error) => format!("{error:#}"),
        };
        write("status.txt", &status)?;
    }
    write("answers.txt", &sample::recent().join("\n"))?;
    copy(&world.directory.path().join("coalmine.log"), &folder.join("coalmine.log"))?;
    Ok(folder)
}

async fn objects(group: &str, version: &str, kind: &str) -> Result<String> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = match kind.kind.as_str() {
        "Endpoints" => ApiResource::from_gvk_with_plural(&kind, "endpoints"),
        _ => ApiResource::from_gvk(&kind),
    };
    let all: Api<DynamicObject> = Api::all_with(bed().client(), &resource);
    let objects = all.list(&ListParams::default()).await?.items;
    let texts = objects.iter().map(serde_yaml::to_string).collect::<Result<Vec<_>, _>>()?;
    Ok(texts.join("---\n"))
}

/// A daemon that was never started has no log.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.exists() {
        fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}
