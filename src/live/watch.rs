//! Following one kind: its list, then its changes, for ever.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, sleep, sleep_until};

use super::Live;
use crate::cluster::{Cluster, WatchedKind};

/// The longest pause before a kind that cannot be watched is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps the state of one kind current until the task is dropped.
pub(super) async fn follow(live: Live, cluster: Cluster, kind: WatchedKind, resync: Duration) {
    let instance = live.state().instance();
    let mut relist = live.shared.relist.subscribe();
    let mut pause = Duration::from_millis(500);
    loop {
        let watched = cluster.watch(&kind, &instance).await;
        let mut events = match watched {
            Ok(events) => events,
            Err(error) => {
                live.note_trouble(&kind, error.to_string());
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
                    Some(Ok(event)) => live.receive(&kind, event),
                    Some(Err(error)) => live.note_trouble(&kind, error.to_string()),
                    None => break,
                },
            }
        }
    }
}

/// Not all kinds are listed anew at the same moment.
fn spread(resync: Duration) -> Duration {
    resync.mul_f64(1.0 + 0.1 * fastrand::f64())
}
