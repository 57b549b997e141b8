//! What `--play` measured, as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// The whole report. The order of the fields is part of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Who tells Envoy what to do.
    pub(super) gateway: String,
    /// Versions by part.
    pub(super) versions: BTreeMap<String, String>,
    pub(super) steps: Vec<StepReport>,
}

/// One step of the rollout.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StepReport {
    pub(super) name: String,
    /// The phase as the daemon reports it.
    pub(super) phase: String,
    pub(super) revision: String,
    /// From the push to the first answer that differs from those before, with the canary's header or
    /// without; none where no answer changes.
    pub(super) push_to_first_change_ms: Option<u64>,
    /// From the push until the daemon reports the revision as applied and the answers have converged.
    pub(super) push_to_converged_ms: u64,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) by_version: BTreeMap<String, u64>,
    /// Shares in percent.
    pub(super) expected: BTreeMap<String, u8>,
    /// Whether the sample fits, that of requests with the canary's header too.
    pub(super) passed: bool,
}

impl Report {
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The median of the times from push to the first changed answer, of the steps that have one.
    pub(super) fn median_first_change_ms(&self) -> Option<u64> {
        let mut times: Vec<_> =
            self.steps.iter().filter_map(|step| step.push_to_first_change_ms).collect();
        times.sort_unstable();
        let middle = times.len() / 2;
        match times.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(times[middle]),
            _ => Some(u64::midpoint(times[middle - 1], times[middle])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(first_change: Option<u64>) -> StepReport {
        StepReport {
            name: "weight 50".to_owned(),
            phase: "Shifting".to_owned(),
            revision: "0123456".to_owned(),
            push_to_first_change_ms: first_change,
            push_to_converged_ms: 2000,
            requests: 2000,
            failed: 0,
            by_version: BTreeMap::from([("echo-v1".to_owned(), 990), ("echo-v2".to_owned(), 1010)]),
            expected: BTreeMap::from([("echo-v1".to_owned(), 50), ("echo-v2".to_owned(), 50)]),
            passed: true,
        }
    }

    fn report(first_changes: &[Option<u64>]) -> Report {
        Report {
            gateway: "embedded".to_owned(),
            versions: BTreeMap::from([("envoy".to_owned(), "1.40.0".to_owned())]),
            steps: first_changes.iter().map(|time| step(*time)).collect(),
        }
    }

    #[test]
    fn the_json_has_its_fields_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        report(&[None]).write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let compact: String = text.split_whitespace().collect();
        assert_eq!(
            compact,
            r#"{"gateway":"embedded","versions":{"envoy":"1.40.0"},"steps":[{"name":"weight50","#
                .to_owned()
                + r#""phase":"Shifting","revision":"0123456","push_to_first_change_ms":null,"#
                + r#""push_to_converged_ms":2000,"requests":2000,"failed":0,"#
                + r#""by_version":{"echo-v1":990,"echo-v2":1010},"#
                + r#""expected":{"echo-v1":50,"echo-v2":50},"passed":true}]}"#
        );
    }

    #[test]
    fn the_median_leaves_out_steps_in_which_no_answer_changes() {
        assert_eq!(
            report(&[None, Some(30), Some(10), None, Some(20)]).median_first_change_ms(),
            Some(20)
        );
        assert_eq!(report(&[Some(10), Some(30)]).median_first_change_ms(), Some(20));
        assert_eq!(report(&[None]).median_first_change_ms(), None);
    }
}
