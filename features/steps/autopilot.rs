//! What the daemon commits, and by what it measures.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cucumber::{given, then, when};
use harness::sample::{Client, Target};
use harness::status::Service;
use harness::wait::Seen;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::rollout::reported;
use crate::wait;
use crate::world::{World, bed, proxy_url};

/// Who commits.
const AUTHOR: &str = "coalmine autopilot";

/// The way of the daemon to the statistics of the proxies, which can be closed.
#[derive(Debug)]
pub(crate) struct Statistics {
    is_open: watch::Sender<bool>,
    _way: AbortOnDropHandle<()>,
}

#[given("coalmine reads what the proxies of the gateway count")]
async fn reads(world: &mut World) -> Result<()> {
    let gateway = bed().gateway_kind();
    let url = bed().proxy_metrics_of(gateway).context("the gateway has no Envoy on loopback")?;
    let rest = url.strip_prefix("http://").context("it is no address of HTTP")?;
    let (envoy, path) = rest.split_once('/').context("the address has no path")?;
    let envoy: SocketAddr = envoy.parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let here = listener.local_addr()?;
    let (is_open, open) = watch::channel(true);
    let way = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut open = open.clone();
            tokio::spawn(async move {
                let Ok(mut envoy) = TcpStream::connect(envoy).await else { return };
                if *open.borrow() {
                    // Connections that are kept end with the way.
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut envoy) => {}
                        _ = open.wait_for(|is_open| !is_open) => {}
                    }
                }
            });
        }
    });
    world.statistics = Some(Statistics { is_open, _way: AbortOnDropHandle::new(way) });
    world.flags.push(("proxy-metrics", format!("{}=http://{here}/{path}", gateway.name())));
    Ok(())
}

#[given(regex = r"^the statistics of the proxies are (away|back)$")]
#[when(regex = r"^the statistics of the proxies are (away|back)$")]
async fn statistics(world: &mut World, how: String) -> Result<()> {
    let statistics = world.statistics.as_ref().context("no step has opened the way to them")?;
    statistics.is_open.send_replace(how == "back");
    Ok(())
}

/// Waits for the next commit of the daemon, which has to be this one.
#[then(regex = r#"^the autopilot commits "([^"]+)"$"#)]
async fn commits(world: &mut World, subject: String) -> Result<()> {
    let before = world.pushed()?.to_owned();
    let repository = world.repository()?.clone();
    let daemon = world.daemon()?;
    let what = format!("the commit {subject:?}");
    let head = wait::until(&what, async || match repository.pushed().await {
        Err(error) => Seen::NotYet(format!("{error:#}")),
        Ok(log) => {
            let mut after = log.iter().take_while(|commit| commit.revision != before);
            // The oldest of those since.
            match after.by_ref().last() {
                Some(commit) => Seen::Done(commit.clone()),
                None => Seen::NotYet("there is none since the last one".into()),
            }
        }
    });
    let head = daemon.process.alive(head).await?;
    ensure!(
        head.subject == subject && head.author == AUTHOR,
        "expected {subject:?}, found {:?} by {}:\n{}",
        head.subject,
        head.author,
        head.message
    );
    world.pushed = Some(head.revision);
    world.message = head.message;
    repository.pull().await
}

#[then(regex = r#"^its commit says "([^"]+)"$"#)]
async fn commit_says(world: &mut World, words: String) -> Result<()> {
    ensure!(world.message.contains(&words), "it says:\n{}", world.message);
    Ok(())
}

#[then(regex = r#"^the pushed "([^"]+)" says "([^"]+)"$"#)]
async fn file_says(world: &mut World, file: String, words: String) -> Result<()> {
    let content = std::fs::read_to_string(world.repository()?.clone_directory().join(&file))?;
    ensure!(content.contains(&words), "{file} says:\n{content}");
    Ok(())
}

/// What must not happen has time to happen.
#[then(regex = r"^the autopilot commits nothing more for (\d+) seconds$")]
async fn commits_nothing(world: &mut World, seconds: u64) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let log = world.repository()?.pushed().await?;
    let newest = log.first().context("an empty branch")?;
    ensure!(
        newest.revision == world.pushed()?,
        "commit {:?} by {}:\n{}",
        newest.subject,
        newest.author,
        newest.message
    );
    Ok(())
}

#[then(regex = r#"^the canary of (\w+) is held because of "([^"]+)"$"#)]
async fn is_held(world: &mut World, service: String, words: String) -> Result<()> {
    let held =
        |report: &Service| report.autopilot["held"].as_str().is_some_and(|it| it.contains(&words));
    reported(world, &service, &format!("{service} held because of {words}"), held).await
}

#[then(regex = r#"^the autopilot of (\w+) waits for "([^"]+)"$"#)]
async fn waits_for(world: &mut World, service: String, words: String) -> Result<()> {
    let waits = |report: &Service| {
        let waits = report.autopilot["waits"].as_array().into_iter().flatten();
        waits.filter_map(|it| it.as_str()).any(|it| it.contains(&words))
    };
    reported(world, &service, &format!("{service}'s autopilot waiting for {words}"), waits).await
}

#[given(regex = r"^the autopilot of (\w+) has measured (\d+) requests of the canary$")]
async fn has_measured(world: &mut World, service: String, requests: u64) -> Result<()> {
    let measured = |report: &Service| {
        let errors = &report.autopilot["analyses"][0];
        errors["canary"]["total"].as_u64().is_some_and(|total| total >= requests)
    };
    reported(world, &service, &format!("{requests} requests of the canary"), measured).await
}

/// Only the canary's pods get what its header leads to. The example's canaries have one pod each.
#[when(regex = r#"^the canary of "([^"]+)" answers (\d+) from now on$"#)]
async fn answers_badly(_: &mut World, path: String, status: u16) -> Result<()> {
    let target = Target::new(proxy_url(), &path).header("stage", "canary");
    let client = Client::new(&target.header("x-answers", status.to_string()))?;
    wait::until(&format!("{status} from the canary"), async || match client.ask().await {
        Ok(version) => Seen::NotYet(format!("answered by {version}")),
        Err(failure) => Seen::when(failure.status == Some(status), failure),
    })
    .await
}

#[when("the git server goes away")]
async fn git_away(world: &mut World) -> Result<()> {
    world.repository()?.hide()
}

#[when("the git server is back")]
async fn git_back(world: &mut World) -> Result<()> {
    world.repository()?.show()
}

#[then(regex = r#"^(\w+) is stalled because of "([^"]+)", whatever is pushed$"#)]
async fn is_stalled(world: &mut World, service: String, why: String) -> Result<()> {
    let stalled = |report: &Service| report.state == "Stalled" && report.says(&why);
    reported(world, &service, &format!("{service} Stalled because of {why}"), stalled).await
}

#[when("the daemon is killed and starts again")]
async fn killed(world: &mut World) -> Result<()> {
    let daemon = world.daemon.take().context("no step has started coalmine")?;
    daemon.process.kill();
    daemon.process.ended().await;
    let repository = world.repository()?.clone();
    world.follow(repository).await
}
