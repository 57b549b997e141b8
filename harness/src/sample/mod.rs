//! Asks a gateway and counts which version answers.

mod client;
mod recent;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::task::JoinSet;

pub use client::Client;
pub use recent::recent;

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

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where the gateway listens, for example `http://127.0.0.1:8080`.
    pub url: String,
    /// The `Host` header, if it is not the one of the URL.
    pub host: Option<String>,
    /// The path, with its slash.
    pub path: String,
    /// More headers.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// A path of a gateway, without headers.
    pub fn new(url: impl Into<String>, path: impl Into<String>) -> Self {
        Self { url: url.into(), host: None, path: path.into(), headers: Vec::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// A request that was not answered as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it was known to have failed.
    pub at: jiff::Timestamp,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// The answer's body, or what happened to the connection.
    pub detail: String,
}

impl Failure {
    /// A failure of this moment.
    pub fn now(status: Option<u16>, detail: impl Into<String>) -> Self {
        Self { at: jiff::Timestamp::now(), status, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ", self.at)?;
        match self.status {
            Some(status) => write!(f, "status {status}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

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

/// The version that an answer names, for example `echo-v1` of `version:echo-v1`. An `x-pod` header
/// (`namespace/name`) must belong to it: the pods of version v1 are called `<service>-v1-...`.
fn version(body: &str, pod: Option<&str>) -> Result<String> {
    let Some(version) = body.trim().strip_prefix("version:").map(str::trim) else {
        return of_pets(body).map(str::to_owned).context("the answer names no version");
    };
    let Some((_, name)) = pod.and_then(|pod| pod.split_once('/')) else {
        return Ok(version.to_owned());
    };
    let fits = name.starts_with(&format!("{version}-")) || name.contains(&format!("-{version}-"));
    if !fits {
        bail!("the answer says {version}, but it comes from pod {name}");
    }
    Ok(version.to_owned())
}

/// The pet store of the 2019 articles tells its versions apart by the status of its pets.
fn of_pets(body: &str) -> Option<&'static str> {
    let pets: Value = serde_json::from_str(body).ok()?;
    let pet = pets.get(0).unwrap_or(&pets);
    let status = pet.get("status")?.as_str()?;
    Some(if status == "v2" { "petstore-v2" } else { "petstore-v1" })
}

#[cfg(test)]
mod tests;
