//! From nothing to everything.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{
    figures::{Cold, Requests, seconds},
    fleet::{Objects, covers},
    observer::Observer,
    stage::Stage,
    usage::Usage,
};
use crate::api_proxy::Mark;

/// How far it came.
pub(super) struct Arrival {
    objects: usize,
    right: usize,
    /// From the start to the last object.
    seconds: f64,
}

/// Waits until every object is as it should be; what is missing after `limit` counts as missing.
pub(super) async fn arrival(
    observer: &mut Observer,
    expected: Objects,
    begun: Instant,
    limit: Duration,
) -> Arrival {
    let objects = expected.len();
    let mut missing = expected;
    let mut last = begun;
    while !missing.is_empty()
        && let Some(seen) = observer.next(begun + limit).await
    {
        if missing.get(&seen.id).is_some_and(|asked| covers(&seen.spec, asked)) {
            missing.remove(&seen.id);
            last = seen.at;
        }
    }
    Arrival { objects, right: objects - missing.len(), seconds: seconds(begun, last) }
}

/// Waits for all objects, and then until the daemon has nothing more to do.
pub(super) async fn measure(
    stage: &mut Stage,
    expected: Objects,
    begun: Instant,
    mark: Mark,
    usage: &Usage,
    limit: Duration,
) -> Result<Cold> {
    let arrival = arrival(&mut stage.observer, expected, begun, limit).await;
    let (quiet, is_quiet) = stage.quiet(mark, limit.saturating_sub(begun.elapsed())).await;
    Ok(Cold {
        quiet_seconds: quiet.filter(|_| is_quiet).map(|at| seconds(begun, at)),
        processor_seconds: Some(usage.processor()?.as_secs_f64()),
        ..arrival.with(Requests::of(&stage.proxy.since(mark)))
    })
}

impl Arrival {
    /// With what it took.
    pub(super) fn with(self, requests: Requests) -> Cold {
        let Self { objects, right, seconds } = self;
        Cold {
            objects,
            right,
            seconds: (right == objects).then_some(seconds),
            quiet_seconds: None,
            requests,
            processor_seconds: None,
        }
    }
}
