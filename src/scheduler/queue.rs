//! The schedule, shared between tasks and driven by the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Next, Pass, PassResult, Request, Schedule};

/// A [`Schedule`] that several tasks use at the same time.
#[derive(Debug)]
pub struct Queue<R> {
    schedule: Mutex<Schedule<R>>,
    changed: Notify,
    /// The moment from which the schedule's times are counted.
    start: Instant,
}

impl<R: Request> Queue<R> {
    /// An empty schedule. After failures a service is due again within the longest pause.
    pub fn new(longest_pause: Duration) -> Self {
        let schedule = Mutex::new(Schedule::new(longest_pause));
        Self { schedule, changed: Notify::new(), start: Instant::now() }
    }

    /// Changes the schedule. Nothing else happens to it meanwhile: what is reported in here is reported in
    /// the order in which it happened.
    pub fn change<T>(&self, change: impl FnOnce(&mut Schedule<R>, Duration) -> T) -> T {
        let result = change(&mut self.schedule(), self.start.elapsed());
        self.changed.notify_one();
        result
    }

    /// Looks something up.
    pub fn look<T>(&self, look: impl FnOnce(&Schedule<R>) -> T) -> T {
        look(&self.schedule())
    }

    /// Waits for a pass to be due, and takes it. Only one task at a time may wait here.
    pub async fn take(self: &Arc<Self>) -> Taken<R> {
        loop {
            let changed = self.changed.notified();
            let (pass, next) = {
                let mut schedule = self.schedule();
                (schedule.take(self.start.elapsed()), schedule.next_due())
            };
            if let Some(pass) = pass {
                return Taken { pass, queue: self.clone(), is_over: AtomicBool::new(false) };
            }
            match next {
                Some(next) => tokio::select! {
                    () = sleep_until(self.start + next) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }

    /// What a thread that panicked left behind is as good as what it found.
    fn schedule(&self) -> MutexGuard<'_, Schedule<R>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass that was taken. One that is dropped without a result counts as failed, so that no service stays
/// taken for ever.
#[derive(Debug)]
pub struct Taken<R: Request> {
    pass: Pass<R>,
    queue: Arc<Queue<R>>,
    is_over: AtomicBool,
}

impl<R: Request> Taken<R> {
    /// The pass.
    pub fn pass(&self) -> &Pass<R> {
        &self.pass
    }

    /// Whether nothing else is requested by now.
    pub fn is_current(&self) -> bool {
        self.queue.look(|schedule| schedule.current(&self.pass).is_some())
    }

    /// The pass has ended. `report` tells everybody how, and says what that means for the schedule; it is
    /// given the newest request that the pass was for, or nothing if something else is requested by now.
    /// `on_removal` is called if the service is removed. No request and no other pass of this service can
    /// come in between. Nothing is done if the pass was over before.
    pub fn finish(
        &self,
        report: impl FnOnce(Option<&R>) -> PassResult,
        on_removal: impl FnOnce(),
    ) -> Option<Next> {
        if self.is_over.load(Ordering::Acquire) {
            return None;
        }
        let next = self.queue.change(|schedule, now| {
            let result = report(schedule.current(&self.pass));
            let next = schedule.on_result(&self.pass, result, now);
            self.is_over.store(true, Ordering::Release);
            if next == Next::Removed {
                on_removal();
            }
            next
        });
        Some(next)
    }
}

impl<R: Request> Drop for Taken<R> {
    fn drop(&mut self) {
        self.finish(|_| PassResult::Failed { retry: true }, || ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::schedule::tests::Content;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(names: &[&str]) -> Arc<Queue<Content>> {
        let queue = Arc::new(Queue::new(60 * SECOND));
        for name in names {
            queue.change(|schedule, now| schedule.request(&(*name).into(), Content(1), now));
        }
        queue
    }

    async fn take(queue: &Arc<Queue<Content>>) -> Option<Taken<Content>> {
        tokio::time::timeout(3600 * SECOND, queue.take()).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_comes_when_it_is_due() {
        let queue = queue(&["echo"]);
        let recheck = Some(20 * SECOND);
        let taken = take(&queue).await.expect("due");
        taken.finish(|_| PassResult::Pending { recheck }, || ());
        let begun = Instant::now();
        let taken = take(&queue).await.expect("due again");
        assert_eq!((&*taken.pass().name, begun.elapsed()), ("echo", 20 * SECOND));
        assert!(take(&queue).await.is_none(), "it is taken");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_hears_of_what_becomes_due_meanwhile() {
        let queue = queue(&[]);
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { take(&queue).await.map(|taken| taken.pass().name.clone()) }
        });
        tokio::task::yield_now().await;
        queue.change(|schedule, now| schedule.request(&"echo".into(), Content(1), now));
        assert_eq!(waiting.await.expect("no panic").as_deref(), Some("echo"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_is_dropped_is_followed_by_another() {
        let queue = queue(&["echo"]);
        drop(take(&queue).await.expect("due"));
        let begun = Instant::now();
        let taken = take(&queue).await.expect("due again");
        assert_eq!(begun.elapsed(), SECOND);
        assert_eq!(taken.finish(|_| PassResult::Ready, || ()), Some(Next::OnChange));
        // What is over is not over once more.
        assert_eq!(taken.finish(|_| PassResult::Unfinished, || ()), None);
        drop(taken);
        assert!(take(&queue).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_panics_leaves_no_service_taken() {
        let queue = queue(&["echo"]);
        let taken = take(&queue).await.expect("due");
        let reporting = tokio::spawn(async move { taken.finish(|_| panic!("no report"), || ()) });
        assert!(reporting.await.expect_err("a panic").is_panic());
        assert!(take(&queue).await.is_some());
    }
}
