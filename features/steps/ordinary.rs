//! A cluster on which others work too: what they have there, and what they allow.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use cucumber::{given, then, when};
use harness::admission::AdmissionWebhook;
use harness::certificate::Certificate;
use harness::https::HttpsClient;
use harness::load::Load;
use harness::sample::{Client, Target};
use harness::wait::Seen;
use http::Uri;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use super::cluster::{is_available, objects};
use super::others::{everything, name};
use super::traffic::LOAD;
use crate::wait;
use crate::world::{World, bed, proxy_url};

/// What others have on the cluster.
const MANIFESTS: [&str; 5] = [
    include_str!("../ordinary/gateways.yaml"),
    include_str!("../ordinary/teams.yaml"),
    include_str!("../ordinary/echo.yaml"),
    include_str!("../ordinary/policy.yaml"),
    include_str!("../ordinary/ending.yaml"),
];
/// Who applied it.
const FLUX: &str = "kustomize-controller";
/// The host of the Secret `shop/shop-tls`.
const SHOP: &str = "shop.example";
/// Requests of a check by https.
const HTTPS_REQUESTS: usize = 100;

/// What belongs to others.
#[derive(Debug, Default)]
pub(crate) struct Company {
    /// Their objects as they were, by `Kind namespace/name`.
    pub(super) objects: BTreeMap<String, Value>,
    /// The shop's certificate.
    certificate: Option<Certificate>,
    /// Their webhooks, by name.
    webhooks: BTreeMap<String, AdmissionWebhook>,
}

#[given("the cluster of an ordinary company")]
async fn company(world: &mut World) -> Result<()> {
    let certificate = Certificate::for_names([SHOP])?;
    for manifest in MANIFESTS {
        for object in serde_yaml::from_multiple(manifest)? {
            apply(&object).await?;
        }
    }
    apply(&secret(&certificate)?).await?;
    let namespaces: Api<Namespace> = Api::all(bed().client());
    namespaces.delete("golf", &DeleteParams::default()).await?;
    is_available(world, "payments".into(), "ledger".into()).await?;
    let quotas = objects("v1", "ResourceQuota", "echo")?;
    wait::until("the quota in force", async || match quotas.get("company").await {
        Ok(quota) => {
            Seen::when(quota.data["status"]["hard"] == quota.data["spec"]["hard"], "not yet")
        }
        Err(error) => Seen::NotYet(error.to_string()),
    })
    .await?;
    wait::until("the policy in force", async || match probe("Deployment", 9).await {
        Ok(_) => Seen::NotYet("9 pods are admitted".into()),
        Err(error) => Seen::when(error.to_string().contains("platform team"), error),
    })
    .await?;
    let ledger = Client::new(&host("payments.example", "/"))?;
    wait::until("an answer of payments.example", async || match ledger.ask().await {
        Ok(version) => Seen::when(version == "ledger", version),
        Err(failure) => Seen::NotYet(failure.to_string()),
    })
    .await?;
    world.company.certificate = Some(certificate);
    world.company.objects = everything().await?;
    Ok(())
}

fn secret(certificate: &Certificate) -> Result<DynamicObject> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "shop-tls", "namespace": "shop"},
        "stringData": {"tls.crt": certificate.pem(), "tls.key": certificate.key_pem()},
    }))?)
}

#[given(regex = r#"^the webhook "([^"]+)" marks everything of echo and foxtrot$"#)]
async fn marks(world: &mut World, name: String) -> Result<()> {
    let webhook = AdmissionWebhook::start(mark).await?;
    let rule = |group: &str, version: &str, plurals: Value| {
        json!({
            "apiGroups": [group], "apiVersions": [version], "resources": plurals,
            "operations": ["CREATE", "UPDATE"],
        })
    };
    let rules = json!([
        rule("apps", "v1", json!(["deployments"])),
        rule("", "v1", json!(["services"])),
        rule("gloo.solo.io", "v1", json!(["upstreams"])),
        rule("gateway.solo.io", "v1", json!(["routetables"])),
    ]);
    register(world, "MutatingWebhookConfiguration", name, rules, webhook).await?;
    wait::until("a mark on a Service", async || match probe("Service", 1).await {
        Ok(service) => Seen::when(service.labels().contains_key(MARK), "there is none"),
        Err(error) => Seen::NotYet(error.to_string()),
    })
    .await
}

const MARK: &str = "company.example/cost-center";

/// A label and an annotation; pods also get an annotation and their containers a variable.
fn mark(object: &mut Value) {
    object["metadata"]["labels"][MARK] = "4711".into();
    object["metadata"]["annotations"]["company.example/marked"] = "yes".into();
    if object["kind"] == "Deployment" {
        let pod = &mut object["spec"]["template"];
        pod["metadata"]["annotations"]["company.example/marked"] = "yes".into();
        let containers = pod["spec"]["containers"].as_array_mut();
        for container in containers.into_iter().flatten() {
            let variable = json!({"name": "COMPANY_REGION", "value": "north"});
            match container["env"].as_array_mut() {
                Some(variables) if variables.contains(&variable) => {}
                Some(variables) => variables.push(variable),
                None => container["env"] = json!([variable]),
            }
        }
    }
}

#[given(regex = r#"^the webhook "([^"]+)" looks at every Deployment of echo and foxtrot$"#)]
async fn looks(world: &mut World, name: String) -> Result<()> {
    let rules = json!([{
        "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"],
    }]);
    let webhook = AdmissionWebhook::start(|_| ()).await?;
    register(world, "ValidatingWebhookConfiguration", name.clone(), rules, webhook).await?;
    let webhook = &world.company.webhooks[&name];
    wait::until("the webhook to be asked", async || match probe("Deployment", 1).await {
        Ok(_) => Seen::when(webhook.times() > 0, "it is not asked"),
        Err(error) => Seen::NotYet(error.to_string()),
    })
    .await
}

/// Lets the API server ask the webhook about objects of echo and foxtrot; without an answer it refuses them.
async fn register(
    world: &mut World,
    kind: &str,
    name: String,
    rules: Value,
    webhook: AdmissionWebhook,
) -> Result<()> {
    let names = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["echo", "foxtrot"]});
    apply(&serde_json::from_value(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name},
        "webhooks": [{
            "name": name, "clientConfig": webhook.client_config(), "rules": rules,
            "namespaceSelector": {"matchExpressions": [names]},
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
        }],
    }))?)
    .await?;
    world.company.webhooks.insert(name, webhook);
    world.company.objects = everything().await?;
    Ok(())
}

#[when(regex = r#"^the webhook "([^"]+)" is (down|up again)$"#)]
async fn webhook_is(world: &mut World, name: String, how: String) -> Result<()> {
    let webhook = world.company.webhooks.get_mut(&name).context("no step has made this webhook")?;
    match how.as_str() {
        "down" => webhook.stop().await,
        _ => webhook.start_again().await?,
    }
    Ok(())
}

#[when(regex = r"^the platform team allows (\d+) pods? in the namespace (\S+)$")]
async fn allows(_: &mut World, pods: String, namespace: String) -> Result<()> {
    let quotas = objects("v1", "ResourceQuota", &namespace)?;
    let patch = Patch::Merge(json!({"spec": {"hard": {"pods": pods}}}));
    quotas.patch("company", &PatchParams::default(), &patch).await?;
    wait::until("the quota in force", async || match quotas.get("company").await {
        Ok(quota) => Seen::when(quota.data["status"]["hard"]["pods"] == *pods, "not yet"),
        Err(error) => Seen::NotYet(error.to_string()),
    })
    .await
}

#[when(regex = r"^somebody takes the finalizer off the ConfigMap (\S+)/(\S+)$")]
async fn takes_the_finalizer_off(_: &mut World, namespace: String, name: String) -> Result<()> {
    let none = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    objects("v1", "ConfigMap", &namespace)?.patch(&name, &PatchParams::default(), &none).await?;
    Ok(())
}

#[given(regex = r#"^constant load on "([^"]+)" of (\S+)$"#)]
async fn load(world: &mut World, path: String, domain: String) -> Result<()> {
    let target = host(&domain, &path);
    world.loads.push(Load::start([(format!("{domain}{path}"), target)], LOAD)?);
    Ok(())
}

#[then(regex = r#"^every https request to "([^"]+)" is answered by (\S+)$"#)]
async fn answered_by_https(world: &mut World, url: String, version: String) -> Result<()> {
    let url: Uri = format!("https://{url}").parse()?;
    let (host, port) = (url.host().context("no host")?, url.port_u16().context("no port")?);
    let certificate = world.company.certificate.as_ref().context("nobody has a certificate")?;
    let client = HttpsClient::trusting(certificate.der())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = async || match client.get(address, host, url.path()).await {
        Ok(answer) => {
            let text = String::from_utf8_lossy(answer.body());
            let fits = answer.status() == 200 && text.trim() == format!("version:{version}");
            Seen::when(fits, format!("{}: {text}", answer.status()))
        }
        Err(error) => Seen::NotYet(format!("{error:#}")),
    };
    wait::until(&format!("an answer of {url}"), ask).await?;
    for _ in 0..HTTPS_REQUESTS {
        if let Seen::NotYet(other) = ask().await {
            bail!("{url} is not answered by {version} every time: {other}");
        }
    }
    Ok(())
}

/// Applies an object as Flux does.
async fn apply(object: &DynamicObject) -> Result<()> {
    let types = object.types.as_ref().context("the object needs apiVersion and kind")?;
    let kind = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    let client = bed().client();
    let api: Api<DynamicObject> = match &object.metadata.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
        None => Api::all_with(client, &kind),
    };
    let flux = PatchParams::apply(FLUX).force();
    let applied = api.patch(&object.name_any(), &flux, &Patch::Apply(object)).await;
    applied.map(drop).with_context(|| format!("cannot apply {}", name(object)))
}

/// Has the API server look at an object of the namespace echo, and keep nothing of it.
async fn probe(kind: &str, replicas: u32) -> Result<DynamicObject> {
    let labels = json!({"app": "probe"});
    let (api_version, spec) = match kind {
        "Deployment" => {
            let container = json!({"name": "probe", "image": "hashicorp/http-echo"});
            let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
            let selector = json!({"matchLabels": labels});
            ("apps/v1", json!({"replicas": replicas, "selector": selector, "template": pod}))
        }
        _ => ("v1", json!({"ports": [{"port": 80}]})),
    };
    let probe = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "probe"}, "spec": spec});
    let parameters = PatchParams { dry_run: true, ..PatchParams::apply(FLUX) };
    let api = objects(api_version, kind, "echo")?;
    Ok(api.patch("probe", &parameters, &Patch::Apply(probe)).await?)
}

fn host(domain: &str, path: &str) -> Target {
    Target { host: Some(domain.to_owned()), ..Target::new(proxy_url(), path) }
}
