//! Carrying out passes, some of them at the same time, whatever becomes of a single one.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{PassResult, Queue, Request, Taken};
use crate::election::{Leadership, Tenure};
use crate::report::Health;

/// How many services are reconciled at the same time. Most of them wait for their turn at the API
/// server or at the preflight, which takes as many as there are at once.
const AT_ONCE: usize = 128;
/// How long a pass may take. It waits for nothing but answers, and the client that asks for them has no
/// time limit of its own: an API server that accepts a request and never answers would hold it for ever.
const PASS_LIMIT: Duration = Duration::from_secs(900);
/// How much later a pass that has not been given up holds up the whole daemon: what does not even come to
/// its time limit is cured by a restart.
const STUCK: Duration = Duration::from_secs(300);
/// The loop that is to come round, for whoever watches over the daemon.
const LOOP: &str = "passes";
/// How often it comes round at least, and how often it has to.
const BEAT: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));

/// Those who know how to carry out passes.
pub trait Passes: Clone + Send + Sync + 'static {
    /// What is requested of services.
    type Request: Request + Send + Sync + 'static;

    /// Carries out a pass, and [finishes](Taken::finish) it. It may be dropped at any point.
    fn carry_out(
        &self,
        taken: &Taken<Self::Request>,
        tenure: &Tenure,
    ) -> impl Future<Output = ()> + Send;

    /// The pass failed in a way that is nobody's mistake but our own, or the API server's. Reports it, and
    /// finishes the pass.
    fn failed(
        &self,
        taken: &Taken<Self::Request>,
        tenure: &Tenure,
        failure: &Failure,
    ) -> impl Future<Output = ()> + Send;
}

/// How a pass failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It panicked, with this message.
    Panicked(String),
    /// It was given up after so long.
    TimedOut(Duration),
}

/// What a panic says.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(
                f,
                "internal error: the pass over this service panicked: {message}; nothing else is \
                 affected, and it is tried again; please report this with the daemon's log"
            ),
            Self::TimedOut(limit) => write!(
                f,
                "the pass over this service was given up after {} s, and is tried again; check whether \
                 the API server answers",
                limit.as_secs()
            ),
        }
    }
}

/// Carries out what is due while this daemon leads, until it stops; then waits for the passes under way.
pub async fn run<P: Passes>(
    passes: P,
    queue: &Arc<Queue<P::Request>>,
    leadership: &Leadership,
    health: &Arc<Health>,
    stop: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut beat = interval(BEAT.0);
    health.expect(LOOP, BEAT.1);
    let working = async {
        loop {
            let next = async {
                leadership.acquired().await;
                // The semaphore is never closed.
                let place = places.clone().acquire_owned().await.ok();
                (place, queue.take().await)
            };
            tokio::select! {
                biased;
                _ = beat.tick() => health.beat(LOOP),
                Some(ended) = running.join_next() => report_end(ended),
                (place, taken) = next => {
                    let Some(tenure) = leadership.tenure() else {
                        taken.finish(|_| PassResult::Unfinished, || ());
                        continue;
                    };
                    let (passes, health) = (passes.clone(), health.clone());
                    running.spawn(async move {
                        carry_out(&passes, taken, &tenure, &health).await;
                        drop(place);
                    });
                }
            }
        }
    };
    tokio::select! {
        // Whoever begins to lead makes everything due before a pass is taken, rather than after some.
        biased;
        () = stop.cancelled() => {}
        () = follow(leadership, queue) => {}
        () = working => {}
    }
    health.ended(LOOP);
    while let Some(ended) = running.join_next().await {
        report_end(ended);
    }
}

/// Lets every service be looked at when this daemon leads, for ever.
async fn follow<R: Request>(leadership: &Leadership, queue: &Queue<R>) {
    loop {
        let tenure = leadership.acquired().await;
        queue.change(|schedule, now| schedule.on_leadership(now));
        tenure.lost().await;
    }
}

async fn carry_out<P: Passes>(
    passes: &P,
    taken: Taken<P::Request>,
    tenure: &Tenure,
    health: &Arc<Health>,
) {
    let name = &taken.pass().name;
    let _activity = health.begin(format!("the pass over {name}"), PASS_LIMIT + STUCK);
    let pass = AssertUnwindSafe(passes.carry_out(&taken, tenure)).catch_unwind();
    let failure = match timeout(PASS_LIMIT, pass).await {
        Ok(Ok(())) => return,
        Ok(Err(payload)) => Failure::Panicked(panic_message(&*payload).to_owned()),
        Err(_) => Failure::TimedOut(PASS_LIMIT),
    };
    tracing::error!(service = %name, "{failure}");
    passes.failed(&taken, tenure, &failure).await;
}

/// What a pass does is caught; this is for what comes after it. The service is released all the same.
fn report_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the failure of a pass could not be reported");
    }
}

#[cfg(test)]
mod tests;
