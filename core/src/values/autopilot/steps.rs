//! Reads `autopilot.steps` and `autopilot.gates`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::LEAST;
use crate::values::entry::{Entry, Problems};
use crate::values::model::{Ladder, Step};
use crate::values::names::Weight;
use crate::values::scalars::read_duration_within;
use crate::values::schema::{self, MAX_STEPS};

const HELP: &str = "for example `steps: [headers, 5, 25, 50, 90]`";
const WEIGHT: &str = "the canary's percentage";

/// A step as it is written.
enum Rung {
    Headers,
    Step(Step),
}

/// Reads the steps, or takes the built-in ones.
pub(super) fn read(
    steps: Option<&Entry>,
    gates: Option<&Entry>,
    least: Duration,
    max_step: Option<Weight>,
    problems: &mut Problems,
) -> Option<Ladder> {
    let gates = gates.map_or(Some(BTreeSet::new()), |entry| read_gates(entry, problems));
    let (headers, steps) = match steps {
        Some(entry) => read_steps(entry, least, problems)?,
        None => (true, built_in(least, max_step)),
    };
    Some(Ladder { headers, steps, least, gates: gates? })
}

/// The built-in steps, with more of them between where each would be more than `max_step`.
fn built_in(least: Duration, max_step: Option<Weight>) -> Vec<Step> {
    let most = max_step.map_or(100, |most| most.percent().max(1));
    let mut weights = Vec::new();
    let mut before = 0;
    for weight in Ladder::BUILT_IN {
        while weight - before > most {
            before += most;
            weights.push(before);
        }
        weights.push(weight);
        before = weight;
    }
    let step = |weight| Some(Step { weight: Weight::new(u32::from(weight))?, least });
    weights.into_iter().filter_map(step).collect()
}

fn read_steps(
    entry: &Entry,
    least: Duration,
    problems: &mut Problems,
) -> Option<(bool, Vec<Step>)> {
    let items = entry.list(problems)?;
    if items.is_empty() || items.len() > MAX_STEPS {
        let message = format!("a rollout has 1 to {MAX_STEPS} steps");
        problems.push(entry.problem(message).help(HELP));
        return None;
    }
    let (mut headers, mut steps, mut is_right) = (false, Vec::<Step>::new(), true);
    for (index, item) in items.iter().enumerate() {
        match read_rung(item, least, problems) {
            None => is_right = false,
            Some(Rung::Headers) if index > 0 => {
                let problem = item.problem("`headers` is phase 1, and comes before every weight");
                problems.push(problem.help("write it first, or leave it away"));
                is_right = false;
            }
            Some(Rung::Headers) => headers = true,
            Some(Rung::Step(step)) => {
                if let Some(before) = steps.last().filter(|before| before.weight >= step.weight) {
                    let message = format!(
                        "the weight {} comes after {}, and the steps of a rollout rise",
                        step.weight, before.weight
                    );
                    problems.push(
                        item.problem(message).help("list each weight once, the smallest first"),
                    );
                    is_right = false;
                }
                steps.push(step);
            }
        }
    }
    is_right.then_some((headers, steps))
}

fn read_rung(entry: &Entry, least: Duration, problems: &mut Problems) -> Option<Rung> {
    if entry.node.is_mapping() {
        let mut fields = entry.fields::<schema::TimedStep>(problems)?;
        let weight = match fields.take(schema::TimedStep::weight()) {
            Some(entry) => entry.whole(1..=100, WEIGHT, problems),
            None => {
                let help = "for example `{weight: 5, for: 10m}`";
                problems.push(fields.missing(schema::TimedStep::weight(), help));
                None
            }
        };
        let own = fields
            .take(schema::TimedStep::least())
            .map(|entry| read_duration_within(&entry, LEAST, problems));
        fields.finish(problems);
        let least = own.unwrap_or(Some(least))?;
        return Some(Rung::Step(Step { weight: Weight::new(weight?)?, least }));
    }
    if entry.node.text() == Some("headers") {
        return Some(Rung::Headers);
    }
    let help = "a step is `headers`, a weight from 1 to 100, or `{weight: 5, for: 10m}`";
    let weight = entry.whole(1..=100, help, problems).and_then(Weight::new)?;
    Some(Rung::Step(Step { weight, least }))
}

fn read_gates(entry: &Entry, problems: &mut Problems) -> Option<BTreeSet<Weight>> {
    const HELP: &str = "for example `gates: {before: [50]}`";
    let mut fields = entry.fields_like::<schema::Gates>(HELP, problems)?;
    let before = fields.take(schema::Gates::before());
    fields.finish(problems);
    let Some(entry) = before else { return Some(BTreeSet::new()) };
    let items = entry.list(problems)?;
    // Every item is read, so that every wrong one is reported.
    let help = "the weight of a step, before which a person has to say yes";
    let weights: Vec<Option<Weight>> = items
        .iter()
        .map(|item| item.whole(1..=100, help, problems).and_then(Weight::new))
        .collect();
    weights.into_iter().collect()
}
