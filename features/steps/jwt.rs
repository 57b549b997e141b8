//! Tokens: who issues them, and who gets in by one.

use anyhow::{Context, Result, bail, ensure};
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use harness::bed::GatewayKind;
use harness::distribution::Expected;
use harness::issuer::{Flaw, ISSUER, Issuer};
use harness::sample::{Client, Target};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Map, Value};

use super::cluster::objects;
use super::traffic::split;
use crate::flaw;
use crate::world::{World, bed, proxy_url};

/// What stands for the issuer's keys in a pushed file, and for its name.
const KEYS: &str = "<keys>";
const NAME: &str = "<issuer>";
/// How often each request is made that nobody but the primary, or nobody at all, may answer.
const TRIES: usize = 50;

#[given("an issuer of tokens")]
async fn issuer(world: &mut World) -> Result<()> {
    world.issuer = Some(Issuer::new()?);
    Ok(())
}

#[given(regex = r#"^the (\w+) team pushes "([^"]+)" with the keys of the issuer:$"#)]
#[when(regex = r#"^the (\w+) team pushes "([^"]+)" with the keys of the issuer:$"#)]
async fn pushes(world: &mut World, team: String, file: String, step: &Step) -> Result<()> {
    let content = step.docstring.as_deref().context("the step needs the file's content")?;
    let content = content.trim_start().replace(KEYS, &known(world)?.jwks()).replace(NAME, ISSUER);
    let repository = world.repository()?;
    repository.write(&file, &flaw::read(&content))?;
    repository.commit(&format!("{team}: {file}")).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

#[then(regex = r#"^every request to "([^"]+)" with a token of "([^"]*)" is answered by (\S+)$"#)]
async fn all_with_token_answered_by(
    world: &mut World,
    path: String,
    said: String,
    version: String,
) -> Result<()> {
    let token = known(world)?.token(&claims(&said)?)?;
    split(world, &with_token(&path, &token), &Expected::only(version)).await
}

#[then(
    regex = r#"^every request to "([^"]+)" with the header "([^":]+): ([^"]*)" and a token of "([^"]*)" is answered by (\S+)$"#
)]
async fn all_with_header_and_token_answered_by(
    world: &mut World,
    path: String,
    name: String,
    value: String,
    said: String,
    version: String,
) -> Result<()> {
    let token = known(world)?.token(&claims(&said)?)?;
    let target = with_token(&path, &token).header(name, value);
    split(world, &target, &Expected::only(version)).await
}

/// Each row is a token, and what comes of a request with it, and with it and the headers that a gateway makes of its
/// claims, written by hand.
#[then(regex = r#"^requests to "([^"]+)" of the service in (\S+) end like this:$"#)]
async fn end_like_this(
    world: &mut World,
    path: String,
    namespace: String,
    step: &Step,
) -> Result<()> {
    let headers = guarded_headers(world, &namespace).await?;
    let table = step.table.as_ref().context("the step needs a table")?;
    for row in table.rows.iter().skip(1) {
        let [what, alone, by_hand] = row.as_slice() else { bail!("a row has three columns") };
        let token = match what.split_once(": ").unwrap_or((what, "")) {
            ("no token", _) => None,
            ("valid", said) => Some(known(world)?.token(&claims(said)?)?),
            (flaw, said) => Some(known(world)?.flawed(flaw_of(flaw)?, &claims(said)?)?),
        };
        let target = |headers: &[(String, String)]| {
            let plain = match &token {
                Some(token) => with_token(&path, token),
                None => Target::new(proxy_url(), &path),
            };
            headers.iter().fold(plain, |target, (name, value)| target.header(name, value))
        };
        every_time(&target(&[]), alone, what).await?;
        every_time(&target(&headers), by_hand, &format!("{what}, with {headers:?}")).await?;
    }
    Ok(())
}

/// Makes a request again and again, of which each has to end as expected: a version, or a status.
async fn every_time(target: &Target, expected: &str, what: &str) -> Result<()> {
    let client = Client::new(target)?;
    for _ in 0..TRIES {
        let ended = match client.ask().await {
            Ok(version) => version,
            Err(failure) => match failure.status {
                Some(status) => status.to_string(),
                None => bail!("{what}: {failure}"),
            },
        };
        ensure!(ended == expected, "{what}: expected {expected}, got {ended}");
    }
    Ok(())
}

/// The headers by which rules look at claims, with the values that lead to the canary.
async fn guarded_headers(world: &World, namespace: &str) -> Result<Vec<(String, String)>> {
    let routes = objects("gateway.networking.k8s.io/v1", "HTTPRoute", namespace)?;
    let routes = routes.list(&ListParams::default()).await?;
    let rules = routes.iter().filter_map(|route| route.data["spec"]["rules"].as_array()).flatten();
    let matches = rules.filter_map(|rule| rule["matches"].as_array()).flatten();
    let headers = matches.filter_map(|it| it["headers"].as_array()).flatten();
    let text = |header: &Value, field: &str| header[field].as_str().unwrap_or_default().to_owned();
    let headers = headers.map(|it| (text(it, "name"), text(it, "value")));
    let found: Vec<_> = headers.filter(|(name, _)| name.contains("claim")).collect();
    ensure!(!found.is_empty(), "no rule looks at a claim at {}", world.pushed()?);
    Ok(found)
}

#[then(regex = r"^there is no policy in the namespace (\S+)$")]
async fn no_policy(_world: &mut World, namespace: String) -> Result<()> {
    let kinds = match bed().gateway_kind() {
        GatewayKind::Kgateway => vec![
            ("gateway.kgateway.dev/v1alpha1", "TrafficPolicy"),
            ("gateway.kgateway.dev/v1alpha1", "GatewayExtension"),
        ],
        _ => vec![("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy")],
    };
    for (api_version, kind) in kinds {
        let found = objects(api_version, kind, &namespace)?.list(&ListParams::default()).await?;
        let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
        ensure!(names.is_empty(), "{kind} of {namespace}: {}", names.join(", "));
    }
    Ok(())
}

fn flaw_of(name: &str) -> Result<Flaw> {
    Ok(match name {
        "expired" => Flaw::Expired,
        "of another issuer" => Flaw::OtherIssuer,
        "unsigned" => Flaw::Unsigned,
        "signed with another key" => Flaw::OtherKey,
        "changed" => Flaw::Changed,
        other => bail!("{other:?} is no flaw of a token"),
    })
}

/// Claims as a table writes them: `stage=canary realm.tier=gold`.
fn claims(said: &str) -> Result<Map<String, Value>> {
    let mut claims = Map::new();
    for claim in said.split_whitespace() {
        let (name, value) = claim.split_once('=').context("a claim is NAME=VALUE")?;
        claims.insert(name.to_owned(), value.into());
    }
    Ok(claims)
}

fn with_token(path: &str, token: &str) -> Target {
    Target::new(proxy_url(), path).header("authorization", format!("Bearer {token}"))
}

fn known(world: &World) -> Result<&Issuer> {
    world.issuer.as_ref().context("no step has made an issuer")
}
