//! Who answers, how often, and whether anybody ever goes without an answer.

use std::cell::RefCell;

use anyhow::{Context, Result, bail, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then};
use harness::distribution::{Expected, check};
use harness::load::Load;
use harness::sample::{Client, Failure, Target, converge, sample};
use harness::wait::Seen;

use crate::wait;
use crate::world::{World, proxy_url};

/// Requests per check (design, section 9).
const SAMPLE: u64 = 2_000;
/// Requests of a look at whether the shares have changed.
const GLANCE: u64 = 200;
/// Connections that a check uses.
const CONNECTIONS: usize = 8;
/// Requests per second of a constant load.
pub(super) const LOAD: u32 = 50;
/// Requests of a check of answers that no version gives.
const REFUSALS: u64 = 100;

#[given(regex = r#"^every request to "([^"]+)" is answered by (\S+)$"#)]
#[then(regex = r#"^every request to "([^"]+)" is answered by (\S+)$"#)]
async fn all_answered_by(world: &mut World, path: String, version: String) -> Result<()> {
    split(world, &target(&path), &Expected::only(version)).await
}

#[then(
    regex = r#"^every request to "([^"]+)" with the header "([^":]+): ([^"]*)" is answered by (\S+)$"#
)]
async fn all_with_header_answered_by(
    world: &mut World,
    path: String,
    name: String,
    value: String,
    version: String,
) -> Result<()> {
    split(world, &target(&path).header(name, value), &Expected::only(version)).await
}

#[given(regex = r#"^the requests to "([^"]+)" are answered by:$"#)]
#[then(regex = r#"^the requests to "([^"]+)" are answered by:$"#)]
async fn answered_by_several(world: &mut World, path: String, step: &Step) -> Result<()> {
    split(world, &target(&path), &shares(step)?).await
}

#[then(
    regex = r#"^the requests to "([^"]+)" with the header "([^":]+): ([^"]*)" are answered by:$"#
)]
async fn with_header_answered_by_several(
    world: &mut World,
    path: String,
    name: String,
    value: String,
    step: &Step,
) -> Result<()> {
    split(world, &target(&path).header(name, value), &shares(step)?).await
}

pub(super) fn shares(step: &Step) -> Result<Expected> {
    let table = step.table.as_ref().context("the step needs a table of versions and shares")?;
    let mut shares = Vec::new();
    for row in &table.rows {
        let [version, share] = row.as_slice() else { bail!("a row is a version and its share") };
        shares.push((version.clone(), share.parse()?));
    }
    Ok(Expected::new(shares)?)
}

#[given(regex = r#"^every request to "([^"]+)" is answered with (\d+)$"#)]
#[then(regex = r#"^every request to "([^"]+)" is answered with (\d+)$"#)]
async fn refused(world: &mut World, path: String, status: u16) -> Result<()> {
    all_refused(world, target(&path), status, "").await
}

#[then(
    regex = r#"^every request to "([^"]+)" with the header "([^":]+): ([^"]*)" is answered with (\d+)(?: "([^"]*)")?$"#
)]
async fn refused_with_header(
    world: &mut World,
    path: String,
    name: String,
    value: String,
    status: u16,
    body: String,
) -> Result<()> {
    all_refused(world, target(&path).header(name, value), status, &body).await
}

/// Nobody else answers, and nothing else goes wrong.
#[then(regex = r#"^the requests to "([^"]+)" are answered by (\S+), or with (\d+)$"#)]
async fn answered_or_refused(
    _: &mut World,
    path: String,
    version: String,
    status: u16,
) -> Result<()> {
    let target = target(&path);
    wait::until(&format!("{version} or {status} from {path}"), async || {
        let sample = match sample(&target, GLANCE, CONNECTIONS).await {
            Ok(sample) => sample,
            Err(error) => return Seen::NotYet(format!("{error:#}")),
        };
        let is_refusal = |failure: &Failure| failure.status == Some(status);
        let both = !(sample.failed.is_empty() || sample.by_version.is_empty());
        let fits = sample.failed.iter().all(is_refusal)
            && sample.by_version.keys().all(|answered| *answered == version);
        Seen::when(
            both && fits,
            format!("{:?}, and failures {:?}", sample.by_version, sample.failed),
        )
    })
    .await
}

#[given(regex = r#"^constant load on "([^"]+)"$"#)]
async fn load(world: &mut World, path: String) -> Result<()> {
    world.loads.push(Load::start([(path.clone(), target(&path))], LOAD)?);
    Ok(())
}

/// Eight connections, each of which asks again as soon as it is answered.
#[given(
    regex = r#"^load at full speed on "([^"]+)", with the header "([^":]+): ([^"]*)" and without$"#
)]
async fn full_load(world: &mut World, path: String, name: String, value: String) -> Result<()> {
    let marked = (format!("{path} with {name}"), target(&path).header(name, value));
    let targets = [(path.clone(), target(&path)), marked];
    let each = CONNECTIONS / targets.len();
    world.loads.push(Load::start_at_full_speed(targets, each)?);
    Ok(())
}

#[then("no request of the load has failed")]
async fn no_request_failed(world: &mut World) -> Result<()> {
    ensure!(!world.loads.is_empty(), "no step has started a load");
    let loads = std::mem::take(&mut world.loads);
    end_unfailed(world, loads).await
}

/// Ends loads of which no request may have failed.
pub(super) async fn end_unfailed(world: &mut World, loads: Vec<Load>) -> Result<()> {
    for load in loads {
        for (path, total) in load.stop().await {
            ensure!(total.requests > 0, "the load on {path} made no request");
            if let Some(first) = total.failures.first() {
                bail!(
                    "{} of {} requests to {path} failed, the first: {first}",
                    total.failed,
                    total.requests
                );
            }
            world.ended_loads.push((path, total));
        }
    }
    Ok(())
}

fn target(path: &str) -> Target {
    Target::new(proxy_url(), path)
}

/// The load on a path of this proxy: the path alone is that of the gateway which steps ask that name none.
pub(super) fn load_name(url: &str, path: &str) -> String {
    if url == proxy_url() { path.to_owned() } else { format!("{path} through {url}") }
}

/// Converges first, then takes one sample and judges it: no second try. Under load a probe may fail as
/// little as the load itself, unless it is known that nobody answered.
pub(super) async fn split(world: &World, target: &Target, expected: &Expected) -> Result<()> {
    let versions = expected.versions();
    let deadline = wait::deadline(&format!("{} did not converge to {versions:?}", target.path));
    let failed = RefCell::new(converge(target, &versions, deadline).await?);
    // Other shares of the same versions may still be on their way to the proxy.
    wait::until(&format!("the shares of {}", target.path), async || {
        match sample(target, GLANCE, CONNECTIONS).await {
            Ok(glance) => {
                let verdict = check(expected, &glance);
                failed.borrow_mut().extend(glance.failed);
                Seen::when(verdict.passed, verdict.message)
            }
            Err(error) => Seen::NotYet(format!("{error:#}")),
        }
    })
    .await?;
    let failed = failed.into_inner();
    if let Some(first) = failed.first()
        && !world.refused.contains(target)
        && world.loads.iter().any(|load| load.is_on(&load_name(&target.url, &target.path)))
    {
        bail!("{}: failed on the way: {}, the first: {first}", target.path, failed.len());
    }
    let verdict = check(expected, &sample(target, SAMPLE, CONNECTIONS).await?);
    ensure!(verdict.passed, "{}: {}", target.path, verdict.message);
    Ok(())
}

/// Waits for the first refusal of this kind, then expects nothing else.
async fn all_refused(world: &mut World, target: Target, status: u16, body: &str) -> Result<()> {
    let client = Client::new(&target)?;
    let refusal = async || match client.ask().await {
        Ok(version) => Seen::NotYet(format!("answered by {version}")),
        Err(failure) => {
            let fits = failure.status == Some(status) && failure.detail.contains(body);
            Seen::when(fits, failure)
        }
    };
    wait::until(&format!("{status} from {}", target.path), refusal).await?;
    for _ in 0..REFUSALS {
        if let Seen::NotYet(other) = refusal().await {
            bail!("{}: expected {status} {body:?} every time, got: {other}", target.path);
        }
    }
    world.refused.push(target);
    Ok(())
}
