//! The one place through which every change goes before it is written, so that no two of them that
//! would collide are both let through, and a thousand new services cost a few translations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gloo::Snapshot;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::live::Live;
use coalmine_core::managed_fields::Digest;
use coalmine_core::object::ObjectId;
use coalmine_core::plan::Job;
use coalmine_core::preflight::{Baseline, Broken, Change, Prediction, foreseen};
use coalmine_core::reason::{PreflightError, Refusal};

/// A handle on the task that asks Gloo's own rules what changes would do to anybody.
#[derive(Clone)]
pub struct Admission {
    messages: mpsc::UnboundedSender<Message>,
}

enum Message {
    Ask(Box<Question>),
    Forget(String),
}

struct Question {
    change: Arc<Change>,
    /// The job that it is about.
    job: Digest,
    gloo_namespace: String,
    answer: oneshot::Sender<Result<Prediction, Refusal>>,
}

impl Admission {
    /// Starts the task; it ends with the last handle.
    pub fn new(live: Live) -> Self {
        let (messages, receiver) = mpsc::unbounded_channel();
        tokio::spawn(answer_all(live, receiver));
        Self { messages }
    }

    /// Asks whether the job harms anybody, itself included. One that does not is reckoned with from
    /// now on, although it is not written yet, until it is [forgotten](Self::forget).
    ///
    /// # Errors
    /// Why it would, or that nobody can say.
    pub(super) async fn ask(
        &self,
        job: &Job,
        surplus: &BTreeSet<ObjectId>,
        gloo_namespace: &str,
    ) -> Result<Prediction, PreflightError> {
        let change = Arc::new(Change::new(&job.service, &job.desired, surplus));
        let (answer, answered) = oneshot::channel();
        let gloo_namespace = gloo_namespace.to_owned();
        let question = Question { change, job: job.digest(), gloo_namespace, answer };
        // A task that has ended drops the question, and with it the answer's sender.
        let _ = self.messages.send(Message::Ask(Box::new(question)));
        match answered.await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(PreflightError::Failed),
        }
    }

    /// The job is in force: the live state shows it.
    pub fn forget(&self, service: &str) {
        let _ = self.messages.send(Message::Forget(service.to_owned()));
    }
}

async fn answer_all(live: Live, mut messages: mpsc::UnboundedReceiver<Message>) {
    let mut office = Office::default();
    let (mut waiting, mut open) = (Vec::new(), Vec::new());
    let (mut next_look, mut next_batch) = (Instant::now(), Instant::now());
    loop {
        let rested = async { sleep_until(next_batch).await };
        let nothing_comes = async { sleep(LEISURE).await };
        let is_urgent = tokio::select! {
            received = messages.recv_many(&mut waiting, usize::MAX) => match received {
                0 => return,
                _ => waiting.iter().any(|it| matches!(it, Message::Ask(_))),
            },
            () = rested, if !open.is_empty() => true,
            () = nothing_comes, if !waiting.is_empty() => true,
        };
        if !is_urgent && open.is_empty() {
            continue;
        }
        sleep_until(next_look).await;
        while let Ok(message) = messages.try_recv() {
            waiting.push(message);
        }
        let mut in_force = Vec::new();
        for message in waiting.drain(..) {
            match message {
                Message::Ask(question) => {
                    in_force.retain(|service| *service != question.change.service);
                    open.push(*question);
                }
                Message::Forget(service) => in_force.push(service),
            }
        }
        let begun = Instant::now();
        let (snapshot, version) = live.gloo();
        office.look(&snapshot, version);
        next_look = Instant::now() + rest(begun.elapsed(), LOOK);
        in_force.iter().for_each(|service| drop(office.let_through.remove(service)));
        let answered = |question: Question| match office.known(&question) {
            Some(prediction) => {
                let _ = question.answer.send(Ok(prediction));
                None
            }
            // Whoever asked may have been superseded meanwhile.
            None => (!question.answer.is_closed()).then_some(question),
        };
        open = open.into_iter().filter_map(answered).collect();
        let Some(first) = open.first() else { continue };
        if Instant::now() < next_batch {
            continue;
        }
        let snapshot = snapshot.of_gloo_in(&first.gloo_namespace);
        let questions = std::mem::take(&mut open);
        // Translating a big cluster takes longer than other tasks should wait.
        let state = live.clone();
        let work = move || {
            let begun = Instant::now();
            let answers = office.answer(snapshot, version, &questions, &state);
            (office, questions, answers, begun.elapsed())
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((returned, questions, answers, cost)) => {
                office = returned;
                // Whoever is alone needs no others.
                if questions.len() > 1 {
                    next_batch = Instant::now() + rest(cost, BATCH);
                }
                for (question, answer) in questions.into_iter().zip(answers) {
                    let _ = question.answer.send(answer);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the preflight failed");
                office = Office::default();
            }
        }
    }
}

/// What costs the same for one message and for many. In a big cluster it would be done for each of them
/// when many services change at once, so it rests for a while each time, and they are gathered.
#[derive(Clone, Copy)]
struct Labour {
    /// What it may cost without a rest.
    free: Duration,
    /// How many times as long as the rest of the cost it rests.
    times: u32,
    /// The longest rest.
    most: Duration,
}

/// Looking whether the answers given still hold.
const LOOK: Labour =
    Labour { free: Duration::from_micros(250), times: 100, most: Duration::from_millis(50) };
/// Comparing the cluster as it is with the cluster as it would be.
const BATCH: Labour =
    Labour { free: Duration::from_millis(20), times: 20, most: Duration::from_secs(1) };

/// What is in force is forgotten with the next question, and without one after this time.
const LEISURE: Duration = Duration::from_secs(1);

/// How long to rest after it took so long.
fn rest(cost: Duration, Labour { free, times, most }: Labour) -> Duration {
    (times * cost.saturating_sub(free)).min(most)
}

/// What is remembered from one batch of questions to the next.
#[derive(Default)]
struct Office {
    /// The cluster as it was translated last, and the version of the live state that it is from.
    baseline: Option<(u64, Baseline)>,
    /// The cluster as it was looked at last, and the version of the live state that it is from.
    seen: (Snapshot, u64),
    let_through: BTreeMap<String, LetThrough>,
    /// The mistakes of others that were told.
    told: BTreeSet<Broken>,
}

/// A change that was let through and is not in force yet.
struct LetThrough {
    change: Arc<Change>,
    job: Digest,
    /// The answer, while all that has happened since is what changes do that were let through. The
    /// earlier of these were reckoned with, and the later do this one no harm.
    prediction: Option<Prediction>,
}

impl Office {
    /// Looks whether anything has happened that no answer has reckoned with.
    fn look(&mut self, snapshot: &Snapshot, version: u64) {
        if self.seen.1 == version {
            return;
        }
        let changes: Vec<Arc<Change>> =
            self.let_through.values().map(|it| it.change.clone()).collect();
        if !foreseen(&self.seen.0, snapshot, &changes) {
            self.let_through.values_mut().for_each(|it| it.prediction = None);
        }
        self.seen = (snapshot.clone(), version);
    }

    /// The answer to a question that was asked before, if it still holds.
    fn known(&self, question: &Question) -> Option<Prediction> {
        let earlier = self.let_through.get(&question.change.service)?;
        let is_same =
            earlier.job == question.job && earlier.change.surplus == question.change.surplus;
        earlier.prediction.clone().filter(|_| is_same)
    }

    fn answer(
        &mut self,
        snapshot: Snapshot,
        version: u64,
        questions: &[Question],
        state: &Live,
    ) -> Vec<Result<Prediction, Refusal>> {
        for question in questions {
            self.let_through.remove(&question.change.service);
        }
        let live = self.translated(snapshot, version, state);
        let ahead: Vec<Arc<Change>> =
            self.let_through.values().map(|it| it.change.clone()).collect();
        let changes: Vec<Arc<Change>> = questions.iter().map(|it| it.change.clone()).collect();
        let answers = live.with(&ahead).check(&changes);
        for (question, answer) in questions.iter().zip(&answers) {
            if let Ok(prediction) = answer {
                let (change, job) = (question.change.clone(), question.job);
                // What holds it up may be repaired by anybody.
                let prediction = Some(prediction.clone()).filter(|it| it.blocked_by.is_none());
                let service = change.service.clone();
                self.let_through.insert(service, LetThrough { change, job, prediction });
            }
        }
        answers
    }

    /// The live cluster. What somebody else broke in it is told once; of what is ours its service's
    /// state tells.
    fn translated(&mut self, snapshot: Snapshot, version: u64, state: &Live) -> Baseline {
        let baseline = match &self.baseline {
            Some((known, baseline)) if *known == version => return baseline.clone(),
            Some((_, earlier)) => earlier.follow(snapshot),
            None => Baseline::new(snapshot),
        };
        self.baseline = Some((version, baseline.clone()));
        let mut broken: BTreeSet<Broken> = baseline.broken().into_iter().collect();
        if broken != self.told {
            let ours = state.inventory().into_iter().map(|(id, ..)| id.to_string());
            let ours: BTreeSet<String> = ours.collect();
            broken.retain(|mistake| !ours.contains(&mistake.object.to_string()));
        }
        for mistake in broken.difference(&self.told) {
            tracing::warn!(object = %mistake.object, "broken in the cluster: {mistake}");
        }
        for mended in self.told.difference(&broken) {
            tracing::info!(object = %mended.object, "no longer broken");
        }
        self.told = broken;
        baseline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_batch_is_dear_are_questions_gathered_and_never_for_long() {
        assert_eq!(rest(Duration::from_millis(19), BATCH), Duration::ZERO);
        assert_eq!(rest(Duration::from_millis(25), BATCH), Duration::from_millis(100));
        assert_eq!(rest(Duration::from_secs(9), BATCH), Duration::from_secs(1));
    }
}
