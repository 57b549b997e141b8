//! An API server that comes and goes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use cucumber::{given, then, when};
use harness::api_proxy::ApiProxy;
use harness::forward;
use harness::repository::Repository;
use harness::wait::Seen;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::rollout::example;
use crate::wait;
use crate::world::{World, bed};

/// Where the daemon looks for the API server; at first nobody listens there.
const WAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 16_443);

#[given("coalmine follows the example rollouts through an API server that is down")]
async fn follows_without_api_server(world: &mut World) -> Result<()> {
    let repository = Repository::create(world.directory.path(), &example(world)?).await?;
    world.pushed = Some(repository.head().await?);
    let kubeconfig = std::fs::read_to_string(world.account().await?)?;
    let (server, elsewhere) = (api_server()?.to_string(), WAY.to_string());
    anyhow::ensure!(kubeconfig.contains(&server), "the bed's API server is not at {server}");
    let path = world.directory.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig.replace(&server, &elsewhere))?;
    world.follow_with(repository, &path).await
}

#[given(regex = r"^coalmine follows the example rollouts, and lists everything anew every (\w+)$")]
async fn follows_on_schedule(world: &mut World, schedule: String) -> Result<()> {
    let repository = Repository::create(world.directory.path(), &example(world)?).await?;
    world.pushed = Some(repository.head().await?);
    world.flags.push(("schedule", schedule));
    let account = world.account().await?;
    let kubeconfig = world.directory.path().join("kubeconfig");
    world.proxy = Some(ApiProxy::start(&account, &kubeconfig).await?);
    world.follow_with(repository, &kubeconfig).await
}

#[when(regex = "^no watch of (\\w+) tells anything any more$")]
async fn watches_are_silent(world: &mut World, plural: String) -> Result<()> {
    let proxy = world.proxy.as_ref().context("no step has put a proxy before the API server")?;
    world.withheld = Some(proxy.withhold(move |request| request.is_about(&plural)));
    Ok(())
}

#[when("the API server is up again")]
async fn is_up_again(world: &mut World) -> Result<()> {
    let listener = TcpListener::bind(WAY).await.context("cannot open the way")?;
    let way = tokio::spawn(forward::serve(listener, api_server()?));
    world.way = Some(AbortOnDropHandle::new(way));
    Ok(())
}

fn api_server() -> Result<SocketAddr> {
    bed().api_server().context("this bed's API server has no address of this machine")
}

#[then(regex = r#"^the source says "([^"]+)"$"#)]
async fn source_says(world: &mut World, words: String) -> Result<()> {
    let daemon = world.daemon()?;
    let what = format!("the error {words}");
    let said = wait::until(&what, async || match daemon.status.get().await {
        Err(error) => Seen::NotYet(format!("{error:#}")),
        Ok(status) => {
            let error = status.source.error.unwrap_or_default();
            Seen::when(error.contains(&words), error)
        }
    });
    daemon.process.alive(said).await
}
