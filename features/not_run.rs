//! Scenarios that need what the bed does not have: they are not run, and it is said which and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cucumber::gherkin::{Feature, Scenario};
use harness::bed::{GatewayKind, Kind, Need};

/// What was left out. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct NotRun {
    kind: Kind,
    gateway: GatewayKind,
    reasons: Arc<Mutex<BTreeMap<String, &'static str>>>,
}

impl NotRun {
    /// For a bed of this kind with this gateway.
    pub(crate) fn on(kind: Kind, gateway: GatewayKind) -> Self {
        Self { kind, gateway, reasons: Arc::default() }
    }

    /// Whether the bed has all that the tags of a scenario, or of its feature, ask for.
    pub(crate) fn can_run(&self, feature: &Feature, scenario: &Scenario) -> bool {
        let needs = feature.tags.iter().chain(&scenario.tags).filter_map(|tag| Need::of_tag(tag));
        let reason = needs.filter_map(|need| need.unmet_by(self.kind, self.gateway)).next();
        if let (Some(reason), Ok(mut reasons)) = (reason, self.reasons.lock()) {
            reasons.insert(format!("{}: {}", feature.name, scenario.name), reason);
        }
        reason.is_none()
    }

    /// A line per scenario, after a line with their count; nothing when all could be run.
    pub(crate) fn report(&self) -> String {
        let Ok(reasons) = self.reasons.lock() else { return String::new() };
        if reasons.is_empty() {
            return String::new();
        }
        let lines = reasons.iter().map(|(scenario, reason)| format!("\n  {scenario}: {reason}"));
        let lines: String = lines.collect();
        let (count, bed, gateway) = (reasons.len(), self.kind.name(), self.gateway.name());
        format!("[{count} not run on the bed {bed} with {gateway}]{lines}")
    }
}
