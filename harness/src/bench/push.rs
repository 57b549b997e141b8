//! From a pushed weight change to the RouteTable in the API server.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Push, Requests, Spread, seconds},
    fleet::{self, has_weight},
    observer::{Observer, Seen},
    stage::{Followed, Stage, quiet},
};
use crate::{api_proxy::Tally, repository::BRANCH};

/// How long one push may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pushes in a row that may come to nothing.
const VAIN: usize = 2;

/// Gives the service whose weight moves pods, and waits until they are there.
pub(super) async fn furnish(
    observer: &mut Observer,
    followed: &mut Followed,
    limit: Duration,
) -> Result<()> {
    let moving = followed.moving;
    followed.repository.write(&moving.file(), &moving.values(1, fleet::weight(0)))?;
    followed.repository.commit("Pods").await?;
    followed.repository.push().await?;
    followed.webhook.announce(BRANCH).await?;
    observer.rest(limit).await;
    Ok(())
}

/// Pushes another label of the one service that moves, and tells the daemon.
pub(super) async fn relabel(followed: &mut Followed) -> Result<()> {
    followed.pushes += 1;
    let moving = followed.moving;
    followed.repository.write(&moving.file(), &moving.labelled(followed.pushes))?;
    followed.repository.commit(&format!("Label {}", followed.pushes)).await?;
    followed.repository.push().await?;
    followed.webhook.announce(BRANCH).await
}

/// Pushes one weight after the other, each when all is quiet again, and tells the daemon if it
/// `announces`.
pub(super) async fn measure(
    stage: &Stage,
    observer: &mut Observer,
    followed: &mut Followed,
    announces: bool,
    pushes: usize,
    limit: Duration,
) -> Result<Push> {
    let table = followed.moving.table();
    let end = Instant::now() + limit;
    let (mut applied, mut with_push, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    let mut missed = 0;
    for _ in 0..pushes {
        if Instant::now() >= end || missed >= VAIN {
            break;
        }
        followed.pushes += 1;
        let weight = fleet::weight(followed.pushes);
        let moving = followed.moving;
        followed.repository.write(&moving.file(), &moving.values(1, weight))?;
        followed.repository.commit(&format!("{weight} %")).await?;
        observer.skip();
        let mark = stage.proxy.mark();
        let pushed = followed.repository.push().await?.at;
        let through = Instant::now();
        if announces {
            followed.webhook.announce(BRANCH).await?;
        }
        let fits = |seen: &Seen| seen.id == table && has_weight(&seen.spec, weight);
        match observer.when(PATIENCE, fits).await {
            None => missed += 1,
            Some(at) => {
                applied.push(seconds(through, at));
                with_push.push(seconds(pushed, at));
                quiet(&stage.proxy, mark, PATIENCE).await;
                costs.push(Requests::of(&stage.proxy.since(mark)));
            }
        }
    }
    let requests = Spread::of(costs.iter().map(|cost| cost.objects as f64));
    let typical = costs.iter().find(|cost| cost.objects as f64 == requests.p50);
    Ok(Push {
        applied: Spread::of(applied),
        with_git_push: Spread::of(with_push),
        typical: typical.map_or_else(Tally::new, |cost| cost.by_sort.clone()),
        requests,
        missed,
    })
}
