//! What was measured, for people and for programs.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::soak::{Level, Soaked};
use crate::api_proxy::{Exchange, Tally, tally};

/// Everything of one run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) name: String,
    /// The commit of the sources.
    pub(super) commit: String,
    pub(super) taken: String,
    pub(super) machine: BTreeMap<String, String>,
    pub(super) versions: BTreeMap<String, String>,
    /// The arguments of `coalmine run` that are not the same every time.
    pub(super) arguments: Vec<String>,
    pub(super) results: Vec<Figures>,
}

/// What was measured of one tool with one number of services.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub(super) tool: String,
    pub(super) services: u16,
    pub(super) cold: Option<Cold>,
    pub(super) idle: Option<Idle>,
    pub(super) push: Option<Push>,
    pub(super) poll: Option<Push>,
    pub(super) drift: Option<Drift>,
    pub(super) transitions: Option<Transitions>,
    pub(super) steps: Option<Steps>,
    pub(super) soak: Option<Soaked>,
}

/// From nothing to everything.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cold {
    pub(super) objects: usize,
    /// Those that had the right content before the time was up.
    pub(super) right: usize,
    /// From the start to the last of them.
    pub(super) seconds: Option<f64>,
    /// From the start to the last request before it grew quiet; `None` if it did not.
    pub(super) quiet_seconds: Option<f64>,
    pub(super) requests: Requests,
    /// Of the process and its children; unknown of other tools.
    pub(super) processor_seconds: Option<f64>,
}

/// While nothing changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Idle {
    pub(super) seconds: f64,
    pub(super) requests: Requests,
    /// Thousandths of a processor.
    pub(super) milli_cores: f64,
    pub(super) resident_mib: f64,
    pub(super) peak_mib: f64,
}

/// From a push to the object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Push {
    /// From the moment the push is through, which is when a webhook would be sent.
    pub(super) applied: Spread,
    /// The whole of it, `git push` included.
    pub(super) with_git_push: Spread,
    /// Requests about objects for one push.
    pub(super) requests: Spread,
    /// Those of the median push.
    pub(super) typical: Tally,
    pub(super) missed: usize,
}

/// From an edit to its repair.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Drift {
    pub(super) repaired: Spread,
    pub(super) missed: usize,
}

/// While rollouts are always under way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transitions {
    pub(super) requests: u64,
    /// Without those that a pod which ended took along.
    pub(super) failed: u64,
    pub(super) failed_with_pods: u64,
    /// The first that failed, without those of pods.
    pub(super) failures: Vec<String>,
    pub(super) by_kind: BTreeMap<String, u32>,
    pub(super) pods_ended: usize,
    pub(super) daemon_killed: usize,
    pub(super) seconds: f64,
    pub(super) seed: u64,
}

/// While a service goes through the six steps forward and back, at full speed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Steps {
    pub(super) gateway: String,
    pub(super) rounds: u32,
    pub(super) steps: u32,
    pub(super) connections: usize,
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// The first that failed.
    pub(super) failures: Vec<String>,
    /// From a push until the daemon reports it as carried out.
    pub(super) applied: Spread,
    pub(super) seconds: f64,
}

/// Requests of a client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Requests {
    /// Those about objects.
    pub(super) objects: usize,
    /// All of them, watches and discovery too, by sort.
    pub(super) by_sort: Tally,
}

/// Many measurements of one thing; times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) least: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) most: f64,
}

impl Requests {
    pub(super) fn of(exchanges: &[Exchange]) -> Self {
        let objects = exchanges.iter().filter(|exchange| exchange.request.is_about_objects());
        Self { objects: objects.count(), by_sort: tally(exchanges) }
    }
}

impl Spread {
    /// Nearest rank; all zero of nothing.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        let (least, most) = (at(0.0), at(1.0));
        Self { count: values.len(), least, p50: at(0.5), p90: at(0.9), p99: at(0.99), most }
    }

    fn seconds(&self) -> String {
        if self.count == 0 {
            return "never".to_owned();
        }
        format!(
            "p50 {:.3} s, p90 {:.3} s, p99 {:.3} s, most {:.3} s ({} times)",
            self.p50, self.p90, self.p99, self.most, self.count
        )
    }
}

impl Report {
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Figures {
    /// One line per figure.
    pub(super) fn table(&self) -> String {
        let mut lines = Vec::new();
        if let Some(cold) = &self.cold {
            lines.extend(cold.lines());
        }
        if let Some(idle) = &self.idle {
            let Idle { seconds, requests, milli_cores, resident_mib, peak_mib } = idle;
            let asked = requests.objects;
            lines.push(("idle", format!("{asked} object requests in {seconds:.0} s")));
            lines.push(("idle processor", format!("{milli_cores:.1} milli-cores")));
            lines.push(("memory", format!("{resident_mib:.1} MiB, at most {peak_mib:.1} MiB")));
        }
        lines.extend(self.push.iter().flat_map(|push| push.lines("push to applied")));
        lines.extend(self.poll.iter().flat_map(|poll| poll.lines("without a webhook")));
        if let Some(drift) = &self.drift {
            lines.push(("drift repaired", drift.repaired.seconds()));
            lines.push(("edits not repaired", drift.missed.to_string()));
        }
        lines.extend(self.transitions.iter().flat_map(Transitions::lines));
        lines.extend(self.steps.iter().flat_map(Steps::lines));
        if let Some(soaked) = &self.soak {
            lines.extend(soak_lines(soaked));
        }
        let services = if self.services == 1 { "service" } else { "services" };
        let mut table = format!("{}, {} {services}\n", self.tool, self.services);
        for (what, figure) in lines {
            // Writing to a String does not fail.
            let _ = writeln!(table, "  {what:<20} {figure}");
        }
        table
    }
}

impl Cold {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { objects, right, requests, .. } = self;
        let time = |seconds: Option<f64>| seconds.map_or("-".into(), |s| format!("{s:.2} s"));
        let sorts = requests.by_sort.iter().map(|(sort, count)| format!("{count} {sort}"));
        vec![
            ("cold sync", format!("{} ({right} of {objects} objects)", time(self.seconds))),
            ("until quiet", time(self.quiet_seconds)),
            ("cold requests", format!("{} about objects", requests.objects)),
            ("", sorts.collect::<Vec<_>>().join(", ")),
            ("cold processor", time(self.processor_seconds)),
        ]
    }
}

impl Push {
    fn lines(&self, name: &'static str) -> Vec<(&'static str, String)> {
        let Self { applied, with_git_push, requests, typical, missed } = self;
        let typical = typical.iter().map(|(sort, count)| format!("{count} {sort}"));
        vec![
            (name, applied.seconds()),
            ("with git push", with_git_push.seconds()),
            ("requests a push", format!("p50 {}, most {}", requests.p50, requests.most)),
            ("", typical.collect::<Vec<_>>().join(", ")),
            ("pushes missed", missed.to_string()),
        ]
    }
}

impl Transitions {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { requests, failed, failed_with_pods, pods_ended, daemon_killed, .. } = self;
        let transitions: u32 = self.by_kind.values().sum();
        let mut lines = vec![
            ("requests", format!("{requests} in {:.0} s, {failed} failed", self.seconds)),
            ("transitions", transitions.to_string()),
            ("pods crashed", format!("{pods_ended}, {failed_with_pods} requests failed with them")),
            ("daemon killed", format!("{daemon_killed} times")),
        ];
        lines.extend(
            self.by_kind.iter().map(|(kind, count)| ("", format!("{count} times: {kind}"))),
        );
        lines.extend(self.failures.iter().map(|failure| ("failed", failure.clone())));
        lines
    }
}

impl Steps {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { gateway, rounds, steps, connections, requests, failed, seconds, .. } = self;
        let mut lines = vec![
            ("gateway", gateway.clone()),
            ("steps", format!("{steps}, {rounds} times forward and back")),
            (
                "requests",
                format!(
                    "{requests} over {connections} connections in {seconds:.0} s, {failed} failed"
                ),
            ),
            ("push to applied", self.applied.seconds()),
        ];
        lines.extend(self.failures.iter().map(|failure| ("failed", failure.clone())));
        lines
    }

    /// # Errors
    /// A request failed, or none was made.
    pub(super) fn check(&self) -> Result<()> {
        let Self { requests, failed, .. } = self;
        ensure!(*failed == 0 && *requests > 0, "{failed} of {requests} requests failed");
        Ok(())
    }
}

fn soak_lines(soaked: &Soaked) -> Vec<(&'static str, String)> {
    let Soaked { reconciles, wanted, seconds, touches, edits, measurements, levels } = soaked;
    let mut lines = vec![
        ("reconciles", format!("{reconciles} of {wanted} in {seconds:.0} s")),
        ("touched", format!("{touches} pods, {edits} RouteTables were edited")),
        ("measured", format!("{measurements} times")),
    ];
    lines.extend(levels.iter().map(|(what, level)| {
        let Level { first, last, bound } = level;
        let flat = if level.is_flat() { "flat" } else { "NOT FLAT" };
        (*what, format!("{first:.1} at first, {last:.1} in the end (at most {bound:.1}): {flat}"))
    }));
    lines
}

/// Seconds between two instants; 0 if they are the other way round.
pub(super) fn seconds(from: Instant, to: Instant) -> f64 {
    to.checked_duration_since(from).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let spread = Spread::of((1..=100).rev().map(f64::from));
        let Spread { count, least, p50, p90, p99, most } = spread;
        assert_eq!((count, least, p50, p90, p99, most), (100, 1.0, 50.0, 90.0, 99.0, 100.0));
        assert_eq!(Spread::of([7.0]).p99, 7.0);
        assert_eq!(Spread::of([]).count, 0);
    }
}
