//! Runs the preflight for all services: every change is checked here before it is written. Admitted changes are
//! reserved until they are applied, so that of two changes that collide only one is admitted. Changes that come at the
//! same time are checked together, so that a thousand new services cost a few translations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gloo::{Edition, Environment};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::RolloutSettings;
use super::survey::{survey, survey_http_routes};
use crate::cache::{Cache, Routing};
use crate::report::Survey;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::plan::Job;
use coalmine_core::preflight::{
    Baseline, Broken, Change, Prediction, are_expected, http_routes_are_expected,
};
use coalmine_core::reason::{PreflightError, Refusal};

/// A handle on the task that checks changes against the gateways' rules.
#[derive(Clone)]
pub struct PreflightService {
    messages: mpsc::UnboundedSender<Message>,
    /// As it was said last.
    surroundings: Arc<Mutex<Option<Surroundings>>>,
}

enum Message {
    Admit(Box<Question>),
    Release(String),
    Surroundings(Surroundings),
}

/// What the repository says about its gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Surroundings {
    gloo_namespace: String,
    edition: Edition,
    gateway_api: Option<gateway_api::Profile>,
}

impl Surroundings {
    fn of(settings: &RolloutSettings) -> Self {
        let RolloutSettings { gloo_namespace, edition, gateway_api, .. } = settings;
        let gloo_namespace = gloo_namespace.clone();
        Self { gloo_namespace, edition: *edition, gateway_api: *gateway_api }
    }

    /// The cluster as this Gloo sees it.
    fn around(&self, routing: Routing) -> Routing {
        let environment = Environment { edition: self.edition, ..Environment::default() };
        let gloo = routing.gloo.of_gloo_in(&self.gloo_namespace).within(environment);
        Routing { gloo, ..routing }
    }
}

/// Told what Gloo's rules say about the objects as they are.
type Tell = Arc<dyn Fn(Survey) + Send + Sync>;

struct Question {
    change: Arc<Change>,
    /// The job that it is about.
    job: Digest,
    surroundings: Surroundings,
    answer: oneshot::Sender<Result<Prediction, Refusal>>,
}

impl PreflightService {
    /// Starts the task; it ends with the last handle.
    pub fn new(cache: Cache) -> Self {
        Self::surveying(cache, |_| ())
    }

    /// The same, telling which Gateways serve each service and what of its objects could not be judged, when that may
    /// have changed.
    pub fn surveying(cache: Cache, tell: impl Fn(Survey) + Send + Sync + 'static) -> Self {
        let (messages, receiver) = mpsc::unbounded_channel();
        tokio::spawn(answer_all(cache, receiver, Arc::new(tell)));
        Self { messages, surroundings: Arc::default() }
    }

    /// Says what the repository says about its gateways. Nothing is surveyed before.
    pub(super) fn surroundings(&self, settings: &RolloutSettings) {
        let surroundings = Surroundings::of(settings);
        let mut known = self.surroundings.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != Some(&surroundings) {
            *known = Some(surroundings.clone());
            let _ = self.messages.send(Message::Surroundings(surroundings));
        }
    }

    /// Checks that the job harms no service, its own included. An admitted job is reserved: later changes are
    /// checked with it, although it is not written yet, until it is [released](Self::release).
    ///
    /// # Errors
    /// Why the job is refused, or that the preflight failed.
    pub(super) async fn admit(
        &self,
        job: &Job,
        to_prune: &BTreeSet<ObjectId>,
        settings: &RolloutSettings,
    ) -> Result<Prediction, PreflightError> {
        let change = Change::new(&job.service, &job.desired, to_prune).beside(&job.departing);
        let change = Arc::new(change);
        let (answer, answered) = oneshot::channel();
        let surroundings = Surroundings::of(settings);
        let question = Question { change, job: job.digest(), surroundings, answer };
        // A task that has ended drops the question, and with it the answer's sender.
        let _ = self.messages.send(Message::Admit(Box::new(question)));
        match answered.await {
            Ok(answer) => answer.map_err(|refusal| job.refused(refusal)),
            Err(_) => Err(PreflightError::Failed),
        }
    }

    /// Drops the reservation: the job is applied, and the cache shows it.
    pub fn release(&self, service: &str) {
        let _ = self.messages.send(Message::Release(service.to_owned()));
    }
}

async fn answer_all(cache: Cache, mut messages: mpsc::UnboundedReceiver<Message>, tell: Tell) {
    let mut batches = BatchState::default();
    let (mut surroundings, mut next_survey) = (None, Instant::now());
    let (mut waiting, mut open) = (Vec::new(), Vec::new());
    let (mut next_look, mut next_batch) = (Instant::now(), Instant::now());
    loop {
        let cooled_down = async { sleep_until(next_batch).await };
        let nothing_comes = async { sleep(FLUSH_AFTER).await };
        let survey_is_due = async { sleep_until(next_survey).await };
        let is_urgent = tokio::select! {
            received = messages.recv_many(&mut waiting, usize::MAX) => match received {
                0 => return,
                _ => waiting.iter().any(|it| matches!(it, Message::Admit(_))),
            },
            () = cooled_down, if !open.is_empty() => true,
            () = nothing_comes, if !waiting.is_empty() => true,
            () = survey_is_due, if surroundings.is_some() => {
                let begun = Instant::now();
                if let Some(around) = &surroundings {
                    batches = survey_all(batches, around, &cache, &tell).await;
                }
                next_survey = Instant::now() + SURVEYS + cool_down(begun.elapsed(), SURVEY);
                false
            }
        };
        if !is_urgent && open.is_empty() {
            continue;
        }
        sleep_until(next_look).await;
        while let Ok(message) = messages.try_recv() {
            waiting.push(message);
        }
        let mut applied = Vec::new();
        for message in waiting.drain(..) {
            match message {
                Message::Admit(question) => {
                    applied.retain(|service| *service != question.change.service);
                    open.push(*question);
                }
                Message::Release(service) => applied.push(service),
                Message::Surroundings(said) => surroundings = Some(said),
            }
        }
        let begun = Instant::now();
        let routing = cache.routing();
        batches.look(&routing);
        next_look = Instant::now() + cool_down(begun.elapsed(), POLL);
        applied.iter().for_each(|service| drop(batches.reserved.remove(service)));
        let answered = |question: Question| match batches.known(&question) {
            Some(prediction) => {
                let _ = question.answer.send(Ok(prediction));
                None
            }
            // The pass that asked may have been superseded.
            None => (!question.answer.is_closed()).then_some(question),
        };
        open = open.into_iter().filter_map(answered).collect();
        let Some(first) = open.first() else { continue };
        if Instant::now() < next_batch {
            continue;
        }
        let around = first.surroundings.clone();
        let questions = std::mem::take(&mut open);
        // Translating a big cluster takes longer than other tasks should wait.
        let state = cache.clone();
        let work = move || {
            let begun = Instant::now();
            let answers = batches.answer(routing, &around, &questions, &state);
            (batches, questions, answers, begun.elapsed())
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((returned, questions, answers, cost)) => {
                batches = returned;
                // A single question is not held back.
                if questions.len() > 1 {
                    next_batch = Instant::now() + cool_down(cost, BATCH);
                }
                for (question, answer) in questions.into_iter().zip(answers) {
                    let _ = question.answer.send(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the preflight failed");
                batches = BatchState::default();
            }
        }
    }
}

/// Looks at the cluster as it is, if it is not what was looked at last, and tells what there is to say.
async fn survey_all(
    mut batches: BatchState,
    surroundings: &Surroundings,
    cache: &Cache,
    tell: &Tell,
) -> BatchState {
    let routing = cache.routing();
    let seen = (routing.version, surroundings.clone());
    if batches.surveyed.as_ref() == Some(&seen) {
        return batches;
    }
    let (around, cache) = (surroundings.clone(), cache.clone());
    let work = move || {
        let baseline = batches.translated(routing, &around, &cache);
        batches.surveyed = Some(seen);
        let inventory = cache.inventory();
        let mut survey = survey(&baseline, &inventory, cache.blind_spot().as_deref());
        let kept = |id: &ObjectId| cache.object(id)?.http_route;
        survey_http_routes(&mut survey, &inventory, kept);
        (batches, survey)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok((batches, survey)) => {
            tell(survey);
            batches
        }
        Err(error) => {
            tracing::error!(%error, "the survey failed");
            BatchState::default()
        }
    }
}

/// Throttles work whose cost does not depend on the number of messages: after each run it pauses in proportion to
/// what the run took, so that messages are batched under load.
#[derive(Clone, Copy)]
struct BatchBudget {
    /// What a run may take without a pause after it.
    free: Duration,
    /// How long the pause is, as a multiple of what is above `free`.
    times: u32,
    /// The longest pause.
    most: Duration,
}

/// Checking whether the answers given are still true.
const POLL: BatchBudget =
    BatchBudget { free: Duration::from_micros(250), times: 100, most: Duration::from_millis(50) };
/// Comparing the cluster as it is with the cluster as it would be.
const BATCH: BatchBudget =
    BatchBudget { free: Duration::from_millis(20), times: 20, most: Duration::from_secs(1) };

/// Looking at the cluster as it is, for people only.
const SURVEY: BatchBudget =
    BatchBudget { free: Duration::ZERO, times: 50, most: Duration::from_secs(30) };
/// The shortest time between two looks.
const SURVEYS: Duration = Duration::from_secs(1);

/// Reservations are released with the next question, or after this time without one.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// How long to pause after a run that took `cost`.
fn cool_down(cost: Duration, BatchBudget { free, times, most }: BatchBudget) -> Duration {
    (times * cost.saturating_sub(free)).min(most)
}

/// What is kept from one batch of questions to the next.
#[derive(Default)]
struct BatchState {
    /// The cluster as it was translated last, the version of the live state that it is from, and for whom.
    baseline: Option<(u64, Surroundings, Baseline)>,
    /// The version of the live state that was surveyed last, and for whom.
    surveyed: Option<(u64, Surroundings)>,
    /// The cluster as it was looked at last.
    seen: Routing,
    reserved: BTreeMap<String, Reservation>,
    /// The mistakes of others that were logged.
    reported: BTreeSet<Broken>,
}

/// A change that was admitted and is not applied yet.
struct Reservation {
    change: Arc<Change>,
    job: Digest,
    /// The answer, for as long as nothing but admitted changes has happened since: those before this one were part of
    /// its check, and those after it were checked with it reserved.
    prediction: Option<Prediction>,
}

impl BatchState {
    /// Drops the known answers if the cluster has changed otherwise than by admitted changes.
    fn look(&mut self, now: &Routing) {
        if self.seen.version == now.version {
            return;
        }
        let changes: Vec<Arc<Change>> =
            self.reserved.values().map(|it| it.change.clone()).collect();
        let http_routes = match (&self.seen.gateway_api, &now.gateway_api) {
            (Some(before), Some(after)) => http_routes_are_expected(before, after, &changes),
            (None, None) => true,
            _ => false,
        };
        if !http_routes || !are_expected(&self.seen.gloo, &now.gloo, &changes) {
            self.reserved.values_mut().for_each(|it| it.prediction = None);
        }
        self.seen = now.clone();
    }

    /// The answer to the same question as before, if it is still true.
    fn known(&self, question: &Question) -> Option<Prediction> {
        let earlier = self.reserved.get(&question.change.service)?;
        let is_same =
            earlier.job == question.job && earlier.change.to_prune == question.change.to_prune;
        earlier.prediction.clone().filter(|_| is_same)
    }

    fn answer(
        &mut self,
        routing: Routing,
        around: &Surroundings,
        questions: &[Question],
        state: &Cache,
    ) -> Vec<Result<Prediction, Refusal>> {
        for question in questions {
            self.reserved.remove(&question.change.service);
        }
        let cache = self.translated(routing, around, state);
        let ahead: Vec<Arc<Change>> = self.reserved.values().map(|it| it.change.clone()).collect();
        let changes: Vec<Arc<Change>> = questions.iter().map(|it| it.change.clone()).collect();
        let answers = cache.with(&ahead).check(&changes);
        for (question, answer) in questions.iter().zip(&answers) {
            if let Ok(prediction) = answer {
                let (change, job) = (question.change.clone(), question.job);
                // What holds it up may be repaired by anybody.
                let prediction = Some(prediction.clone()).filter(|it| it.blocked_by.is_none());
                let service = change.service.clone();
                self.reserved.insert(service, Reservation { change, job, prediction });
            }
        }
        answers
    }

    /// The live cluster, translated. A mistake in an object of another owner is logged once; one in an object of ours
    /// is in the status of its service.
    fn translated(&mut self, routing: Routing, around: &Surroundings, state: &Cache) -> Baseline {
        let version = routing.version;
        let Routing { gloo, gateway_api, .. } = around.around(routing);
        let mut baseline = match &self.baseline {
            Some((known, within, baseline)) if *known == version && within == around => {
                return baseline.clone();
            }
            Some((.., earlier)) => earlier.follow(gloo),
            None => Baseline::new(gloo),
        };
        if let Some(http_routes) = gateway_api {
            baseline = baseline.beside(http_routes, around.gateway_api);
        }
        self.baseline = Some((version, around.clone(), baseline.clone()));
        let mut broken: BTreeSet<Broken> = baseline.broken().into_iter().collect();
        if broken != self.reported {
            let ours = state.inventory().into_iter().map(|(id, ..)| id.to_string());
            let ours: BTreeSet<String> = ours.collect();
            broken.retain(|mistake| !ours.contains(&mistake.object.to_string()));
        }
        for mistake in broken.difference(&self.reported) {
            tracing::warn!(object = %mistake.object, "broken in the cluster: {mistake}");
        }
        for mended in self.reported.difference(&broken) {
            tracing::info!(object = %mended.object, "no longer broken");
        }
        self.reported = broken;
        baseline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_batch_is_dear_are_questions_gathered_and_never_for_long() {
        assert_eq!(cool_down(Duration::from_millis(19), BATCH), Duration::ZERO);
        assert_eq!(cool_down(Duration::from_millis(25), BATCH), Duration::from_millis(100));
        assert_eq!(cool_down(Duration::from_secs(9), BATCH), Duration::from_secs(1));
    }
}
