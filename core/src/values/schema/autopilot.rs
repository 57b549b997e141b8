//! The keys of `autopilot`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::mapping::mapping;
use super::rules::present;
use super::scalars::{Duration, False, FilledText, Step, Text, scalar};

/// The longest query.
pub(in crate::values) const MAX_QUERY: usize = 4096;
/// The longest address of a webhook.
pub(in crate::values) const MAX_ADDRESS: usize = 2048;
/// The most steps, analyses and tests of each.
pub(in crate::values) const MAX_STEPS: usize = 100;
/// The most requests that a step may need.
pub(in crate::values) const MAX_REQUESTS: u32 = 100_000_000;
/// How many times worse than the primary a canary is at most said to be.
pub(in crate::values) const MAX_WORSE: f64 = 100.0;
/// The longest reason why a canary is held.
pub(crate) const MAX_REASON: usize = 500;

mapping! {
    /// How the daemon takes a canary through its rollout.
    Autopilot {
        /// Whether it acts, only tells what it would do, or does nothing.
        mode: Option<Mode>,
        /// The steps of a rollout; `[headers, 5, 25, 50, 90]` by default.
        #[schemars(length(min = 1, max = MAX_STEPS))]
        steps: Option<Vec<Rung>>,
        /// The least time of a step; 5m by default.
        least as "for": Option<Duration>,
        /// What is measured; `errors` alone by default.
        analysis: Option<Analyses>,
        /// What is tried before the first weight.
        tests: Option<Tests>,
        /// The chance that a healthy rollout is aborted; 0.1% by default.
        false_alarm as "falseAlarm": Option<Percentage>,
        /// The evidence that a step needs.
        enough: Option<Enough>,
        /// What happens when nothing can be measured.
        blind: Option<Blind>,
        /// Where a person has to say yes.
        gates: Option<Gates>,
        /// When the canary becomes the primary; a person does that by default.
        finish: Option<Finish>,
    }
}

/// What the autopilot does.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Mode {
    /// Nothing.
    Off,
    /// Decides and reports, and commits nothing.
    Shadow,
    /// Decides and commits.
    On,
}

/// A step of a rollout.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Rung {
    /// Phase 1: only requests with the canary's headers or token.
    Headers(FirstPhase),
    /// The canary's weight.
    Weight(Step),
    /// The canary's weight, and the step's own least time.
    Timed(TimedStep),
}

scalar! {
    /// Phase 1.
    FirstPhase: {"const": "headers"}

    /// A percentage, such as `0.2%`.
    Percentage: {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$", "examples": ["0.1%", "5%"]}

    /// How many times worse than the primary the canary is at most.
    Factor: {"type": "number", "exclusiveMinimum": 1, "maximum": MAX_WORSE}

    /// Any number.
    Number: {"type": "number"}

    /// PromQL; `{{version}}`, `{{service}}` and `{{namespace}}` stand for those of the service.
    Query: {"type": ["string", "number", "boolean"], "minLength": 1, "maxLength": MAX_QUERY}

    /// PromQL that counts for each version: `{{version}}` stands in it.
    VersionQuery: {"type": "string", "pattern": r"\{\{ *version *\}\}", "maxLength": MAX_QUERY}

    /// The address of a webhook.
    Address: {
        "type": "string",
        "pattern": r"^https?://[A-Za-z0-9._:\[\]-]+([/?#][!#-;=?-\[\]_a-z~]*)?$",
        "maxLength": MAX_ADDRESS
    }

    /// A number of requests.
    Requests: {"type": "integer", "minimum": 1, "maximum": MAX_REQUESTS}
}

mapping! {
    /// A step with a least time of its own.
    TimedStep {
        /// The canary's weight.
        weight: Step,
        /// The step's least time.
        least as "for": Option<Duration>,
    }
}

/// The names of analyses and tests.
const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]*$";

/// Analyses by name; `false` takes one away.
struct Analyses;

impl JsonSchema for Analyses {
    fn schema_name() -> Cow<'static, str> {
        "Analyses".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "errors": generator.subschema_for::<Option<ErrorsRule>>(),
                "slow": generator.subschema_for::<Option<SlowRule>>()
            },
            "propertyNames": {"pattern": NAME, "maxLength": 63},
            "maxProperties": MAX_STEPS,
            "additionalProperties": generator.subschema_for::<Option<OwnRule>>()
        })
    }
}

/// The analysis `errors`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ErrorsRule {
    /// `false`: no such analysis.
    Off(False),
    /// The analysis.
    On(Errors),
}

/// The analysis `slow`.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum SlowRule {
    /// `false`: no such analysis.
    Off(False),
    /// The analysis.
    On(Slow),
}

/// An analysis of the service's own.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OwnRule {
    /// `false`: no such analysis.
    Off(False),
    /// The analysis.
    On(Own),
}

mapping! {
    /// Built in, from Envoy: answers 5xx, resets and timeouts.
    Errors {
        /// How many times worse than the primary; 1.5 by default.
        worse: Option<Factor>,
        /// The share of bad answers below which nothing counts as worse; 0.2% by default.
        above: Option<Percentage>,
    }
}

mapping! {
    /// Built in, from Envoy: answers that took longer than a bound of its histograms.
    Slow {
        /// The bound.
        over: Option<Duration>,
        /// How many times worse than the primary; 1.5 by default.
        worse: Option<Factor>,
        /// The share of slow answers below which nothing counts as worse.
        above: Option<Percentage>,
    }
}

mapping! {
    /// Two counters (`bad`, `total`), or a number (`query`), of a PromQL server.
    #[schemars(extend("not" = {"anyOf": [
        present(&["query", "bad"]),
        present(&["query", "total"]),
        present(&["query", "worse"]),
        present(&["query", "above"]),
        present(&["bad", "max"]),
        present(&["bad", "min"]),
        present(&["bad", "for"]),
        present(&["max", "min"]),
    ]}))]
    Own {
        /// How many were bad.
        bad: Option<VersionQuery>,
        /// How many there were.
        total: Option<VersionQuery>,
        /// How many times worse than the primary; 1.5 by default.
        worse: Option<Factor>,
        /// The share of bad ones below which nothing counts as worse.
        above: Option<Percentage>,
        /// A number.
        query: Option<Query>,
        /// The most that the number may be.
        max: Option<Number>,
        /// The least that the number may be.
        min: Option<Number>,
        /// How long the number is beyond its bound before that counts; at once by default.
        lasting as "for": Option<Duration>,
    }
}

/// Tests by name; `false` takes one away.
struct Tests;

impl JsonSchema for Tests {
    fn schema_name() -> Cow<'static, str> {
        "Tests".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": {"pattern": NAME, "maxLength": 63},
            "maxProperties": MAX_STEPS,
            "additionalProperties": generator.subschema_for::<Option<TestRule>>()
        })
    }
}

/// A test.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum TestRule {
    /// `false`: no such test.
    Off(False),
    /// The test.
    On(Test),
}

mapping! {
    /// What passes before the canary gets a weight; one of webhook and job.
    #[schemars(extend("not" = present(&["webhook", "job"])))]
    Test {
        /// An address that is called: an answer 2xx passes.
        webhook: Option<Address>,
        /// A Kubernetes Job in the service's namespace: that it completes passes.
        job: Option<Job>,
    }
}

mapping! {
    /// A Kubernetes Job.
    Job {
        /// The image of its container.
        image: Option<FilledText>,
        /// The arguments of its container.
        args: Option<Vec<Text>>,
    }
}

mapping! {
    /// The evidence that a step needs.
    Enough {
        /// Requests that the canary has answered; 300 by default.
        requests: Option<Requests>,
        /// The time for that; 1h by default.
        within: Option<Duration>,
        /// What happens when that time is over; `hold` by default.
        otherwise as "else": Option<Shortage>,
    }
}

/// What happens to a step without enough evidence.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Shortage {
    /// It waits on.
    Hold,
    /// The canary's weight is taken away.
    Abort,
    /// The next step comes.
    Promote,
}

mapping! {
    /// What happens when nothing can be measured.
    Blind {
        /// After which time; 30s by default.
        after: Option<Duration>,
        /// What happens then.
        action as "do": Option<BlindAction>,
    }
}

/// What happens when nothing can be measured.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum BlindAction {
    /// No step is taken.
    Hold,
}

mapping! {
    /// Where a person has to say yes.
    Gates {
        /// The weights before which they stand.
        before: Option<Vec<Step>>,
    }
}

mapping! {
    /// When the canary becomes the primary.
    Finish {
        /// The time from the beginning of the last step.
        after: Option<Duration>,
    }
}
