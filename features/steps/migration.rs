//! Two gateways before the same pods: the one that every other step asks, and the other one.

use anyhow::{Context, Result, anyhow, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use harness::bed::GatewayKind;
use harness::distribution::{Expected, check};
use harness::load::Load;
use harness::sample::{Sample, Target};
use harness::status::Service;
use harness::wait::Seen;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;

use super::cluster::{objects, objects_of};
use super::gateway::verdict;
use super::others::everything;
use super::rollout::reported;
use super::traffic::{LOAD, end_unfailed, load_name, shares, split};
use crate::wait;
use crate::world::{World, bed};

/// Who applies by hand.
const BY_HAND: &str = "kubectl";

/// What the other gateway is called in the steps.
const OTHER: &str = "the other gateway";

fn other() -> Result<GatewayKind> {
    bed().gateways().second.context("the bed has one gateway alone")
}

/// The proxies that these words of a step mean.
fn proxies(words: &str) -> Result<Vec<String>> {
    let bed = bed();
    let first = (words != OTHER).then(|| bed.gateway_kind());
    let second = if words == "Gloo" { None } else { Some(other()?) };
    let gateways = [first, second].into_iter().flatten();
    gateways
        .map(|gateway| bed.proxy_url_of(gateway).context("the bed has no such gateway"))
        .collect()
}

#[given("the other gateway serves the routes of the example")]
async fn serves_routes(world: &mut World) -> Result<()> {
    if let Some((file, content)) = harness::gateway_route(other()?) {
        push(world, file, &content).await?;
    }
    Ok(())
}

#[given(regex = r#"^the platform team pushes "coalmine.yaml" with the api ([\w-]+)$"#)]
#[when(regex = r#"^the platform team pushes "coalmine.yaml" with the api ([\w-]+)$"#)]
async fn pushes_api(world: &mut World, api: String) -> Result<()> {
    let settings = harness::gateway_settings(other()?).context("it is no gateway of that API")?;
    let settings = settings.replace("api: gateway-api", &format!("api: {api}"));
    push(world, "coalmine.yaml", &format!("timing: {{settle: 2s}}\n{settings}")).await
}

async fn push(world: &mut World, file: &str, content: &str) -> Result<()> {
    let repository = world.repository()?;
    repository.write(file, content)?;
    repository.commit(&format!("platform: {file}")).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[then(
    regex = r#"^every request to "([^"]+)" through (the other gateway|both gateways) is answered by (\S+)$"#
)]
async fn all_answered_by(
    world: &mut World,
    path: String,
    through: String,
    version: String,
) -> Result<()> {
    ask(world, &through, |url| Target::new(url, &path), &Expected::only(version)).await
}

#[then(
    regex = r#"^every request to "([^"]+)" with the header "([^":]+): ([^"]*)" through (the other gateway|both gateways) is answered by (\S+)$"#
)]
async fn all_with_header_answered_by(
    world: &mut World,
    path: String,
    name: String,
    value: String,
    through: String,
    version: String,
) -> Result<()> {
    let target = |url| Target::new(url, &path).header(&name, &value);
    ask(world, &through, target, &Expected::only(version)).await
}

#[then(
    regex = r#"^the requests to "([^"]+)" through (the other gateway|both gateways) are answered by:$"#
)]
async fn answered_by_several(
    world: &mut World,
    path: String,
    through: String,
    step: &Step,
) -> Result<()> {
    ask(world, &through, |url| Target::new(url, &path), &shares(step)?).await
}

async fn ask(
    world: &World,
    through: &str,
    target: impl Fn(String) -> Target,
    expected: &Expected,
) -> Result<()> {
    for url in proxies(through)? {
        let target = target(url);
        let answered = split(world, &target, expected).await;
        answered.map_err(|error| anyhow!("by {}: {error:#}", target.url))?;
    }
    Ok(())
}

#[given(regex = r#"^constant load on "([^"]+)" through the other gateway$"#)]
async fn load(world: &mut World, path: String) -> Result<()> {
    begin(world, &path, OTHER)
}

/// The load on a path through one of the gateways.
fn load_name_through(path: &str, through: &str) -> Result<String> {
    let urls = proxies(through)?;
    Ok(load_name(urls.first().context("a proxy")?, path))
}

fn begin(world: &mut World, path: &str, through: &str) -> Result<()> {
    let urls = proxies(through)?;
    let url = urls.first().context("a proxy")?;
    world.loads.push(Load::start([(load_name(url, path), Target::new(url, path))], LOAD)?);
    Ok(())
}

/// Clients make new connections to where they move, and end those that they have.
#[when(regex = r#"^the clients of "([^"]+)" move to (the other gateway|Gloo)$"#)]
async fn move_to(world: &mut World, path: String, to: String) -> Result<()> {
    let from = if to == OTHER { "Gloo" } else { OTHER };
    let (there, here) = (load_name_through(&path, &to)?, load_name_through(&path, from)?);
    if !world.loads.iter().any(|load| load.is_on(&there)) {
        begin(world, &path, &to)?;
    }
    let at = world.loads.iter().position(|load| load.is_on(&here));
    let load = world.loads.remove(at.with_context(|| format!("no load on {here}"))?);
    end_unfailed(world, vec![load]).await
}

/// Every load that there was, each by itself, from its first request to its last.
#[then(regex = r#"^the requests of each load on "([^"]+)" were answered by:$"#)]
async fn loads_answered_by(world: &mut World, path: String, step: &Step) -> Result<()> {
    let expected = shares(step)?;
    let names = [load_name_through(&path, "Gloo")?, load_name_through(&path, OTHER)?];
    let running = world.loads.iter().flat_map(Load::totals);
    let totals: Vec<_> = running
        .chain(world.ended_loads.iter().cloned())
        .filter(|(name, _)| names.contains(name))
        .collect();
    ensure!(!totals.is_empty(), "no step has started a load on {path}");
    for (name, total) in totals {
        let sample = Sample {
            requests: total.requests,
            failed: total.failures,
            by_version: total.by_version,
        };
        let verdict = check(&expected, &sample);
        ensure!(verdict.passed, "the load on {name}: {}", verdict.message);
    }
    Ok(())
}

#[then(regex = r"^Gloo accepts the RouteTable (\S+)/(\S+)$")]
async fn gloo_accepts(_: &mut World, namespace: String, name: String) -> Result<()> {
    verdict("RouteTable", &namespace, &name, "Accepted", "").await
}

#[then(regex = r"^the other gateway accepts the HTTPRoute (\S+)/(\S+)$")]
async fn other_accepts(_: &mut World, namespace: String, name: String) -> Result<()> {
    let routes = objects("gateway.networking.k8s.io/v1", "HTTPRoute", &namespace)?;
    wait::until(&format!("HTTPRoute {namespace}/{name} accepted"), async || {
        match routes.get_opt(&name).await {
            Err(error) => Seen::NotYet(error.to_string()),
            Ok(None) => Seen::NotYet("it does not exist".into()),
            Ok(Some(route)) => {
                let status = &route.data["status"];
                let is_accepted = is_accepted(status, route.metadata.generation);
                Seen::when(is_accepted, status)
            }
        }
    })
    .await
}

/// Whether every parent accepts the present generation.
fn is_accepted(status: &Value, generation: Option<i64>) -> bool {
    let parents = status["parents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says = |parent: &Value, wanted: &str| {
        let mut conditions = parent["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| {
            condition["type"] == *wanted
                && condition["status"] == "True"
                && condition["observedGeneration"].as_i64() == generation
        })
    };
    let accepts = |parent| ["Accepted", "ResolvedRefs"].iter().all(|it| says(parent, it));
    !parents.is_empty() && parents.iter().all(accepts)
}

#[then(regex = r"^no (RouteTable|Upstream|HTTPRoute) of (\w+) is left$")]
async fn none_is_left(_: &mut World, kind: String, service: String) -> Result<()> {
    // A service has a namespace of its name.
    let api = objects_of(&kind, &service)?;
    let label = format!("coalmine.dev/service={service}");
    wait::until(&format!("no {kind} of {service}"), async || {
        match api.list_metadata(&ListParams::default().labels(&label)).await {
            Ok(list) => {
                let names: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
                Seen::when(names.is_empty(), names.join(", "))
            }
            Err(error) => Seen::NotYet(error.to_string()),
        }
    })
    .await
}

#[given("everything that was applied by hand is known")]
async fn by_hand_is_known(world: &mut World) -> Result<()> {
    let is_by_hand = |object: &Value| {
        let mut fields = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        fields.any(|entry| entry["manager"] == BY_HAND)
    };
    let objects = everything().await?.into_iter().filter(|(_, object)| is_by_hand(object));
    world.company.objects = objects.collect();
    ensure!(!world.company.objects.is_empty(), "nobody has applied anything by hand");
    Ok(())
}

#[given("coalmine reads what the proxies of both gateways count")]
async fn reads_counters(world: &mut World) -> Result<()> {
    // The other one's is read anyway.
    let url = bed().proxy_metrics_of(GatewayKind::Gloo).context("Gloo has no Envoy on loopback")?;
    world.flags.push(("proxy-metrics", format!("gloo={url}")));
    Ok(())
}

#[then(regex = r"^requests of (\w+) come by gloo and gateway-api$")]
async fn come_by_both(world: &mut World, service: String) -> Result<()> {
    // Those of an earlier step are still in the rate of the last seconds, and say nothing of now.
    let begun = Timestamp::now();
    let by_both = |report: &Service| {
        let comes = |api: &str| {
            let mut requests = report.requests.iter();
            requests.any(|it| {
                it.api == api
                    && it.per_second.is_some_and(|rate| rate > 1.0)
                    && it.last_request_at.is_some_and(|last| last > begun)
            })
        };
        comes("gloo") && comes("gateway-api")
    };
    reported(world, &service, &format!("requests of {service} by both gateways"), by_both).await
}

#[then(regex = r"^the requests of (\w+) are not measured$")]
async fn are_not_measured(world: &mut World, service: String) -> Result<()> {
    let what = format!("no figures of requests of {service}");
    reported(world, &service, &what, |report| report.requests.is_empty()).await
}
