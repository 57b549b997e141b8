//! One rollout under way: what was seen of it so far, and what is to be done about it.
//!
//! A pure state machine. It is given the values once and one [`Sight`] after another, and says each time what it
//! decides, in words too. It forgets nothing that was bad; what a restart forgets only delays a promotion.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use judge::{Judge, Look, Measure, Names, Pods, Reading, Wait};

use super::judged;
use super::{Cause, Next, Rollout, Status, closed, status};
use crate::values::{Mode, Policy, Service, Weight};

/// What was seen of a rollout at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The moment.
    pub now: Timestamp,
    /// Since when the canary has the weight that the values say; `None` as long as it has not.
    pub in_force: Option<Timestamp>,
    /// What was measured since the sight before, by analysis, or why it was not. What is missing was not measured.
    pub measures: BTreeMap<String, Result<Measure, String>>,
    /// The canary's pods, if anything is known of them.
    pub pods: Option<PodsSeen>,
    /// How the tests before the first weight stand.
    pub tests: Tests,
}

/// The canary's pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodsSeen {
    /// How many are desired.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
    /// How often each has restarted since it was made, by its name.
    pub restarts: BTreeMap<String, u32>,
}

/// How the tests before the first weight stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tests {
    /// There are none, or all have passed.
    #[default]
    Passed,
    /// One has not ended, in words.
    Running(String),
    /// One has failed, in words.
    Failed(String),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing yet.
    Hold,
    /// The canary gets no more requests, and is held.
    Abort,
    /// The canary gets this weight.
    Promote(Weight),
    /// The canary becomes the primary.
    Finish,
}

/// What was decided at one sight.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// What is to be done.
    pub act: Act,
    /// Why, in one sentence that a person would say.
    pub sentence: String,
    /// What is waited for, each in words; empty when something is to be done.
    pub waits: Vec<String>,
    /// What was measured of each rate in this step.
    pub readings: Vec<Reading>,
    /// What cannot be measured: for how long, and why.
    pub blind: BTreeMap<String, Blindness>,
    /// When what comes next may come at the earliest; `None` where that is up to a person.
    pub earliest: Option<Timestamp>,
}

/// An analysis that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blindness {
    /// For how long, by now.
    pub lasting: Duration,
    /// Why.
    pub why: String,
    /// Whether it lasts for so long that people are told.
    pub is_reported: bool,
}

/// A rollout under way.
#[derive(Clone, Debug)]
pub struct Run {
    judge: Judge,
    judged: judge::Policy,
    rollout: Rollout,
    names: (String, String),
    blind_after: Duration,
    /// How often each pod had restarted when the step began.
    restarts: BTreeMap<String, u32>,
    before: Option<Timestamp>,
    /// Why an analysis was not measured at the last sight.
    unmeasured: BTreeMap<String, String>,
}

impl Run {
    /// The rollout of a service's canary; `None` when its autopilot has nothing to do with it.
    pub fn begin(service: &Service) -> Option<Self> {
        let (rollout, judged) = Self::of(service)?;
        let names = (service.routes.primary.to_string(), rollout.canary.to_string());
        Some(Self {
            judge: Judge::new(&judged, has_primary(&rollout)),
            judged,
            rollout,
            names,
            blind_after: service.autopilot.as_ref()?.blind_after,
            restarts: BTreeMap::new(),
            before: None,
            unmeasured: BTreeMap::new(),
        })
    }

    /// The same rollout a step further, by a commit of ours; `None` when it is another one.
    pub fn advance(mut self, service: &Service) -> Option<Self> {
        let (rollout, judged) = Self::of(service)?;
        let names = (service.routes.primary.to_string(), rollout.canary.to_string());
        if judged != self.judged || names != self.names {
            return None;
        }
        self.judge.begin(&judged, has_primary(&rollout));
        self.rollout = rollout;
        self.restarts.clear();
        Some(self)
    }

    fn of(service: &Service) -> Option<(Rollout, judge::Policy)> {
        let Status::Rollout(rollout) = status(service) else { return None };
        if rollout.held.is_some() {
            return None;
        }
        Some((rollout, judged::policy(service.autopilot.as_ref()?)))
    }

    /// Where the canary stands, and what comes next.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// Takes what was seen, and decides.
    pub fn see(&mut self, sight: &Sight, policy: &Policy) -> Opinion {
        let look = self.look(sight);
        self.judge.look(&self.judged, &look);
        self.before = Some(sight.now);
        self.decide(sight, policy)
    }

    fn look(&mut self, sight: &Sight) -> Look {
        let since = |before: Timestamp| {
            Duration::try_from(sight.now.duration_since(before)).unwrap_or_default()
        };
        let length = self.before.map(since).unwrap_or_default();
        self.unmeasured.clear();
        let mut measures = BTreeMap::new();
        for name in self.judged.analyses.keys() {
            match sight.measures.get(name) {
                Some(Ok(measure)) => drop(measures.insert(name.clone(), *measure)),
                Some(Err(why)) => drop(self.unmeasured.insert(name.clone(), why.clone())),
                None => drop(self.unmeasured.insert(name.clone(), "it was not asked".to_owned())),
            }
        }
        let pods = sight.pods.as_ref().map(|pods| self.pods(pods));
        Look { length, measures, pods }
    }

    /// Restarts count from the step's begin on, and those of a pod that was made since then from its own.
    fn pods(&mut self, pods: &PodsSeen) -> Pods {
        let is_first = self.restarts.is_empty();
        let mut most = 0;
        for (name, restarts) in &pods.restarts {
            let at_first = if is_first { *restarts } else { 0 };
            let before = *self.restarts.entry(name.clone()).or_insert(at_first);
            most = most.max(restarts.saturating_sub(before));
        }
        Pods { desired: pods.desired, ready: pods.ready, restarts: most }
    }

    fn decide(&self, sight: &Sight, policy: &Policy) -> Opinion {
        let age = sight.in_force.map(|since| sight.now.duration_since(since));
        let age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
        let decision = match self.rollout.position.weight() {
            Weight::ZERO => self.judge.decide(&patient(&self.judged), self.rollout.least, age),
            _ => self.judge.decide(&self.judged, self.rollout.least, age),
        };
        let names = self.names();
        let mut opinion = Opinion {
            act: Act::Hold,
            sentence: String::new(),
            waits: Vec::new(),
            readings: self.judge.readings(&self.judged),
            blind: self.blind(),
            earliest: self.earliest(sight, policy),
        };
        match &decision {
            judge::Decision::Abort(_) => {
                opinion.act = Act::Abort;
                opinion.sentence = decision.by(names).to_string();
                return opinion;
            }
            judge::Decision::Hold(waits) => {
                let waits = waits.iter().filter(|wait| self.counts(wait));
                opinion.waits = waits.map(|wait| self.words(wait)).collect();
            }
            judge::Decision::Promote(_) => {}
        }
        if sight.in_force.is_none() {
            let weight = self.rollout.position.weight();
            opinion.waits.insert(0, format!("weight {weight} is not applied yet"));
        }
        if self.rollout.position.weight() == Weight::ZERO {
            match &sight.tests {
                Tests::Passed => {}
                Tests::Running(words) => opinion.waits.push(words.clone()),
                Tests::Failed(words) => {
                    opinion.act = Act::Abort;
                    opinion.sentence.clone_from(words);
                    opinion.waits.clear();
                    return opinion;
                }
            }
        }
        opinion.waits.extend(self.permission(sight.now, policy));
        if !opinion.waits.is_empty() {
            opinion.sentence =
                format!("{} stays as it is: {}", names.canary, opinion.waits.join("; "));
            return opinion;
        }
        opinion.sentence = match &decision {
            judge::Decision::Promote(_) => decision.by(names).to_string(),
            _ => format!("no harm was seen of {}", names.canary),
        };
        opinion.act = match self.rollout.next {
            Next::Weight(weight) => Act::Promote(at_most(weight, &self.rollout, policy)),
            Next::Finish => Act::Finish,
            Next::Person => Act::Hold,
        };
        opinion
    }

    /// Whether something that the judge waits for is waited for here. Without a weight the canary's requests are those
    /// of testers, who need not send any: then it is enough that no harm is seen, for nobody else's are at stake.
    fn counts(&self, wait: &Wait) -> bool {
        let is_weighted = self.rollout.position.weight() > Weight::ZERO;
        is_weighted || !matches!(wait, Wait::Requests { .. } | Wait::NoComparison { .. })
    }

    fn words(&self, wait: &Wait) -> String {
        let words = wait.by(self.names()).to_string();
        match wait {
            Wait::Blind { analysis, .. } => match self.unmeasured.get(analysis) {
                Some(why) => format!("{words}: {why}"),
                None => words,
            },
            _ => words,
        }
    }

    /// What else than evidence stands before the next step.
    fn permission(&self, now: Timestamp, policy: &Policy) -> Option<String> {
        if self.rollout.next == Next::Person {
            let weight = self.rollout.position.weight();
            return Some(format!("{weight} % is the last step, and a person finishes"));
        }
        if self.rollout.gate
            && let Next::Weight(weight) = self.rollout.next
        {
            return Some(format!("a person has to say yes to weight {weight}"));
        }
        let closed = closed(policy, now)?;
        Some(match closed.cause {
            Cause::Freeze { why, to } => format!("nothing is promoted until {to}: {why}"),
            Cause::Windows => match closed.until {
                Some(until) => {
                    format!("nothing is promoted before the window that opens at {until}")
                }
                None => "nothing is promoted: no window opens".to_owned(),
            },
        })
    }

    fn earliest(&self, sight: &Sight, policy: &Policy) -> Option<Timestamp> {
        self.rollout.earliest(sight.in_force.unwrap_or(sight.now), sight.now, policy)
    }

    fn blind(&self) -> BTreeMap<String, Blindness> {
        let blind = self.judged.analyses.keys().filter_map(|name| {
            let lasting = self.judge.blind(name)?;
            let why = self.unmeasured.get(name).cloned().unwrap_or_default();
            let is_reported = lasting >= self.blind_after;
            Some((name.clone(), Blindness { lasting, why, is_reported }))
        });
        blind.collect()
    }

    pub(super) fn names(&self) -> Names<'_> {
        Names { primary: &self.names.0, canary: &self.names.1 }
    }

    /// Whether what is decided is carried out, or only told.
    pub fn acts(&self) -> bool {
        self.rollout.mode == Mode::On
    }
}

/// The same without an end to the wait for requests.
fn patient(judged: &judge::Policy) -> judge::Policy {
    let enough = judge::Enough { otherwise: judge::Shortage::Hold, ..judged.enough };
    judge::Policy { enough, ..judged.clone() }
}

fn has_primary(rollout: &Rollout) -> bool {
    rollout.position.weight() < Weight::FULL
}

/// The weight, or as much of it as one commit may give.
fn at_most(weight: Weight, rollout: &Rollout, policy: &Policy) -> Weight {
    let now = rollout.position.weight().percent();
    let most = policy.max_step.map_or(100, |most| now.saturating_add(most.percent()));
    Weight::new(weight.percent().min(most).into()).unwrap_or(weight)
}
