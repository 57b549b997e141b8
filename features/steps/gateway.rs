//! What the gateway says.

use anyhow::{Context, Result};
use cucumber::{given, then, when};
use harness::api_proxy::{ApiProxy, Request};
use harness::bed::GatewayKind;
use harness::wait::Seen;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::cluster::objects;
use super::rollout::soon_settled_example;
use crate::wait;
use crate::world::{World, bed};

const GLOO: &str = "gloo-system";

/// As if the gateway had a rule that the preflight does not know.
#[given(
    regex = r"^coalmine follows the example rollouts, and the gateway rejects routes of (\w+) to (\w+)$"
)]
async fn follows_with_a_rule_of_its_own(
    world: &mut World,
    service: String,
    version: String,
) -> Result<()> {
    let repository = soon_settled_example(world).await?;
    let account = world.account().await?;
    let kubeconfig = world.directory.path().join("kubeconfig");
    let proxy = ApiProxy::start(&account, &kubeconfig).await?;
    world.altered = Some(match bed().gateway_kind() {
        GatewayKind::Gloo => proxy.forge(as_gloo(&service, version)),
        GatewayKind::Kgateway | GatewayKind::EnvoyGateway => {
            proxy.forge(as_gateway(&service, version))
        }
    });
    world.proxy = Some(proxy);
    world.follow_with(repository, &kubeconfig).await
}

/// Rejects the service's RouteTable when it leads to this version. Gloo judges anew what asks for it by the state
/// Pending, and no other object.
fn as_gloo(service: &str, version: String) -> impl FnMut(&Request, &mut Value) -> bool + use<> {
    let table = format!("{service}-routes");
    let subset = json!({"values": {"version": version}}).to_string();
    let mut is_asked = false;
    move |request, object| {
        let is_meant = request.is_about("routetables")
            && object["metadata"]["name"] == *table
            && object["spec"].to_string().contains(&subset);
        if is_meant && let Some(status) = object.pointer_mut("/status/statuses/gloo-system") {
            is_asked |= status["state"] == "Pending";
            if is_asked && status["state"] == "Accepted" {
                status["state"] = "Rejected".into();
                status["reason"] = format!("{version} is not for everybody").into();
            }
        }
        true
    }
}

/// Rejects the service's HTTPRoute when it leads to this version: every parent that has judged it does.
fn as_gateway(service: &str, version: String) -> impl FnMut(&Request, &mut Value) -> bool + use<> {
    let (route, backend) = (format!("{service}-routes"), format!("{service}-{version}"));
    move |request, object| {
        let rules = object["spec"]["rules"].as_array().into_iter().flatten();
        let mut backends = rules.flat_map(|rule| rule["backendRefs"].as_array()).flatten();
        let is_meant = request.is_about("httproutes")
            && object["metadata"]["name"] == *route
            && backends.any(|it| it["name"] == *backend);
        let parents = object.pointer_mut("/status/parents").and_then(Value::as_array_mut);
        for parent in parents.filter(|_| is_meant).into_iter().flatten() {
            let conditions = parent["conditions"].as_array_mut().into_iter().flatten();
            for condition in conditions.filter(|it| it["type"] == "Accepted") {
                condition["status"] = "False".into();
                condition["message"] = format!("{version} is not for everybody").into();
            }
        }
        true
    }
}

#[when(regex = r#"^the platform team lets Gloo replace invalid routes by (\d+) "([^"]+)"$"#)]
async fn replaces_invalid_routes(_: &mut World, status: u16, body: String) -> Result<()> {
    let policy = json!({"spec": {"gloo": {"invalidConfigPolicy": {
        "replaceInvalidRoutes": true,
        "invalidRouteResponseCode": status,
        "invalidRouteResponseBody": body,
    }}}});
    let settings = objects("gloo.solo.io/v1", "Settings", GLOO)?;
    settings.patch("default", &PatchParams::default(), &Patch::Merge(&policy)).await?;
    Ok(())
}

#[then(regex = r#"^Gloo has a warning for the VirtualService (\S+)/(\S+) that names "([^"]+)"$"#)]
async fn has_a_warning(_: &mut World, namespace: String, name: String, word: String) -> Result<()> {
    verdict("VirtualService", &namespace, &name, "Warning", &word).await
}

#[then(regex = r"^Gloo accepts the VirtualService (\S+)/(\S+)$")]
async fn accepts(_: &mut World, namespace: String, name: String) -> Result<()> {
    verdict("VirtualService", &namespace, &name, "Accepted", "").await
}

/// By what Envoy counts for the cluster that only copies go to: that of the version, and with Envoy Gateway that of the
/// mirrored rule.
#[then(regex = r"^(\w+) of (\w+) has received copies$")]
async fn has_received_copies(_: &mut World, version: String, service: String) -> Result<()> {
    let bed = bed();
    let admin = bed.envoy_admin().context("this bed's Envoy has no admin address")?;
    let cluster = match bed.gateway_kind() {
        GatewayKind::Gloo => format!("cluster.{service}-{version}_{service}."),
        GatewayKind::Kgateway => format!("cluster.kube_{service}_{service}-{version}_"),
        GatewayKind::EnvoyGateway => {
            format!("cluster.httproute/{service}/{service}-routes/rule/0-mirror-")
        }
    };
    wait::until(&cluster, async || match admin.get("/stats?filter=upstream_rq_total").await {
        Err(error) => Seen::NotYet(format!("{error:#}")),
        Ok(stats) => {
            let lines = stats.lines().filter_map(|line| line.split_once(": "));
            let counts = lines.filter(|(name, _)| {
                name.starts_with(&cluster) && name.ends_with(".upstream_rq_total")
            });
            let counts: Vec<_> = counts.map(|(_, count)| count).collect();
            Seen::when(counts.iter().any(|count| *count != "0"), format!("{counts:?} requests"))
        }
    })
    .await
}

/// Waits until Gloo says this of a VirtualService or Gateway, with this word in its reason.
pub(super) async fn verdict(
    kind: &str,
    namespace: &str,
    name: &str,
    state: &str,
    word: &str,
) -> Result<()> {
    let services = objects("gateway.solo.io/v1", kind, namespace)?;
    let what = format!("the verdict {state} on {kind} {namespace}/{name}");
    wait::until(&what, async || match services.get_opt(name).await {
        Err(error) => Seen::NotYet(error.to_string()),
        Ok(None) => Seen::NotYet("it does not exist".into()),
        Ok(Some(service)) => {
            let status = &service.data["status"]["statuses"][GLOO];
            let reason = status["reason"].as_str().unwrap_or_default();
            let fits = status["state"] == *state && reason.contains(word);
            Seen::when(fits, status)
        }
    })
    .await
}
