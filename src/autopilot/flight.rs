//! One rollout that is under way: what was seen of it, and what was decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::asked::Asked;
use super::commit::{Committed, Subject};
use crate::measure::ProxyKind;
use crate::report::{AnalysisReport, AutopilotReport, CountsReport};
use coalmine_core::autopilot::{Act, Message, Next, Opinion, PodsSeen, Run, Sight, Tests, message};
use coalmine_core::kind::Kind;
use coalmine_core::marks::{AheadMark, StepMark};
use coalmine_core::measure::{Answers, Blind, Tally, Versions};
use coalmine_core::object::ObjectId;
use coalmine_core::object_state::{Detail, Facts, PodFacts};
use coalmine_core::values::{AnalysisRule, Service, Workload};
use judge::{Counts, Measure};

/// The pauses between tries to commit a promotion: each is twice as long as the one before.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// For so long a proposal keeps its words, however the evidence grows.
const KEPT: Duration = Duration::from_secs(600);

/// One rollout.
pub(super) struct Flight {
    pub(super) subject: Subject,
    pub(super) run: Run,
    /// What of the proxies of each kind is counted for it.
    pub(super) versions: BTreeMap<ProxyKind, Versions>,
    pub(super) answers: Answers,
    /// Whose pods the addresses are, those of pods that are gone too.
    pub(super) addresses: BTreeMap<String, String>,
    /// What a PromQL server has said, by analysis.
    pub(super) asked: BTreeMap<String, Asked>,
    /// Since when it is ready, where its routes do not say since when the step is.
    ready_since: Option<Timestamp>,
    pub(super) last: Option<(Sight, Opinion)>,
    pub(super) committing: Option<AbortOnDropHandle<Committed>>,
    /// The blob of the file after our commit.
    pub(super) expected: Option<String>,
    /// Whether our commit is on the branch, or somebody else's: what comes next comes from there.
    is_decided: bool,
    retry: Option<(Instant, Duration)>,
    problem: Option<String>,
    pull_request: Option<String>,
    proposed: Option<(Act, Message, Instant)>,
    /// What people were told last, so that they are told once.
    pub(super) told: Option<String>,
}

impl Flight {
    /// A rollout that is seen for the first time; `None` when there is none.
    pub(super) fn begin(subject: Subject) -> Option<Self> {
        let run = Run::begin(&subject.service)?;
        Some(Self::of(subject, run))
    }

    /// The next step of the same rollout, after a commit of ours.
    pub(super) fn advance(self, subject: Subject) -> Option<Self> {
        let run = self.run.advance(&subject.service);
        let run = run.or_else(|| Run::begin(&subject.service))?;
        let next = Self::of(subject, run);
        let answers = if next.versions == self.versions { self.answers } else { next.answers };
        Some(Self { answers, addresses: self.addresses, asked: self.asked, ..next })
    }

    fn of(subject: Subject, run: Run) -> Self {
        let service = &subject.service;
        let kinds = ProxyKind::of_service(service).into_iter();
        let versions = kinds.map(|kind| (kind, Versions::of(service, kind.proxies()))).collect();
        let (answers, addresses, asked) = Default::default();
        Self {
            subject,
            run,
            versions,
            answers,
            addresses,
            asked,
            ready_since: None,
            last: None,
            committing: None,
            expected: None,
            is_decided: false,
            retry: None,
            problem: None,
            pull_request: None,
            proposed: None,
            told: None,
        }
    }

    /// The same by a newer revision, in which nothing of it is another.
    pub(super) fn by(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        &self.subject.service
    }

    /// The bound of slow answers, where they are measured.
    pub(super) fn over(&self) -> Option<Duration> {
        let autopilot = self.service().autopilot.as_ref()?;
        autopilot.analyses.values().find_map(|rule| match rule {
            AnalysisRule::Slow { over, .. } => Some(*over),
            _ => None,
        })
    }

    /// What is seen of it now, by what its versions have answered since the look before.
    pub(super) fn sight(
        &mut self,
        now: Timestamp,
        is_ready: bool,
        objects: &BTreeMap<ObjectId, Facts>,
        pods: &[PodFacts],
        answers: &Result<BTreeMap<String, Tally>, Blind>,
        asked: &BTreeMap<String, Result<Measure, String>>,
    ) -> Sight {
        let step = objects.values().find_map(|facts| facts.marks.as_ref()?.step.as_ref());
        let mut measures = self.measures(answers);
        measures.extend(asked.iter().map(|(name, measure)| (name.clone(), measure.clone())));
        Sight {
            now,
            in_force: self.in_force(now, is_ready, step),
            measures,
            pods: self.pods(objects, pods),
            tests: self.tests(),
        }
    }

    /// Tests are not run yet: what nobody has tried has not passed.
    fn tests(&self) -> Tests {
        let tests = self.service().autopilot.iter().flat_map(|it| it.tests.keys());
        match tests.map(|name| format!("`{name}`")).reduce(|all, name| format!("{all}, {name}")) {
            None => Tests::Passed,
            Some(names) => Tests::Running(format!(
                "the daemon runs no tests yet ({names}); a person gives the first weight"
            )),
        }
    }

    fn in_force(
        &mut self,
        now: Timestamp,
        is_ready: bool,
        step: Option<&StepMark>,
    ) -> Option<Timestamp> {
        if !is_ready {
            return None;
        }
        // A service that is ready has its step; what its routes do not say begins now.
        let seen = *self.ready_since.get_or_insert(now);
        let canary = self.service().routes.canary.as_ref()?;
        let is_it = |step: &&StepMark| {
            *step.canary == *canary.version.as_str()
                && step.weight == canary.weight.percent()
                && *step.file == *self.subject.file
        };
        Some(step.filter(is_it).map_or(seen, |step| step.since.min(seen)))
    }

    fn measures(
        &self,
        answers: &Result<BTreeMap<String, Tally>, Blind>,
    ) -> BTreeMap<String, Result<Measure, String>> {
        let service = self.service();
        let rollout = self.run.rollout();
        let of = |version: &str, slow: bool| -> Result<Counts, String> {
            let answers = answers.as_ref().map_err(ToString::to_string)?;
            match answers.get(version) {
                Some(tally) if slow => tally
                    .slow
                    .ok_or_else(|| "the proxies have no times of single versions".to_owned()),
                Some(tally) => Ok(tally.answers),
                None => Ok(Counts::default()),
            }
        };
        let counts = |slow: bool| -> Result<Measure, String> {
            let primary = of(service.routes.primary.as_str(), slow)?;
            let canary = of(rollout.canary.as_str(), slow)?;
            Ok(Measure::Counts { primary, canary })
        };
        let analyses = service.autopilot.iter().flat_map(|it| &it.analyses);
        let measured = analyses.filter_map(|(name, rule)| match rule {
            AnalysisRule::Errors(_) => Some((name.clone(), counts(false))),
            AnalysisRule::Slow { .. } => Some((name.clone(), counts(true))),
            AnalysisRule::Counters { .. } | AnalysisRule::Number { .. } => None,
        });
        measured.collect()
    }

    fn pods(&self, objects: &BTreeMap<ObjectId, Facts>, pods: &[PodFacts]) -> Option<PodsSeen> {
        let (service, canary) = (self.service(), &self.run.rollout().canary);
        if !matches!(service.versions.get(canary)?, Workload::Deployed(_)) {
            return None;
        }
        let name = service.version_name(canary);
        let deployment = ObjectId::of(Kind::Deployment, Some(&service.namespace), &name);
        let desired = match &objects.get(&deployment)?.detail {
            Detail::Deployment { replicas, .. } => u32::try_from(*replicas).unwrap_or(u32::MAX),
            _ => return None,
        };
        let own = || pods.iter().filter(|pod| *pod.version == *canary.as_str());
        let ready = own().filter(|pod| pod.ready_since.is_some()).count();
        let restarts = own().map(|pod| (pod.name.to_string(), pod.restarts)).collect();
        Some(PodsSeen { desired, ready: u32::try_from(ready).unwrap_or(u32::MAX), restarts })
    }

    /// What is to be committed now, with its words. Of a decision that waits for a commit already there is nothing.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Act, Message, String)> {
        let (sight, opinion) = self.last.as_ref()?;
        let is_busy = self.committing.is_some() || self.is_decided;
        let is_early = self.retry.is_some_and(|(at, _)| now < at);
        if opinion.act == Act::Hold || is_busy || is_early || !self.run.acts() {
            return None;
        }
        let (act, sentence) = (opinion.act, opinion.sentence.clone());
        if let Some((known, message, since)) = &self.proposed
            && *known == act
            && now.duration_since(*since) < KEPT
        {
            return Some((act, message.clone(), sentence));
        }
        let name = self.subject.name();
        let message = message(name, &self.run, opinion, sight.in_force, sight.now);
        self.proposed = Some((act, message.clone(), now));
        Some((act, message, sentence))
    }

    /// The abort that was decided, as its mark says it.
    pub(super) fn abort(&self, started_by: String) -> Option<AheadMark> {
        let (sight, opinion) = self.last.as_ref()?;
        if opinion.act != Act::Abort {
            return None;
        }
        let subject = &self.subject;
        let message = message(subject.name(), &self.run, opinion, sight.in_force, sight.now);
        Some(AheadMark {
            file: subject.file.to_string(),
            revision: subject.accepted.revision.id.clone(),
            reason: message.reason,
            body: message.body,
            evidence: message.evidence,
            started_by,
            at: sight.now,
        })
    }

    /// Takes over how a commit came out.
    pub(super) fn committed(&mut self, committed: Committed, now: Instant) {
        (self.problem, self.pull_request) = (None, None);
        match committed {
            Committed::Landed { file, commit } => {
                (self.expected, self.is_decided, self.retry) = (file, true, None);
                tracing::debug!(service = self.subject.name(), commit, "waiting for our commit");
            }
            Committed::Superseded => self.is_decided = true,
            Committed::Proposed { web } => self.pull_request = Some(web),
            Committed::Failed { why } => {
                let pause = self.retry.map_or(PAUSES.0, |(_, pause)| (pause * 2).min(PAUSES.1));
                tracing::warn!(service = self.subject.name(), "not committed: {why}");
                self.problem = Some(why);
                self.retry = Some((now + pause, pause));
            }
        }
    }

    /// How it stands, for people and programs.
    pub(super) fn report(&self) -> AutopilotReport {
        let mut report = report_of(self.service());
        let rollout = self.run.rollout();
        report.next = match rollout.next {
            Next::Weight(weight) => Some(weight.to_string()),
            Next::Finish => Some("finish".to_owned()),
            Next::Person => None,
        };
        report.least_seconds = rollout.least.as_secs();
        (report.problem, report.pull_request) = (self.problem.clone(), self.pull_request.clone());
        let Some((sight, opinion)) = &self.last else { return report };
        report.step_since = sight.in_force;
        report.earliest = opinion.earliest;
        report.decision = decision(opinion.act);
        report.sentence.clone_from(&opinion.sentence);
        report.waits.clone_from(&opinion.waits);
        for analysis in &mut report.analyses {
            let mut readings = opinion.readings.iter();
            if let Some(reading) = readings.find(|reading| reading.analysis == analysis.name) {
                analysis.canary = Some(counts(reading.canary));
                analysis.primary = reading.has_primary.then(|| counts(reading.primary));
                analysis.evidence = (reading.evidence.progress() * 1000.0).round() / 1000.0;
            }
            if let Some(blind) = opinion.blind.get(&analysis.name) {
                analysis.blind_seconds = Some(blind.lasting.as_secs());
                analysis.blind_because = Some(blind.why.clone());
            }
        }
        report
    }
}

/// What values alone say of the autopilot of a service with a canary.
pub(super) fn report_of(service: &Service) -> AutopilotReport {
    let (Some(autopilot), Some(canary)) = (&service.autopilot, &service.routes.canary) else {
        return AutopilotReport::default();
    };
    let enough = autopilot.enough.requests;
    let analysis = |(name, rule): (&String, &AnalysisRule)| AnalysisReport {
        name: name.clone(),
        enough: if rule.comparison().is_some() { enough } else { 0 },
        ..AnalysisReport::default()
    };
    AutopilotReport {
        mode: autopilot.mode.as_str(),
        steps: autopilot.ladder.steps.iter().map(|step| step.weight.percent()).collect(),
        headers: autopilot.ladder.headers && canary.is_tested(),
        weight: canary.weight.percent(),
        decision: decision(Act::Hold),
        analyses: autopilot.analyses.iter().map(analysis).collect(),
        held: canary.held.clone(),
        ..AutopilotReport::default()
    }
}

/// The word for what was decided.
pub(super) fn decision(act: Act) -> &'static str {
    match act {
        Act::Hold => "hold",
        Act::Abort => "abort",
        Act::Promote(_) => "promote",
        Act::Finish => "finish",
    }
}

fn counts(counts: Counts) -> CountsReport {
    CountsReport { total: counts.total, bad: counts.bad }
}
