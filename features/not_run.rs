//! Scenarios that need what the bed does not have: they are not run, and it is said which and why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cucumber::gherkin::{Feature, Scenario};
use harness::bed::{Gateways, Kind};

use crate::suite::unmet;

/// What was left out. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct NotRun {
    kind: Kind,
    gateways: Gateways,
    scenarios: Arc<Mutex<BTreeMap<String, Option<&'static str>>>>,
}

impl NotRun {
    /// For a bed of this kind with these gateways.
    pub(crate) fn on(kind: Kind, gateways: Gateways) -> Self {
        Self { kind, gateways, scenarios: Arc::default() }
    }

    /// Whether the bed has all that the tags of a scenario, or of its feature, ask for. One that has examples for
    /// several gateways is left out only where none of them can be run.
    pub(crate) fn can_run(&self, feature: &Feature, scenario: &Scenario) -> bool {
        let reason = unmet(feature, scenario, self.kind, self.gateways);
        if let Ok(mut scenarios) = self.scenarios.lock() {
            let name = format!("{}: {}", feature.name, scenario.name);
            let known = scenarios.entry(name).or_insert(reason);
            *known = known.and(reason);
        }
        reason.is_none()
    }

    /// A line per scenario, after a line with their count; nothing when all could be run.
    pub(crate) fn report(&self) -> String {
        let Ok(scenarios) = self.scenarios.lock() else { return String::new() };
        let left_out = scenarios.iter().filter_map(|(name, reason)| Some((name, (*reason)?)));
        let lines: Vec<_> =
            left_out.map(|(name, reason)| format!("\n  {name}: {reason}")).collect();
        if lines.is_empty() {
            return String::new();
        }
        let (count, bed, gateway) = (lines.len(), self.kind.name(), self.gateways.name());
        format!("[{count} not run on the bed {bed} with {gateway}]{}", lines.concat())
    }
}
