//! The state of one rollout's judgement.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::brake::Brake;
use crate::decision::{Decision, Reading, Regression, Wait};
use crate::look::{Counts, Look, Measure};
use crate::number::NumberSeen;
use crate::pods::PodsSeen;
use crate::policy::{Analysis, Bound, Number, Policy, Rate, Shortage};
use crate::starts;
use crate::watch::{Evidence, Watch};

const MINUTE: Duration = Duration::from_secs(60);

/// Above so much of the way to an abort no step is promoted.
const DOUBT: f64 = 0.5;

/// What is known of one canary: make one for each rollout, and pass it each step and each look.
///
/// The same looks lead to the same decision. A regression that was found stays found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    /// How many steps have begun.
    steps: u32,
    has_primary: bool,
    /// The sum of the looks of this step.
    age: Duration,
    rates: BTreeMap<String, RateSeen>,
    numbers: BTreeMap<String, NumberSeen>,
    pods: PodsSeen,
    found: Option<Regression>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct RateSeen {
    watch: Watch,
    brake: Brake,
}

impl Judge {
    /// A judge that has seen nothing, at the begin of a rollout's first step.
    pub fn new(policy: &Policy, has_primary: bool) -> Self {
        let mut judge = Self::default();
        judge.begin(policy, has_primary);
        judge
    }

    /// Begins the next step: the canary has another weight now. `has_primary` says whether the primary gets requests of
    /// the same kind, as it does up to the weight of 99.
    pub fn begin(&mut self, policy: &Policy, has_primary: bool) {
        self.steps = self.steps.saturating_add(1);
        self.has_primary = has_primary;
        self.age = Duration::ZERO;
        self.pods = PodsSeen::default();
        self.numbers.clear();
        let stake = starts::of_step(policy.steps, self.steps);
        for (name, rate) in rates(policy) {
            let seen = self.rates.entry(name.to_owned()).or_default();
            seen.watch.begin(rate, has_primary, stake);
            seen.brake = Brake::default();
        }
    }

    /// Takes one look.
    pub fn look(&mut self, policy: &Policy, look: &Look) {
        let minutes = self.age.as_secs() / MINUTE.as_secs();
        self.age = self.age.saturating_add(look.length);
        let ended = self.age.as_secs() / MINUTE.as_secs();
        if ended > minutes {
            let stake = starts::of_minutes(policy.steps, self.steps, minutes, ended);
            for seen in self.rates.values_mut() {
                seen.watch.start(self.has_primary, stake);
            }
        }
        if let Some(pods) = look.pods {
            self.pods.look(look.length, pods);
        }
        for (name, analysis) in &policy.analyses {
            let measure = look.measures.get(name).copied().unwrap_or_default();
            match (analysis, measure) {
                (Analysis::Rate(rate), Measure::Counts { primary, canary }) => {
                    self.counts(name, rate, primary, canary);
                }
                (Analysis::Number(number), Measure::Value(value)) if value.is_finite() => {
                    self.numbers.entry(name.clone()).or_default().look(number, look.length, value);
                }
                (Analysis::Rate(_), _) => {
                    let watch = &mut self.rates.entry(name.clone()).or_default().watch;
                    watch.blind = Some(longer(watch.blind, look.length));
                }
                (Analysis::Number(_), _) => {
                    let seen = self.numbers.entry(name.clone()).or_default();
                    seen.blind = Some(longer(seen.blind, look.length));
                }
            }
        }
        if self.found.is_none() {
            self.found = self.regression(policy);
        }
    }

    fn counts(&mut self, name: &str, rate: &Rate, primary: Counts, canary: Counts) {
        let seen = self.rates.entry(name.to_owned()).or_default();
        let [primary, canary] = [primary, canary].map(|it| Counts::new(it.total, it.bad));
        seen.watch.look(rate, self.has_primary, primary, canary);
        if rate.brake {
            seen.brake.look(primary, canary);
        }
    }

    /// What to do now. `least` is the least time of this step, `age` the time since its weight was applied: it is
    /// known better outside, for a judge may be younger than the step.
    pub fn decide(&self, policy: &Policy, least: Duration, age: Duration) -> Decision {
        if let Some(found) = &self.found {
            return Decision::Abort(found.clone());
        }
        let mut waits = Vec::new();
        if age < least {
            waits.push(Wait::Time { left: least - age });
        }
        if policy.analyses.is_empty() {
            waits.push(Wait::NoAnalysis);
        }
        let mut readings = Vec::new();
        let mut shortages = Vec::new();
        for (name, analysis) in &policy.analyses {
            match analysis {
                Analysis::Rate(rate) => match self.wait_for_rate(policy, name, rate) {
                    Some(Wait::Requests { analysis, requests, enough }) => {
                        shortages.push((analysis, requests, enough));
                    }
                    Some(wait) => waits.push(wait),
                    None => readings.extend(self.reading(policy, name, rate)),
                },
                Analysis::Number(number) => waits.extend(self.wait_for_number(name, number)),
            }
        }
        let is_late = age >= policy.enough.within;
        match (shortages.first(), policy.enough.otherwise) {
            (Some((analysis, requests, enough)), Shortage::Abort)
                if is_late && waits.is_empty() =>
            {
                let (analysis, requests, enough) = (analysis.clone(), *requests, *enough);
                return Decision::Abort(Regression::Shortage { analysis, requests, enough });
            }
            // Nothing measured is never good, whatever the policy says.
            (Some(_), Shortage::Promote) if is_late && shortages.iter().all(|it| it.1 > 0) => {
                let short = shortages.iter().filter_map(|(name, _, _)| {
                    let (name, rate) = rates(policy).find(|(it, _)| it == name)?;
                    self.reading(policy, name, rate)
                });
                readings.extend(short);
            }
            _ => {
                waits.extend(shortages.into_iter().map(|(analysis, requests, enough)| {
                    Wait::Requests { analysis, requests, enough }
                }))
            }
        }
        if waits.is_empty() { Decision::Promote(readings) } else { Decision::Hold(waits) }
    }

    /// What was measured of each rate in this step, with the evidence.
    pub fn readings(&self, policy: &Policy) -> Vec<Reading> {
        rates(policy).filter_map(|(name, rate)| self.reading(policy, name, rate)).collect()
    }

    /// For how long an analysis has been blind; `None` if it was measured at the last look.
    pub fn blind(&self, analysis: &str) -> Option<Duration> {
        let rate = self.rates.get(analysis).and_then(|seen| seen.watch.blind);
        rate.or_else(|| self.numbers.get(analysis).and_then(|seen| seen.blind))
    }

    fn reading(&self, policy: &Policy, name: &str, rate: &Rate) -> Option<Reading> {
        let watch = &self.rates.get(name)?.watch;
        Some(Reading {
            analysis: name.to_owned(),
            words: rate.words.clone(),
            has_primary: self.has_primary,
            primary: watch.primary,
            canary: watch.canary,
            evidence: Evidence { value: watch.value(rate), threshold: policy.threshold() },
        })
    }

    fn regression(&self, policy: &Policy) -> Option<Regression> {
        for (name, rate) in rates(policy) {
            let (Some(seen), Some(reading)) =
                (self.rates.get(name), self.reading(policy, name, rate))
            else {
                continue;
            };
            if let Some(streak) = seen.brake.disaster(seen.watch.primary) {
                let (primary, canary, looks) = (streak.primary, streak.canary, streak.looks);
                let reading = Reading { primary, canary, ..reading };
                return Some(Regression::Disaster { reading, looks });
            }
            if reading.evidence.is_reached() {
                return Some(Regression::Worse(reading));
            }
        }
        let numbers = policy.analyses.iter().filter_map(|(name, analysis)| {
            let Analysis::Number(number) = analysis else { return None };
            let seen = self.numbers.get(name)?;
            Some(Regression::Beyond {
                analysis: name.clone(),
                value: seen.value.filter(|_| seen.is_regression(number))?,
                bound: value_of(number.bound),
                lasting: seen.beyond?,
            })
        });
        numbers.into_iter().next().or_else(|| self.pods.regression())
    }

    /// What a rate is waited for. A shortage of answers is the least of it.
    fn wait_for_rate(&self, policy: &Policy, name: &str, rate: &Rate) -> Option<Wait> {
        let analysis = name.to_owned();
        let enough = policy.enough.requests;
        let Some(RateSeen { watch, .. }) = self.rates.get(name) else {
            return Some(Wait::Blind { analysis, lasting: Duration::ZERO });
        };
        if let Some(lasting) = watch.blind {
            return Some(Wait::Blind { analysis, lasting });
        }
        if !watch.can_judge(self.has_primary) {
            return Some(Wait::NoComparison { analysis });
        }
        let reading = self.reading(policy, name, rate)?;
        let is_worse = watch.looks_worse(rate, self.has_primary);
        if is_worse || reading.evidence.progress() > DOUBT {
            return Some(Wait::Worse(reading));
        }
        let requests = watch.canary.total;
        // An analysis without an answer has not spoken, whatever is enough.
        let enough = enough.max(1);
        (requests < enough).then_some(Wait::Requests { analysis, requests, enough })
    }

    fn wait_for_number(&self, name: &str, number: &Number) -> Option<Wait> {
        let analysis = name.to_owned();
        let Some(seen) = self.numbers.get(name) else {
            return Some(Wait::Unmeasured { analysis });
        };
        if let Some(lasting) = seen.blind {
            return Some(Wait::Blind { analysis, lasting });
        }
        match (seen.value, seen.beyond) {
            (Some(value), Some(_)) => {
                Some(Wait::Beyond { analysis, value, bound: value_of(number.bound) })
            }
            (Some(_), None) if seen.measured >= number.lasting => None,
            _ => Some(Wait::Unmeasured { analysis }),
        }
    }
}

fn rates(policy: &Policy) -> impl Iterator<Item = (&str, &Rate)> {
    policy.analyses.iter().filter_map(|(name, analysis)| match analysis {
        Analysis::Rate(rate) => Some((name.as_str(), rate)),
        Analysis::Number(_) => None,
    })
}

fn value_of(bound: Bound) -> f64 {
    let (Bound::Max(bound) | Bound::Min(bound)) = bound;
    bound
}

fn longer(before: Option<Duration>, more: Duration) -> Duration {
    before.unwrap_or_default().saturating_add(more)
}
