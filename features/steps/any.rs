//! The services of a repository that nobody has told anything about.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use cucumber::{given, then, when};
use harness::bed::Kind;
use harness::distribution::Expected;
use harness::load::Load;
use harness::repository::Repository;
use harness::sample::Target;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Map, Value, json};

use super::rollout::{example, reported};
use super::traffic::{LOAD, split};
use crate::values::{Service, Values};
use crate::world::{World, bed, proxy_url};

/// The header of the first phase, and what it says.
const HEADER: (&str, &str) = ("stage", "canary");
/// By how much the canary's share grows at a time, if `policy.maxStep` does not ask for less.
const SHARE: u8 = 50;

/// A part of a values file.
type Object = Map<String, Value>;

/// The versions of a service between which it goes.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    from: String,
    to: String,
}

#[given("coalmine follows the rollouts")]
async fn follows_the_rollouts(world: &mut World) -> Result<()> {
    let folder = match harness::rollouts() {
        Some(_) if bed().kind() == Kind::Existing => {
            bail!("on a cluster of theirs this would change their services; use another bed")
        }
        Some(theirs) => theirs,
        None => example(world)?,
    };
    let repository = Repository::create(world.directory.path(), &folder).await?;
    world.pushed = Some(repository.head().await?);
    let values = values(&repository)?;
    for (name, service) in &values.services {
        make_namespace(&values, &service.namespace).await?;
        match walk(service) {
            Ok(walk) => drop(world.walks.insert(name.clone(), walk)),
            Err(reason) => println!("{name} brings out nothing: {reason}"),
        }
    }
    ensure!(!world.walks.is_empty(), "{} has no service to bring out", folder.display());
    world.follow(repository).await
}

/// Makes a namespace that the repository takes for granted.
async fn make_namespace(values: &Values, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(bed().client());
    let is_asked_for = values.namespaces.iter().any(|namespace| namespace == name);
    if is_asked_for || namespaces.get_opt(name).await?.is_some() {
        return Ok(());
    }
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &namespace).await?;
    Ok(())
}

/// From where to where: on with the canary if there is one, else to a copy of the primary.
fn walk(service: &Service) -> Result<Walk> {
    let from = service.primary.clone();
    ensure!(service.versions.get(&from) == Some(&true), "{from} is not deployed by its values");
    path(service)?;
    let to = match &service.canary {
        Some(canary) => canary.version.clone(),
        None => {
            let mut names = (2..).map(|number| format!("v{number}"));
            let free = names.find(|name| !service.versions.contains_key(name));
            free.context("there is always another number")?
        }
    };
    Ok(Walk { from, to })
}

/// A path that its routes have, for requests.
fn path(service: &Service) -> Result<&str> {
    service.path.as_deref().context("none of its paths can be asked with a plain GET")
}

#[given("constant load on every service")]
async fn load(world: &mut World) -> Result<()> {
    for target in targets(world).await?.into_values() {
        world.loads.push(Load::start([(target.path.clone(), target)], LOAD)?);
    }
    Ok(())
}

#[then("every service is ready and answers by its values")]
async fn answer_by_their_values(world: &mut World) -> Result<()> {
    let pushed = world.pushed()?.to_owned();
    for name in world.walks.keys() {
        let what = format!("{name} to be as revision {pushed} says");
        reported(world, name, &what, |report| report.has_applied(&pushed)).await?;
    }
    let values = values(world.repository()?)?;
    for (name, target) in targets(world).await? {
        let service = service(&values, &name)?;
        let answer = |version: &str| format!("{name}-{version}");
        let shares = service.shares().into_iter().filter(|(_, share)| *share > 0);
        let shares = shares.map(|(version, share)| (answer(version), share));
        split(world, &target, &Expected::new(shares)?).await?;
        if let Some(canary) = &service.canary
            && canary.headers.iter().any(|header| header == HEADER.0)
        {
            let target = target.header(HEADER.0, HEADER.1);
            split(world, &target, &Expected::only(answer(&canary.version))).await?;
        }
    }
    Ok(())
}

#[when("every service deploys its next version")]
async fn deploy(world: &mut World) -> Result<()> {
    edit_all(world, "Deploy the next version", |file, walk| {
        let versions = part(file, "deployment")?;
        let like = versions.get(&walk.from).cloned().unwrap_or_else(|| json!({}));
        versions.entry(&walk.to).or_insert(like);
        Ok(())
    })
    .await
}

#[when("every next version gets the requests with a header")]
async fn test_by_header(world: &mut World) -> Result<()> {
    edit_all(world, "Requests with a header go to the next version", |file, walk| {
        let canary = part(part(file, "routes")?, "canary")?;
        canary.insert("version".into(), json!(walk.to));
        canary.insert("headers".into(), json!({HEADER.0: HEADER.1}));
        canary.entry("weight").or_insert(json!(0));
        Ok(())
    })
    .await
}

#[when("every next version gets a bigger share, and so on until it has all")]
async fn shift(world: &mut World) -> Result<()> {
    let most = values(world.repository()?)?.max_step;
    let step = most.map_or(SHARE, |most| most.clamp(1, SHARE));
    let mut share = 0;
    while share < 100 {
        share = 100.min(share + step);
        edit_all(world, &format!("{share} % for the next version"), |file, _| {
            let canary = part(part(file, "routes")?, "canary")?;
            let before = canary.get("weight").and_then(Value::as_u64).unwrap_or(0);
            canary.insert("weight".into(), json!(before.max(share.into())));
            Ok(())
        })
        .await?;
        answer_by_their_values(world).await?;
    }
    Ok(())
}

#[when("every service goes on with its next version alone")]
async fn finish(world: &mut World) -> Result<()> {
    edit_all(world, "Nothing but the next version", |file, walk| {
        part(file, "deployment")?.remove(&walk.from);
        let routes = part(file, "routes")?;
        routes.remove("canary");
        part(routes, "primary")?.insert("version".into(), json!(walk.to));
        Ok(())
    })
    .await
}

#[then("nothing is left of the versions before")]
async fn nothing_is_left(world: &mut World) -> Result<()> {
    let values = values(world.repository()?)?;
    for (name, walk) in &world.walks {
        let namespace = &service(&values, name)?.namespace;
        let deployments: Api<Deployment> = Api::namespaced(bed().client(), namespace);
        let old = format!("{name}-{}", walk.from);
        ensure!(
            deployments.get_opt(&old).await?.is_none(),
            "Deployment {namespace}/{old} is there"
        );
    }
    Ok(())
}

/// Changes the files of all services in one commit.
async fn edit_all(
    world: &mut World,
    message: &str,
    edit: impl Fn(&mut Object, &Walk) -> Result<()>,
) -> Result<()> {
    let repository = world.repository()?;
    let values = values(repository)?;
    for (name, walk) in &world.walks {
        let file = &service(&values, name)?.file;
        let text = fs::read_to_string(repository.clone_directory().join(file))?;
        let mut content: Object = serde_yaml::from_str(&text).with_context(|| file.clone())?;
        edit(&mut content, walk).with_context(|| file.clone())?;
        repository.write(file, &serde_yaml::to_string(&content)?)?;
    }
    repository.commit(message).await?;
    world.pushed = Some(repository.push().await?.revision);
    Ok(())
}

/// The mapping at a key, a new one if there is none.
fn part<'a>(file: &'a mut Object, key: &str) -> Result<&'a mut Object> {
    let value = file.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().with_context(|| format!("{key} is no mapping"))
}

fn values(repository: &Repository) -> Result<Values> {
    Values::read(repository.clone_directory())
}

fn service<'a>(values: &'a Values, name: &str) -> Result<&'a Service> {
    values.services.get(name).with_context(|| format!("there is no service {name}"))
}

/// How each service is asked: at its path, and by its domain where it has one of its own.
async fn targets(world: &World) -> Result<BTreeMap<String, Target>> {
    let values = values(world.repository()?)?;
    let status = world.daemon()?.status.get().await?;
    let target = |name: &String| {
        let report = status.service(name).with_context(|| format!("the daemon forgot {name}"))?;
        let target = report.target(&proxy_url()).with_context(|| format!("{name} has no path"))?;
        Ok((name.clone(), Target { path: path(service(&values, name)?)?.into(), ..target }))
    };
    world.walks.keys().map(target).collect()
}
