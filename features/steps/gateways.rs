//! Gateways beside the usual one.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use cucumber::{given, then};
use harness::wait::Seen;
use kube::api::{DynamicObject, Patch, PatchParams};
use reqwest::{Certificate, Client, Url, redirect};
use serde_json::{Value, json};

use super::cluster::objects;
use super::gateway::verdict;
use super::rollout::reported;
use crate::wait;
use crate::world::{World, proxy_url};

/// Where the ssl Gateway listens.
const PORT: u16 = 8443;

#[given(regex = r#"^an ssl Gateway with a certificate for "([^"]+)" in the namespace (\S+)$"#)]
async fn ssl_gateway(world: &mut World, domain: String, namespace: String) -> Result<()> {
    let certificate = harness::certificate::Certificate::for_names([domain.as_str()])?;
    world.certificate = Some(certificate.pem());
    let data = json!({"tls.crt": certificate.pem(), "tls.key": certificate.key_pem()});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": domain, "namespace": namespace}, "stringData": data});
    apply(&secret).await?;
    let spec = json!({"bindAddress": "127.0.0.1", "bindPort": PORT, "ssl": true, "httpGateway": {},
        "proxyNames": ["gateway-proxy"]});
    apply(&json!({"apiVersion": "gateway.solo.io/v1", "kind": "Gateway",
        "metadata": {"name": "ssl", "namespace": "gloo-system"}, "spec": spec}))
    .await
}

async fn apply(object: &Value) -> Result<()> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let api = objects(text("/apiVersion"), text("/kind"), text("/metadata/namespace"))?;
    let parameters = PatchParams::apply("kubectl").force();
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let name = object.metadata.name.clone().context("a name")?;
    api.patch(&name, &parameters, &Patch::Apply(&object)).await?;
    Ok(())
}

/// The text is in the body, or where a redirect leads to.
#[then(regex = r#"^"(https?://[^"]+)" answers (\d+) "([^"]+)"$"#)]
async fn answers(world: &mut World, url: String, status: u16, text: String) -> Result<()> {
    let url = Url::parse(&url)?;
    let domain = url.host_str().context("a domain")?;
    let plain: Url = proxy_url().parse()?;
    let port = if url.scheme() == "https" { Some(PORT) } else { plain.port() };
    let address = SocketAddr::from(([127, 0, 0, 1], port.context("a port")?));
    let mut asked = url.clone();
    asked.set_port(port).map_err(|()| anyhow::anyhow!("{url} has no port"))?;
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
    let client = client.resolve(domain, address);
    let client = match &world.certificate {
        Some(pem) => client.tls_certs_only([Certificate::from_pem(pem.as_bytes())?]),
        None => client,
    };
    let (client, host) = (client.build()?, domain.to_owned());
    wait::until(&format!("{status} {text} from {url}"), async || {
        // Virtual hosts are told apart by their domain without a port.
        match client.get(asked.clone()).header("host", &host).send().await {
            Err(error) => Seen::NotYet(format!("{error:#}")),
            Ok(answer) => {
                let code = answer.status().as_u16();
                let leads_to = answer.headers().get("location").cloned();
                let leads_to =
                    leads_to.as_ref().and_then(|it| it.to_str().ok()).unwrap_or_default();
                let body = answer.text().await.unwrap_or_default();
                let fits = code == status && (leads_to == text || body.contains(&text));
                Seen::when(fits, format!("{code} {leads_to}{body}"))
            }
        }
    })
    .await
}

#[then(regex = r#"^(\w+) is served by the Gateways "([^"]+)"$"#)]
async fn is_served_by(world: &mut World, service: String, gateways: String) -> Result<()> {
    let what = format!("{service} served by {gateways}");
    reported(world, &service, &what, |report| report.gateways.join(", ") == gateways).await
}

#[then(regex = r#"^Gloo rejects the Gateway (\S+)/(\S+) because of "([^"]+)"$"#)]
async fn is_rejected(_: &mut World, namespace: String, name: String, word: String) -> Result<()> {
    verdict("Gateway", &namespace, &name, "Rejected", &word).await
}
