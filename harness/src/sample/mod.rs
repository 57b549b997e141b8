//! Asks a gateway and counts which version answers.

mod client;
mod failure;
mod recent;
mod target;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinSet;

pub use client::Client;
pub use failure::Failure;
pub use recent::recent;
pub use target::Target;

/// How many requests one fixed sample has.
pub const REQUESTS: u64 = 2000;
/// Connections that ask at the same time: more than one, because each worker of a proxy changes its
/// configuration for itself.
pub const CONNECTIONS: usize = 8;
/// Probes between two looks at whether the answers have converged.
const ROUND: u64 = 64;
/// Rounds in a row that must agree. Two, so that a change which reaches one worker of the proxy
/// later than the others is not taken for a finished one.
const ROUNDS: usize = 2;

/// Who answered how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Requests made.
    pub requests: u64,
    /// Those that failed: any status but 200, a time-out, a broken connection, an answer that does
    /// not name its version.
    pub failed: Vec<Failure>,
    /// Answers per version.
    pub by_version: BTreeMap<String, u64>,
}

impl Sample {
    /// Counts one outcome.
    pub(crate) fn count(&mut self, outcome: Result<String, Failure>) {
        self.requests += 1;
        match outcome {
            Ok(version) => *self.by_version.entry(version).or_default() += 1,
            Err(failure) => self.failed.push(failure),
        }
    }

    /// The versions that answered.
    pub fn versions(&self) -> BTreeSet<String> {
        self.by_version.keys().cloned().collect()
    }
}

/// Makes exactly `requests` requests over `connections` connections that are used again and again.
///
/// # Errors
/// A target that is no valid request. What goes wrong on the way is in the sample.
pub async fn sample(target: &Target, requests: u64, connections: usize) -> Result<Sample> {
    let client = Client::new(target)?;
    Ok(take(&client, requests, connections).await)
}

async fn take(client: &Client, requests: u64, connections: usize) -> Sample {
    let begun = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..connections.max(1) {
        let (client, begun) = (client.clone(), begun.clone());
        workers.spawn(async move {
            let mut sample = Sample::default();
            while begun.fetch_add(1, Ordering::Relaxed) < requests {
                sample.count(client.ask().await);
            }
            sample
        });
    }
    let mut total = Sample::default();
    for part in workers.join_all().await {
        total.requests += part.requests;
        total.failed.extend(part.failed);
        for (version, count) in part.by_version {
            *total.by_version.entry(version).or_default() += count;
        }
    }
    total
}

/// Probes until every one of `expected` has answered and nothing else has for two rounds of probes,
/// which are thrown away. Returns the probes that failed before: no fault where nothing answered yet, one
/// where something always should.
///
/// # Errors
/// After `deadline`, with what answered last.
pub async fn converge(
    target: &Target,
    expected: &BTreeSet<String>,
    deadline: Duration,
) -> Result<Vec<Failure>> {
    let client = Client::new(target)?;
    let end = Instant::now() + deadline;
    let mut rounds = tokio::time::interval(Duration::from_millis(50));
    let (mut agreeing, mut answered, mut failed) = (0, BTreeSet::new(), Vec::new());
    loop {
        rounds.tick().await;
        let probes = take(&client, ROUND, CONNECTIONS).await;
        if probes.failed.is_empty() && probes.versions().is_subset(expected) {
            agreeing += 1;
            answered.extend(probes.versions());
        } else {
            (agreeing, answered) = (0, BTreeSet::new());
        }
        if agreeing >= ROUNDS && answered == *expected {
            return Ok(failed);
        }
        if Instant::now() >= end {
            let failed = probes.failed.first().map_or_else(String::new, |failure| {
                format!(", {} failed, the first: {failure}", probes.failed.len())
            });
            bail!(
                "{} did not converge to {expected:?} within {deadline:?}; the last {ROUND} probes: {:?}{failed}",
                target.path,
                probes.by_version
            );
        }
        failed.extend(probes.failed);
    }
}

#[cfg(test)]
mod tests;
