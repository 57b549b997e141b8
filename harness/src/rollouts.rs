//! Which repository of rollouts is tried, and what the example says of the bed's gateway.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

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
/// The line by which a VirtualService is known.
const HOST: &str = "kind: VirtualService";

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
    if let Some((file, content)) = gateway_route(gateway) {
        fs::write(repository.join(file), content)?;
    }
    Ok(())
}

/// The file of `platform/` by which this gateway serves the example's services, and what it says; nothing where
/// the HTTPRoutes of services name the Gateway themselves.
pub fn gateway_route(gateway: GatewayKind) -> Option<(&'static str, String)> {
    // JSON is YAML.
    (gateway == GatewayKind::Kgateway).then(|| (ROUTE, format!("{:#}\n", selecting_route())))
}

/// Serves every HTTPRoute with the label of the example's `apiGroup`, of all teams.
fn selecting_route() -> Value {
    parent([("/".into(), labelled("example"))])
}

/// What a file of the platform team says for this gateway, given what it says for Gloo: a VirtualService that
/// leaves its requests to RouteTables is an HTTPRoute that leaves them to others for kgateway, and nothing for Envoy
/// Gateway, where each service's routes attach to the Gateway themselves. Other files are as they are.
///
/// # Errors
/// A VirtualService that does something else.
pub fn in_words_of(gateway: GatewayKind, content: &str) -> Result<String> {
    if gateway == GatewayKind::Gloo || !content.contains(HOST) {
        return Ok(content.to_owned());
    }
    let documents = content.split("\n---\n").map(|document| match document.contains(HOST) {
        true => in_other_words(gateway, document),
        false => Ok(document.to_owned()),
    });
    Ok(documents.collect::<Result<Vec<_>>>()?.join("\n---\n"))
}

/// The same of one VirtualService.
fn in_other_words(gateway: GatewayKind, virtual_service: &str) -> Result<String> {
    let service: Value = serde_yaml::from_str(virtual_service)?;
    let routes = service.pointer("/spec/virtualHost/routes").and_then(Value::as_array);
    let routes = routes.context("a VirtualService without routes cannot be said otherwise")?;
    let rules = routes.iter().map(|route| {
        let prefix = route.pointer("/matchers/0/prefix").and_then(Value::as_str);
        let prefix = prefix.context("a matcher without a prefix")?;
        Ok((prefix.to_owned(), delegated(&route["delegateAction"])?))
    });
    let rules: Vec<_> = rules.collect::<Result<_>>()?;
    Ok(match gateway {
        GatewayKind::Kgateway => format!("{:#}\n", parent(rules)),
        _ => "# Each service's routes attach to the Gateway themselves.\n".to_owned(),
    })
}

/// To which HTTPRoutes kgateway leaves what a VirtualService leaves to these RouteTables.
fn delegated(action: &Value) -> Result<Value> {
    let (reference, selector) = (&action["ref"], &action["selector"]);
    if let Some(name) = reference["name"].as_str() {
        let group = "gateway.networking.k8s.io";
        let namespace = &reference["namespace"];
        return Ok(
            json!({"group": group, "kind": "HTTPRoute", "name": name, "namespace": namespace}),
        );
    }
    match (selector["labels"]["apiGroup"].as_str(), &selector["namespaces"]) {
        (Some(label), namespaces) if *namespaces == json!(["*"]) => Ok(labelled(label)),
        _ => bail!("no HTTPRoute selects others as {action} does"),
    }
}

/// All HTTPRoutes with this label, in every namespace.
fn labelled(label: &str) -> Value {
    json!({"group": "delegation.kgateway.dev", "kind": "label", "name": label, "namespace": "all"})
}

/// The HTTPRoute of the bed's Gateway that leaves each prefix to others.
fn parent(rules: impl IntoIterator<Item = (String, Value)>) -> Value {
    let rules = rules.into_iter().map(|(prefix, to)| {
        json!({
            "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
            "backendRefs": [to],
        })
    });
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "app", "namespace": "gateways"},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "http"}],
            "rules": rules.collect::<Vec<_>>(),
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
    fn a_virtual_service_is_said_in_the_words_of_each_gateway() {
        let service = |action: &str| {
            format!(
                "kind: VirtualService\nspec: {{virtualHost: {{routes: [{{matchers: [{{prefix: /a}}], delegateAction: \
                 {action}}}]}}}}"
            )
        };
        let to = |action: &str| -> Result<Value> {
            let said = in_words_of(GatewayKind::Kgateway, &service(action))?;
            let route: Value = serde_json::from_str(&said)?;
            assert_eq!(route["spec"]["rules"][0]["matches"][0]["path"]["value"], "/a");
            Ok(route["spec"]["rules"][0]["backendRefs"][0].clone())
        };
        let by_name = to("{ref: {name: echo-routes, namespace: echo}}").unwrap();
        assert_eq!(
            (&by_name["kind"], &by_name["namespace"]),
            (&json!("HTTPRoute"), &json!("echo"))
        );
        let selected = to(r#"{selector: {labels: {apiGroup: b}, namespaces: ["*"]}}"#).unwrap();
        assert_eq!(selected, labelled("b"));
        assert!(to("{selector: {namespaces: [echo]}}").is_err());
        let text = service("{ref: {name: echo-routes, namespace: echo}}");
        assert_eq!(in_words_of(GatewayKind::Gloo, &text).unwrap(), text);
        assert!(in_words_of(GatewayKind::EnvoyGateway, &text).unwrap().starts_with('#'));
        let more =
            in_words_of(GatewayKind::EnvoyGateway, &format!("{text}\n---\nkind: Namespace\n"));
        assert!(more.unwrap().ends_with("\n---\nkind: Namespace\n"));
        let other = "deployment: {v1: {}}";
        assert_eq!(in_words_of(GatewayKind::EnvoyGateway, other).unwrap(), other);
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
