//! From nothing to everything.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Cold, Requests, seconds},
    fleet::{Objects, covers},
    stage::Stage,
    usage::Usage,
};
use crate::api_proxy::Mark;

/// Waits until every object is as it should be, then until the client is quiet. What is missing after
/// `limit` is counted as missing.
pub(super) async fn measure(
    stage: &mut Stage,
    expected: Objects,
    begun: Instant,
    mark: Mark,
    usage: Option<&Usage>,
    limit: Duration,
) -> Result<Cold> {
    let objects = expected.len();
    let mut missing = expected;
    let mut last = begun;
    while !missing.is_empty()
        && let Some(seen) = stage.observer.next(begun + limit).await
    {
        if missing.get(&seen.id).is_some_and(|asked| covers(&seen.spec, asked)) {
            missing.remove(&seen.id);
            last = seen.at;
        }
    }
    let left = limit.saturating_sub(begun.elapsed());
    let (quiet, is_quiet) = stage.quiet(mark, left).await;
    let requests = Requests::of(&stage.proxy.since(mark));
    Ok(Cold {
        objects,
        right: objects - missing.len(),
        seconds: missing.is_empty().then(|| seconds(begun, last)),
        quiet_seconds: quiet.filter(|_| is_quiet).map(|at| seconds(begun, at)),
        requests,
        processor_seconds: usage
            .map_or(Ok(0.0), |usage| usage.processor().map(|time| time.as_secs_f64()))?,
    })
}
