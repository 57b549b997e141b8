//! Which repository of rollouts is tried, and what the example says of the bed's gateway.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::gateway_kind::GatewayKind;

/// Somebody's repository of rollouts, to be tried instead of the scenarios' own: what `COALMINE_ROLLOUTS` names. Its
/// images need not be there on the local bed.
pub fn rollouts() -> Option<PathBuf> {
    env::var_os("COALMINE_ROLLOUTS").filter(|path| !path.is_empty()).map(Into::into)
}

/// The settings of a repository.
const SETTINGS: &str = "coalmine.yaml";
/// What serves the example's routes for Gloo, and what does by the Gateway API.
const VIRTUAL_SERVICE: &str = "platform/virtual-service.yaml";
const ROUTE: &str = "platform/route.yaml";

/// What `coalmine.yaml` says so that services are served by the bed's gateway; nothing for Gloo, which is its
/// default.
pub fn gateway_settings(gateway: GatewayKind) -> Option<String> {
    gateway.is_of_gateway_api().then(|| {
        format!(
            "# The Gateway that the bed has.\n\
             gateway:\n  api: gateway-api\n  profile: {}\n  gateways:\n    \
             - {{name: public, namespace: gateways, sectionName: http}}\n",
            gateway.name()
        )
    })
}

/// Changes a copy of the example repository so that its services are served by the bed's gateway: `coalmine.yaml`
/// names the Gateway, and in place of the VirtualService kgateway has an HTTPRoute that selects those of the
/// services. Nothing changes for Gloo.
///
/// # Errors
/// The disk's, or a folder that is no copy of the example.
pub fn adapt(repository: &Path, gateway: GatewayKind) -> Result<()> {
    let Some(block) = gateway_settings(gateway) else { return Ok(()) };
    let settings = repository.join(SETTINGS);
    let text = fs::read_to_string(&settings);
    let text = text.with_context(|| format!("cannot read {}", settings.display()))?;
    fs::write(&settings, format!("{}\n\n{block}", text.trim_end()))?;
    let virtual_service = repository.join(VIRTUAL_SERVICE);
    fs::remove_file(&virtual_service)
        .with_context(|| format!("cannot remove {}", virtual_service.display()))?;
    if gateway == GatewayKind::Kgateway {
        // JSON is YAML.
        fs::write(repository.join(ROUTE), format!("{:#}\n", selecting_route()))?;
    }
    Ok(())
}

/// Serves every HTTPRoute with the label of the example's `apiGroup`, of all teams.
fn selecting_route() -> serde_json::Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "app", "namespace": "gateways"},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "http"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{
                    "group": "delegation.kgateway.dev",
                    "kind": "label",
                    "name": "example",
                    "namespace": "all",
                }],
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::workspace;

    fn copy() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("platform")).unwrap();
        for file in [SETTINGS, VIRTUAL_SERVICE] {
            fs::copy(workspace().join("rollouts").join(file), folder.path().join(file)).unwrap();
        }
        folder
    }

    #[test]
    fn the_example_is_left_alone_for_gloo() {
        let folder = copy();
        adapt(folder.path(), GatewayKind::Gloo).unwrap();
        assert!(folder.path().join(VIRTUAL_SERVICE).exists());
        assert!(!fs::read_to_string(folder.path().join(SETTINGS)).unwrap().contains("gateway:"));
    }

    #[test]
    fn the_example_names_the_gateway_of_the_bed() {
        for (gateway, routes) in [(GatewayKind::Kgateway, true), (GatewayKind::EnvoyGateway, false)]
        {
            let folder = copy();
            adapt(folder.path(), gateway).unwrap();
            assert!(!folder.path().join(VIRTUAL_SERVICE).exists());
            assert_eq!(folder.path().join(ROUTE).exists(), routes);
            let text = fs::read_to_string(folder.path().join(SETTINGS)).unwrap();
            let settings: serde_json::Value = serde_yaml::from_str(&text).unwrap();
            let said = &settings["gateway"];
            assert_eq!(said["api"], "gateway-api");
            assert_eq!(said["profile"], gateway.name());
            assert_eq!(said["gateways"][0]["sectionName"], "http");
            assert!(settings["timing"]["settle"].is_string());
        }
    }
}
