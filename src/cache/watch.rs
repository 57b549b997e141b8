//! Following one kind: its list, then its changes, for ever.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Cache;
use crate::cluster::{Cluster, ClusterError, WatchedKind};
use coalmine_core::reason::Hinted;

/// The longest pause before a kind that cannot be watched is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the API server may take to say how a kind is called.
const PATIENCE: Duration = Duration::from_secs(60);
/// How far the times at which kinds are listed anew spread, as a fraction of the pause between them.
const SPREAD: f64 = 0.1;

/// Keeps the state of one kind current, for ever. Whatever the API server does, or fails to do, it comes
/// round and says so: at the latest when it is time to list the kind anew.
pub(super) async fn follow(cache: Cache, cluster: Cluster, kind: WatchedKind, resync: Duration) {
    let instance = cache.state().instance();
    let mut relist = cache.shared.relist.subscribe();
    let mut pause = Duration::from_millis(500);
    loop {
        cache.record_alive(&kind);
        let watched = match timeout(PATIENCE, cluster.watch(&kind, &instance)).await {
            Ok(Err(error @ ClusterError::KindNotServed { .. })) if kind.is_further() => {
                cache.record_unserved(&kind, error.line());
                pause = (pause * 2).min(LONGEST_PAUSE);
                sleep(pause).await;
                continue;
            }
            Ok(watched) => watched.map_err(|error| (error.line(), !error.passes())),
            Err(_) => {
                Err((format!("no answer from the API server for {} s", PATIENCE.as_secs()), false))
            }
        };
        let mut events = match watched {
            Ok(events) => events,
            Err((trouble, lasts)) => {
                cache.record_trouble(&kind, trouble, lasts);
                pause = (pause * 2).min(LONGEST_PAUSE);
                sleep(pause).await;
                continue;
            }
        };
        let due = Instant::now() + spread(resync);
        loop {
            tokio::select! {
                () = sleep_until(due) => break,
                changed = relist.changed() => if changed.is_ok() { break },
                event = events.next() => match event {
                    Some(Ok(event)) => cache.receive(&kind, event),
                    Some(Err(error)) => {
                        cache.record_trouble(&kind, error.line(), !error.passes());
                    }
                    None => break,
                },
            }
            cache.record_alive(&kind);
        }
    }
}

/// The longest time between two signs of life of a watch. What it does itself, such as to enter a list,
/// gets ten minutes.
pub(crate) fn longest_silence(resync: Duration) -> Duration {
    resync.mul_f64(1.0 + SPREAD) + PATIENCE + LONGEST_PAUSE + Duration::from_secs(600)
}

/// Not all kinds are listed anew at the same moment.
fn spread(resync: Duration) -> Duration {
    resync.mul_f64(1.0 + SPREAD * fastrand::f64())
}
