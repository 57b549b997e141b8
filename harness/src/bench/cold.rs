//! From nothing to everything.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Cold, Requests, seconds},
    fleet::{Objects, covers},
    observer,
    stage::{QUIET, Stage, quiet},
};
use crate::api_proxy::{ApiProxy, Exchange, Mark};

/// Waits until every object is as it should be and the client behind this proxy has nothing more to do;
/// what is missing after `limit` counts as missing.
///
/// Nobody watches meanwhile: a thousand services in four kinds would cost the API server and this
/// process, on the same processors, a part of what is measured. What is there at the end is looked at
/// once it is quiet, and the proxy knows when the last of it was written.
pub(super) async fn measure(
    stage: &Stage,
    proxy: &ApiProxy,
    expected: &Objects,
    begun: Instant,
    mark: Mark,
    limit: Duration,
) -> Result<Cold> {
    let (last, missing) = loop {
        let left = limit.saturating_sub(begun.elapsed());
        let (last, is_quiet) = quiet(proxy, mark, left).await;
        let missing = missing(stage, expected).await?;
        if missing == 0 || !is_quiet {
            break (last.filter(|_| is_quiet), missing);
        }
        tokio::time::sleep(QUIET).await;
    };
    let exchanges = proxy.since(mark);
    let written = exchanges.iter().filter_map(write).max();
    Ok(Cold {
        objects: expected.len(),
        right: expected.len() - missing,
        seconds: written.filter(|_| missing == 0).map(|at| seconds(begun, at)),
        quiet_seconds: last.map(|at| seconds(begun, at)),
        requests: Requests::of(&exchanges),
        processor_seconds: None,
    })
}

/// How many objects are not as they should be.
async fn missing(stage: &Stage, expected: &Objects) -> Result<usize> {
    let there: Objects = observer::list(&stage.bed.client()).await?.into_iter().collect();
    let is_right = |(id, asked)| there.get(id).is_some_and(|spec| covers(spec, asked));
    Ok(expected.iter().filter(|object| !is_right(*object)).count())
}

/// When the API server had carried out a change of an object.
fn write(exchange: &Exchange) -> Option<Instant> {
    let is_write = exchange.request.is_write() && exchange.request.is_about_objects();
    exchange.took.filter(|_| is_write).map(|took| exchange.at + took)
}
