//! How a service's canary is taken through its rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use judge::Enough;

use crate::values::names::Weight;

/// What stands below `autopilot`, with the defaults for what is not said.
#[derive(Clone, Debug, PartialEq)]
pub struct Autopilot {
    /// Whether it acts.
    pub mode: Mode,
    /// The steps of a rollout.
    pub ladder: Ladder,
    /// What is measured, by name; at least one.
    pub analyses: BTreeMap<String, AnalysisRule>,
    /// What has to pass before the canary gets a weight, by name.
    pub tests: BTreeMap<String, RolloutTest>,
    /// The chance that a healthy rollout is aborted, over its whole length and all analyses: 0 to 1; 0.001.
    pub false_alarm: f64,
    /// The evidence that a step needs.
    pub enough: Enough,
    /// How long nothing can be measured before the autopilot holds; 30 seconds.
    pub blind_after: Duration,
    /// The time from the beginning of the last step until the canary becomes the primary; a person finishes when
    /// absent.
    pub finish_after: Option<Duration>,
}

/// What the autopilot does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    #[default]
    Off,
    /// It decides and reports, and commits nothing.
    Shadow,
    /// It decides and commits.
    On,
}

impl Mode {
    /// The word that stands for it in values.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Shadow => "shadow",
            Self::On => "on",
        }
    }
}

/// The steps of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Whether it begins with phase 1, in which requests with the canary's headers or token go to it and no others. A
    /// canary with neither begins with the first weight.
    pub headers: bool,
    /// The weights, rising, at least one unless there is the phase 1.
    pub steps: Vec<Step>,
    /// The least time of what has none of its own: phase 1, and weights that are no step; 5 minutes.
    pub least: Duration,
    /// The weights of steps before which a person has to say yes.
    pub gates: BTreeSet<Weight>,
}

/// A step of a rollout: a weight of the canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The weight, from 1 to 100.
    pub weight: Weight,
    /// The least time from its being applied until the next step.
    pub least: Duration,
}

impl Ladder {
    /// The weights of the built-in ladder. It ends where there still is a primary to compare with.
    pub const BUILT_IN: [u8; 4] = [5, 25, 50, 90];

    /// The first step above a weight.
    pub fn above(&self, weight: Weight) -> Option<Step> {
        self.steps.iter().copied().find(|step| step.weight > weight)
    }

    /// The step with this weight.
    pub fn step(&self, weight: Weight) -> Option<Step> {
        self.steps.iter().copied().find(|step| step.weight == weight)
    }

    /// The weight of the last step; nothing when there is only phase 1.
    pub fn last(&self) -> Weight {
        self.steps.last().map_or(Weight::ZERO, |step| step.weight)
    }
}

/// What is measured, and what of it is harm.
#[derive(Clone, Debug, PartialEq)]
pub enum AnalysisRule {
    /// Answers 5xx, resets and timeouts, as Envoy counts them.
    Errors(Comparison),
    /// Answers that took longer than a bound of Envoy's histograms.
    Slow {
        /// The bound, one of [`ENVOY_BOUNDS`].
        over: Duration,
        /// When it is harm.
        comparison: Comparison,
    },
    /// Two counters of a PromQL server, for each version.
    Counters {
        /// How many were bad; PromQL with placeholders, see [`placed`].
        bad: String,
        /// How many there were; PromQL with placeholders.
        total: String,
        /// When it is harm.
        comparison: Comparison,
    },
    /// A number of a PromQL server, held against a bound.
    Number {
        /// The number; PromQL with placeholders.
        query: String,
        /// The bound.
        bound: Bound,
        /// How long it is beyond the bound before that is harm; at once.
        lasting: Duration,
    },
}

impl AnalysisRule {
    /// How the canary is compared with the primary; `None` for a number, which is not.
    pub fn comparison(&self) -> Option<Comparison> {
        match self {
            Self::Errors(comparison)
            | Self::Slow { comparison, .. }
            | Self::Counters { comparison, .. } => Some(*comparison),
            Self::Number { .. } => None,
        }
    }
}

/// When a share of bad answers is harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// How many times the primary's odds of a bad answer are too many; above 1.
    pub worse: f64,
    /// The share of bad answers that is no harm even if the primary has less, from 0 to 1; without a primary to compare
    /// with it is the bound alone.
    pub above: Option<f64>,
}

/// The bound of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// More is harm.
    Max(f64),
    /// Less is harm.
    Min(f64),
}

/// The bounds of Envoy's histograms of times, in milliseconds, without the first one of half a millisecond
/// (<https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--stats-prometheus>).
pub const ENVOY_BOUNDS: [u64; 18] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
    1_800_000, 3_600_000,
];

/// What has to pass before the canary gets a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutTest {
    /// An address that is called: an answer 2xx passes.
    Webhook(String),
    /// A Kubernetes Job in the service's namespace: that it completes passes.
    Job {
        /// The image of its container.
        image: String,
        /// The arguments of its container.
        args: Vec<String>,
    },
}

impl RolloutTest {
    /// The host of a webhook, without its port.
    pub fn host(&self) -> Option<&str> {
        let Self::Webhook(address) = self else { return None };
        let (_, rest) = address.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        // An IPv6 address has colons of its own, in brackets.
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(host),
            _ => Some(authority),
        }
    }
}

/// The placeholders of queries.
pub const PLACEHOLDERS: [&str; 3] = ["version", "service", "namespace"];

/// A query with what its placeholders stand for: `{{version}}`, `{{service}}` and `{{namespace}}`.
pub fn placed(query: &str, version: &str, service: &str, namespace: &str) -> String {
    let mut placed = String::new();
    let mut rest = query;
    while let Some((before, inner, after)) = next_placeholder(rest) {
        placed += before;
        match inner.trim() {
            "version" => placed += version,
            "service" => placed += service,
            "namespace" => placed += namespace,
            _ => {
                placed += "{{";
                placed += inner;
                placed += "}}";
            }
        }
        rest = after;
    }
    placed + rest
}

/// What stands before the first placeholder, its name, and what stands behind it.
pub(in crate::values) fn next_placeholder(query: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = query.split_once("{{")?;
    let (inner, after) = rest.split_once("}}")?;
    Some((before, inner, after))
}
