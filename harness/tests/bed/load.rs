//! A route that changes while requests come at full speed.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Result;
use futures::future::join_all;
use harness::sample::{CONNECTIONS, Client};
use serde_json::json;

use crate::routes::{Routed, canary, shares};

/// How long requests go on after the controller has accepted a change: longer than any took to reach Envoy.
const AFTER: Duration = Duration::from_millis(700);
/// How often a measurement goes there and back.
const ROUNDS: u32 = 12;

/// In which order a header rule for the canary is added to the rule of all others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Before it, in one write.
    Prepended,
    /// After it, in one write.
    Appended,
    /// After it, first with a value that nobody sends, and with its own in a second write.
    Warmed,
}

impl Order {
    /// The writes that add the rule, and those that remove it again.
    fn writes(self) -> Vec<serde_json::Value> {
        let (all, real, nobodys) = (shares(100, 0), canary("canary"), canary("nobody-sends-this"));
        match self {
            Self::Prepended => vec![json!([real, all]), json!([all])],
            Self::Appended => vec![json!([all, real]), json!([all])],
            Self::Warmed => {
                vec![json!([all, nobodys]), json!([all, real]), json!([all, nobodys]), json!([all])]
            }
        }
    }

    /// Goes there and back under load; what was lost with each write.
    pub(crate) async fn walk(self, routed: &Routed) -> Result<Vec<Vec<String>>> {
        let begun = routed.set(&json!([shares(100, 0)])).await?;
        routed.accepted(begun).await?;
        // A new route may be accepted before its first answer.
        for target in [routed.target("/"), routed.marked()] {
            routed.answered(&target, &[("echo-blue", 100)]).await?;
        }
        let mut lost = Vec::new();
        for rules in self.writes() {
            lost.push(under_load(routed, routed.set(&rules)).await?);
        }
        Ok(lost)
    }

    /// Goes there and back several times, and prints how often and how much each write has lost.
    pub(crate) async fn measure(self, routed: &Routed) -> Result<()> {
        let writes = self.writes().len();
        let mut found = vec![Vec::new(); writes];
        for _ in 0..ROUNDS {
            for (lost, found) in self.walk(routed).await?.into_iter().zip(&mut found) {
                found.push(lost);
            }
        }
        for (number, lost) in found.iter().enumerate() {
            let times = lost.iter().filter(|lost| !lost.is_empty()).count();
            let most = lost.iter().map(Vec::len).max().unwrap_or_default();
            let example = lost.iter().flatten().next().map_or("", String::as_str);
            println!(
                "{self:?}, write {} of {writes}: lost requests in {times} of {ROUNDS}, at most \
                 {most}; {example}",
                number + 1
            );
        }
        Ok(())
    }
}

/// Asks at full speed, with the canary's header and without, until the controller has accepted a change and a
/// while after; every answer that was none.
pub(crate) async fn under_load(
    routed: &Routed,
    change: impl Future<Output = Result<i64>>,
) -> Result<Vec<String>> {
    let (over, begun) = (AtomicBool::new(false), AtomicU64::new(0));
    let clients = [Client::new(&routed.target("/"))?, Client::new(&routed.marked())?];
    let workers = (0..CONNECTIONS).map(|number| {
        let client = &clients[number % clients.len()];
        let (over, begun) = (&over, &begun);
        async move {
            let mut lost = Vec::new();
            while !over.load(Relaxed) {
                begun.fetch_add(1, Relaxed);
                if let Err(failure) = client.ask().await {
                    lost.push(failure.to_string());
                }
            }
            lost
        }
    });
    let changing = async {
        let outcome = async {
            // None of them is the first on its connection.
            while begun.load(Relaxed) < 200 {
                tokio::task::yield_now().await;
            }
            routed.accepted(change.await?).await
        };
        let outcome = outcome.await;
        tokio::time::sleep(AFTER).await;
        over.store(true, Relaxed);
        outcome
    };
    let (lost, changed) = tokio::join!(join_all(workers), changing);
    changed?;
    Ok(lost.into_iter().flatten().collect())
}
