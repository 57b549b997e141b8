//! What became of a service: the commits that asked for something new of it, and since this daemon started
//! whether that was applied, and what somebody else changed. It is kept in memory only, and short: there may
//! be a thousand services.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::per_version::PerVersion;
use super::service::Drift;
use crate::source::Revision;
use coalmine_core::phase::{Change, Phase};
use coalmine_core::traffic::Traffic;
use coalmine_core::values::Service;

/// The most commits that are kept of a service; the oldest go first.
const STEPS: usize = 24;
/// The most changes of others that are kept of a service.
const DRIFTS: usize = 8;
/// The longest reason that is kept, in characters. The report has the newest one whole.
const LONGEST: usize = 400;

/// What became of one service, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    /// The commits that asked for something new.
    pub steps: Vec<Step>,
    /// What somebody else changed, and what the values say of it.
    pub drifts: Vec<Drifts>,
}

/// One commit that asked for something new of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The commit. All services share it.
    #[serde(flatten, serialize_with = "commit")]
    pub revision: Arc<Revision>,
    /// When this daemon took it up; nothing for a commit of before it started.
    pub accepted_at: Option<Timestamp>,
    /// What it asked for.
    #[serde(flatten)]
    pub asked: Requested,
    /// When all of that was first applied and healthy.
    pub applied_at: Option<Timestamp>,
}

/// What a commit asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Requested {
    /// Values that can be used.
    Values {
        /// Their phase.
        #[serde(serialize_with = "name")]
        phase: Phase,
        /// The share of the unmarked requests per version, in percent.
        weights: PerVersion<u8>,
        /// What they meant for the rollout.
        change: ChangeKind,
    },
    /// Values with errors, which changed nothing.
    Errors {
        /// The errors, shortened.
        errors: Box<str>,
    },
}

/// What a commit meant for a service's rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The first that is known of the service.
    First,
    /// See [`Change::Advance`].
    Advance,
    /// See [`Change::Rollback`].
    Rollback,
    /// See [`Change::Jump`].
    Jump,
    /// The rollout stands where it stood: something else changed, an image for example.
    Other,
}

/// A change by somebody else, and how often it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drifts {
    /// The last time.
    #[serde(flatten)]
    pub last: Drift,
    /// How often.
    pub times: u32,
}

impl ChangeKind {
    /// What these values mean after those; `None` when they are the same.
    pub fn between(before: Option<&Service>, after: &Service) -> Option<Self> {
        let Some(before) = before else { return Some(Self::First) };
        if before == after {
            return None;
        }
        Some(match Change::between(before, after) {
            Some(Change::Advance) => Self::Advance,
            Some(Change::Rollback) => Self::Rollback,
            Some(Change::Jump) => Self::Jump,
            None => Self::Other,
        })
    }

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Advance => "advance",
            Self::Rollback => "rollback",
            Self::Jump => "jump",
            Self::Other => "other",
        }
    }
}

impl History {
    /// A commit asks for these values, and is accepted `now`, or was before this daemon started. A course of
    /// `None` says that they are the ones before, which is only worth a step after errors.
    pub(crate) fn asked(
        &mut self,
        revision: &Arc<Revision>,
        now: Option<Timestamp>,
        service: &Service,
        change: Option<ChangeKind>,
    ) {
        let is_mended =
            matches!(self.steps.last(), Some(Step { asked: Requested::Errors { .. }, .. }));
        let Some(change) = change.or(is_mended.then_some(ChangeKind::Other)) else { return };
        let phase = Phase::of(service);
        let weights = PerVersion::of_weights(&Traffic::of(service));
        // What this daemon finds asked for when it starts, an earlier commit asked for.
        if let (ChangeKind::First, Some(last)) = (change, self.steps.last_mut())
            && last.accepted_at.is_none()
            && matches!(&last.asked, Requested::Values { phase: was, weights: had, .. } if *was == phase && *had == weights)
        {
            last.accepted_at = now;
            return;
        }
        self.step(revision, now, Requested::Values { phase, weights, change });
    }

    /// A commit has errors. The same ones as before are no news.
    pub(crate) fn erred(&mut self, revision: &Arc<Revision>, now: Option<Timestamp>, errors: &str) {
        let errors: Box<str> = errors.chars().take(LONGEST).collect();
        let asked = Requested::Errors { errors };
        if self.steps.last().is_none_or(|last| last.asked != asked) {
            self.step(revision, now, asked);
        }
    }

    /// The commit that made this version the canary, of the rollout that is under way.
    pub(super) fn started(&self, canary: &str) -> Option<Arc<Revision>> {
        let is_rollout = |step: &&Step| match &step.asked {
            Requested::Values { phase, weights, .. } => {
                let is_tried = !matches!(phase, Phase::Stable | Phase::Deployed);
                is_tried && weights.iter().any(|(version, _)| version == canary)
            }
            Requested::Errors { .. } => true,
        };
        let steps = self.steps.iter().rev().take_while(is_rollout);
        let values = steps.filter(|step| matches!(step.asked, Requested::Values { .. }));
        values.last().map(|step| step.revision.clone())
    }

    /// The newest values are applied.
    pub(super) fn applied(&mut self, now: Timestamp) {
        let mut newest = self.steps.iter_mut().rev();
        let newest = newest.find(|step| matches!(step.asked, Requested::Values { .. }));
        if let Some(step) = newest.filter(|step| step.accepted_at.is_some()) {
            step.applied_at.get_or_insert(now);
        }
    }

    /// Somebody changed something. What comes again and again takes one place.
    pub(super) fn drifted(&mut self, drift: Drift) {
        let is_again = |known: &Drifts| {
            let (one, other) = (&known.last, &drift);
            (&one.object, &one.field, &one.manager) == (&other.object, &other.field, &other.manager)
        };
        let known = self.drifts.iter().position(is_again);
        let times = known.map_or(0, |place| self.drifts.remove(place).times);
        push(&mut self.drifts, DRIFTS, Drifts { last: drift, times: times.saturating_add(1) });
    }

    fn step(&mut self, revision: &Arc<Revision>, now: Option<Timestamp>, asked: Requested) {
        let revision = revision.clone();
        let step = Step { revision, accepted_at: now, asked, applied_at: None };
        push(&mut self.steps, STEPS, step);
    }
}

/// Without room for more than there is: most services never change while a daemon runs.
fn push<T>(list: &mut Vec<T>, most: usize, item: T) {
    if list.len() == most {
        list.remove(0);
    }
    list.reserve_exact(1);
    list.push(item);
}

fn commit<S: Serializer>(revision: &Arc<Revision>, serializer: S) -> Result<S::Ok, S::Error> {
    let Revision { id, author, subject, committed } = &**revision;
    let fields = [("revision", id), ("author", author), ("subject", subject)];
    let fields = fields.map(|(name, text)| (name, Value::from(text.as_str())));
    let committed = ("committed", Value::from(committed.to_string()));
    serializer.collect_map(fields.into_iter().chain([committed]))
}

fn name<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::service;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn revision(id: &str) -> Arc<Revision> {
        let (author, subject) = ("Ada".into(), format!("{id}: shift"));
        Arc::new(Revision { id: id.into(), author, subject, committed: at(1) })
    }

    fn stable() -> Service {
        service("deployment: {v1: {}}\nroutes: {apiGroup: a, primary: {version: v1}}\n")
    }

    fn shifting(weight: u8) -> Service {
        service(&format!(
            "deployment: {{v1: {{}}, v2: {{}}}}\nroutes: {{apiGroup: a, primary: {{version: v1}}, \
             canary: {{version: v2, weight: {weight}}}}}\n"
        ))
    }

    fn drift(field: &str, second: i64) -> Drift {
        Drift {
            object: "Deployment echo/echo-v1".into(),
            field: field.into(),
            from: json!(1),
            to: json!(second),
            manager: Some("kubectl".into()),
            at: at(second),
        }
    }

    #[test]
    fn a_commit_is_told_by_what_it_means_for_the_rollout() {
        let (one, two) = (shifting(10), shifting(50));
        assert_eq!(ChangeKind::between(None, &one), Some(ChangeKind::First));
        assert_eq!(ChangeKind::between(Some(&one), &one), None);
        assert_eq!(ChangeKind::between(Some(&one), &two), Some(ChangeKind::Advance));
        assert_eq!(ChangeKind::between(Some(&two), &one), Some(ChangeKind::Rollback));
        let image = service(
            "deployment: {v1: {image: other}}\nroutes: {apiGroup: a, primary: {version: v1}}\n",
        );
        assert_eq!(ChangeKind::between(Some(&stable()), &image), Some(ChangeKind::Other));
    }

    #[test]
    fn a_daemon_that_starts_goes_on_with_what_earlier_commits_asked_for() {
        let mut history = History::default();
        history.asked(&revision("a"), None, &stable(), Some(ChangeKind::First));
        history.asked(&revision("b"), None, &shifting(50), Some(ChangeKind::Advance));
        history.applied(at(1));
        assert!(history.steps.iter().all(|step| step.applied_at.is_none()), "nobody knows");
        let steps = history.steps.len();
        history.asked(&revision("z"), Some(at(10)), &shifting(50), Some(ChangeKind::First));
        history.applied(at(12));
        assert_eq!(history.steps.len(), steps);
        let last = &history.steps[1];
        assert_eq!((last.revision.id.as_str(), last.accepted_at), ("b", Some(at(10))));
        assert_eq!(last.applied_at, Some(at(12)));

        let mut other = History::default();
        other.asked(&revision("a"), None, &stable(), Some(ChangeKind::First));
        other.asked(&revision("z"), Some(at(10)), &shifting(50), Some(ChangeKind::First));
        assert_eq!(other.steps.len(), 2, "what nobody read asked for something else");
    }

    #[test]
    fn a_step_shows_its_commit_what_it_asked_for_and_when_that_was_applied() {
        let mut history = History::default();
        history.asked(&revision("a"), Some(at(10)), &shifting(50), Some(ChangeKind::First));
        history.applied(at(12));
        history.applied(at(20));
        let step = serde_json::to_value(&history.steps[0]).expect("JSON");
        assert_eq!(
            step,
            json!({
                "revision": "a", "author": "Ada", "subject": "a: shift",
                "committed": "1970-01-01T00:00:01Z", "acceptedAt": "1970-01-01T00:00:10Z",
                "phase": "Shifting", "weights": {"v1": 50, "v2": 50}, "change": "first",
                "appliedAt": "1970-01-01T00:00:12Z"
            })
        );
    }

    #[test]
    fn errors_are_one_step_and_their_mending_another() {
        let mut history = History::default();
        history.asked(&revision("a"), Some(at(10)), &stable(), Some(ChangeKind::First));
        history.erred(&revision("b"), Some(at(20)), "services/echo.yaml:1:1: no");
        history.erred(&revision("c"), Some(at(30)), "services/echo.yaml:1:1: no");
        // The values from before the errors are still at work.
        history.applied(at(40));
        history.asked(&revision("d"), Some(at(50)), &stable(), None);
        history.asked(&revision("e"), Some(at(60)), &stable(), None);
        let told: Vec<_> = history.steps.iter().map(|s| (&*s.revision.id, s.applied_at)).collect();
        assert_eq!(told, [("a", Some(at(40))), ("b", None), ("d", None)]);
    }

    #[test]
    fn a_fight_takes_one_place_and_says_how_often() {
        let mut history = History::default();
        for second in 0..30 {
            history.drifted(drift("spec.replicas", second));
            history.drifted(drift(&format!("spec.{second}"), second));
        }
        assert_eq!(history.drifts.len(), DRIFTS);
        let fight = history.drifts.iter().find(|drifts| drifts.last.field == "spec.replicas");
        let fight = fight.expect("the fight");
        assert_eq!((fight.times, fight.last.at), (30, at(29)));
    }

    #[test]
    fn the_oldest_steps_are_forgotten_and_no_room_is_kept_in_stock() {
        let mut history = History::default();
        history.asked(&revision("a"), Some(at(0)), &stable(), Some(ChangeKind::First));
        assert_eq!(history.steps.capacity(), 1);
        for second in 1..100 {
            let id = second.to_string();
            history.asked(&revision(&id), Some(at(second)), &stable(), Some(ChangeKind::Other));
        }
        assert_eq!((history.steps.len(), &*history.steps[0].revision.id), (STEPS, "76"));
    }
}
