//! Following one kind: its list, then its changes, for ever.

use std::time::Duration;

use futures::StreamExt;
use tokio::time::{Instant, sleep, sleep_until};

use super::Live;
use crate::cluster::Cluster;

/// The longest pause before a kind that cannot be watched is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A kind that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// For example `gateway.solo.io/v1`.
    pub api_version: String,
    /// For example `RouteTable`.
    pub kind: String,
    /// Whether only objects with our instance label are watched.
    pub only_ours: bool,
}

impl Kind {
    /// The kinds a service consists of, and all that Gloo's routing rests on. Of the latter every
    /// object counts: a stranger's table can collide with a change of ours.
    pub fn of_services() -> impl Iterator<Item = Self> {
        let routing = gloo::Snapshot::ROUTING.iter().map(|kind| Self {
            api_version: kind.api_version.into(),
            kind: kind.kind.into(),
            only_ours: false,
        });
        let ours = [("v1", "Endpoints"), ("v1", "Pod"), ("apps/v1", "Deployment")];
        routing.chain(ours.map(|(api_version, kind)| Self::ours(api_version, kind)))
    }

    /// Objects with our label of any kind.
    pub fn ours(api_version: &str, kind: &str) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), only_ours: true }
    }
}

/// Keeps the state of one kind current until the task is dropped.
pub(super) async fn follow(live: Live, cluster: Cluster, kind: Kind, resync: Duration) {
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
