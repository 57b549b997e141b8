//! Passes that do what they like, in virtual time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use tokio::task::JoinHandle;

use super::*;
use crate::scheduler::schedule::tests::Content;

/// Far longer than anything takes.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// What a pass does.
#[derive(Clone, Copy, Debug)]
enum Behavior {
    Succeed,
    Panic,
    Hang,
}

/// What passes are to do, by the names of the services; the last is done again and again.
#[derive(Clone, Default)]
struct Script {
    behaviors: Arc<Mutex<BTreeMap<String, Vec<Behavior>>>>,
    failures: Arc<Mutex<Vec<(String, Failure)>>>,
    done: Arc<Mutex<Vec<String>>>,
    changed: Arc<tokio::sync::Notify>,
    at_once: Arc<AtomicUsize>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("whole")
}

impl Script {
    fn of(services: &[(&str, &[Behavior])]) -> Self {
        let behaviors =
            services.iter().map(|(name, behaviors)| ((*name).to_owned(), behaviors.to_vec()));
        Self { behaviors: Arc::new(Mutex::new(behaviors.collect())), ..Self::default() }
    }

    fn next(&self, name: &str) -> Behavior {
        let mut behaviors = locked(&self.behaviors);
        let behaviors = behaviors.get_mut(name).expect("in the script");
        if behaviors.len() > 1 { behaviors.remove(0) } else { behaviors[0] }
    }

    async fn until(&self, mut is_so: impl FnMut(&Self) -> bool) {
        let seen = async {
            while !is_so(self) {
                self.changed.notified().await;
            }
        };
        timeout(DEADLINE, seen).await.unwrap_or_else(|_| {
            panic!("failed: {:?}, done: {:?}", locked(&self.failures), locked(&self.done))
        });
    }

    fn failures_of(&self, service: &str) -> Vec<Failure> {
        let failures = locked(&self.failures);
        failures.iter().filter(|(name, _)| name == service).map(|(_, it)| it.clone()).collect()
    }
}

impl Passes for Script {
    type Request = Content;

    async fn carry_out(&self, taken: &Taken<Content>, _: &Tenure) {
        let name = taken.pass().name.to_string();
        match self.next(&name) {
            Behavior::Succeed => {}
            Behavior::Panic => panic!("{name} is broken"),
            Behavior::Hang => {
                self.at_once.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
        }
        taken.finish(|_| PassResult::Ready, || ());
        locked(&self.done).push(name);
        self.changed.notify_one();
    }

    async fn failed(&self, taken: &Taken<Content>, _: &Tenure, failure: &Failure) {
        let name = taken.pass().name.to_string();
        locked(&self.failures).push((name.clone(), failure.clone()));
        self.changed.notify_one();
        assert!(!name.starts_with("silent"), "it cannot be reported");
        taken.finish(|_| PassResult::Failed { retry: true }, || ());
    }
}

struct Running {
    queue: Arc<Queue<Content>>,
    health: Arc<Health>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(script: &Script) -> Self {
        let queue = Arc::new(Queue::new(Duration::from_secs(600)));
        let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
        for name in locked(&script.behaviors).keys() {
            let name: Arc<str> = name.as_str().into();
            queue.change(|schedule, now| schedule.request(&name, Content(1), now));
        }
        let task = tokio::spawn({
            let (script, queue, health, stop) =
                (script.clone(), queue.clone(), health.clone(), stop.clone());
            async move { run(script, &queue, &Leadership::unopposed(), &health, &stop).await }
        });
        Self { queue, health, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(DEADLINE, self.task).await.expect("in time").expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_is_reported_and_tried_again_and_holds_up_nobody() {
    let script = Script::of(&[
        ("echo", &[Behavior::Panic, Behavior::Succeed]),
        ("foxtrot", &[Behavior::Succeed]),
    ]);
    let running = Running::start(&script);
    script.until(|script| locked(&script.done).len() == 2).await;
    assert_eq!(script.failures_of("echo"), [Failure::Panicked("echo is broken".into())]);
    assert!(script.failures_of("foxtrot").is_empty());
    assert_eq!(*locked(&script.done), ["foxtrot", "echo"]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_cannot_be_reported_leaves_no_service_taken() {
    let behaviors: &[Behavior] = &[Behavior::Panic, Behavior::Succeed];
    let script = Script::of(&[("silent", behaviors)]);
    let running = Running::start(&script);
    script.until(|script| !locked(&script.done).is_empty()).await;
    assert_eq!(script.failures_of("silent").len(), 1);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_never_ends_is_given_up_and_tried_again_and_is_no_reason_for_a_restart() {
    let script = Script::of(&[("echo", &[Behavior::Hang, Behavior::Hang, Behavior::Succeed])]);
    let running = Running::start(&script);
    script.until(|script| !locked(&script.done).is_empty()).await;
    assert_eq!(script.failures_of("echo"), [const { Failure::TimedOut(PASS_LIMIT) }; 2]);
    // The bounds count real time, in which nothing of this has lasted.
    assert_eq!(running.health.liveness(Instant::now()), Ok(()));
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_even_come_to_its_time_limit_is_named_to_the_liveness_probe() {
    let script = Script::of(&[("echo", &[Behavior::Hang])]);
    let running = Running::start(&script);
    let begun = async {
        while script.at_once.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, begun).await.expect("it begins");
    let limit = PASS_LIMIT + STUCK + Duration::from_secs(60);
    let stuck = running.health.liveness(Instant::now() + limit).expect_err("stuck");
    assert!(stuck.contains("the pass over echo has not ended"), "{stuck}");
    assert!(stuck.contains("the loop passes has not come round"), "{stuck}");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_is_looked_at_once_while_nothing_changes() {
    let script = Script::of(&[("echo", &[Behavior::Succeed])]);
    let running = Running::start(&script);
    script.until(|script| !locked(&script.done).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(locked(&script.done).len(), 1);
    running.queue.change(|schedule, now| schedule.on_leadership(now));
    script.until(|script| locked(&script.done).len() == 2).await;
    running.end().await;
}
