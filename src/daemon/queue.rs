//! What is to be looked at, and when: each name at most once, and never twice at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Names with the moment they are due. Whoever takes one has it alone until it is [done](Self::done).
#[derive(Default)]
pub(super) struct Queue {
    content: Mutex<Content>,
    changed: Notify,
}

#[derive(Default)]
struct Content {
    due: BTreeMap<Arc<str>, Instant>,
    order: BTreeSet<(Instant, Arc<str>)>,
    taken: BTreeSet<Arc<str>>,
}

impl Queue {
    /// The name is due at this moment, or earlier if it was due earlier already. One that is taken is
    /// due again when it is done.
    pub(super) fn push(&self, name: &Arc<str>, at: Instant) {
        let mut content = self.content();
        match content.due.get(name) {
            Some(known) if *known <= at => return,
            Some(known) => {
                let known = (*known, name.clone());
                content.order.remove(&known);
            }
            None => {}
        }
        content.due.insert(name.clone(), at);
        content.order.insert((at, name.clone()));
        drop(content);
        self.changed.notify_one();
    }

    /// The next name that is due and that nobody has.
    pub(super) async fn take(&self) -> Arc<str> {
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let (taken, next) = self.content().take(now);
            if let Some(name) = taken {
                return name;
            }
            match next {
                Some(next) => tokio::select! { () = sleep_until(next) => {}, () = changed => {} },
                None => changed.await,
            }
        }
    }

    /// The name may be taken again.
    pub(super) fn done(&self, name: &Arc<str>) {
        self.content().taken.remove(name);
        self.changed.notify_one();
    }

    /// The name is not due any more.
    pub(super) fn strike(&self, name: &Arc<str>) {
        let mut content = self.content();
        if let Some(at) = content.due.remove(name) {
            content.order.remove(&(at, name.clone()));
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// A name that is due, or when the next one will be.
    fn take(&mut self, now: Instant) -> (Option<Arc<str>>, Option<Instant>) {
        let mut free = self.order.iter().filter(|(_, name)| !self.taken.contains(name));
        match free.next().cloned() {
            Some((at, name)) if at <= now => {
                self.order.remove(&(at, name.clone()));
                self.due.remove(&name);
                self.taken.insert(name.clone());
                (Some(name), None)
            }
            Some((at, _)) => (None, Some(at)),
            None => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_come_when_they_are_due_and_once() {
        let queue = Queue::default();
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        queue.push(&"late".into(), now + 2 * second);
        queue.push(&"soon".into(), now + second);
        queue.push(&"late".into(), now + 3 * second);
        queue.push(&"soon".into(), now + second);
        assert_eq!(&*queue.take().await, "soon");
        assert_eq!(Instant::now(), now + second);
        assert_eq!(&*queue.take().await, "late");
        assert_eq!(Instant::now(), now + 2 * second);
        let nothing = tokio::time::timeout(10 * second, queue.take()).await;
        assert!(nothing.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_taken_comes_again_only_when_it_is_done() {
        let queue = Queue::default();
        let name: Arc<str> = "echo".into();
        queue.push(&name, Instant::now());
        assert_eq!(queue.take().await, name);
        queue.push(&name, Instant::now());
        let nothing = tokio::time::timeout(Duration::from_secs(1), queue.take()).await;
        assert!(nothing.is_err());
        queue.done(&name);
        assert_eq!(queue.take().await, name);
        queue.push(&name, Instant::now());
        queue.strike(&name);
        queue.done(&name);
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.take()).await.is_err());
    }
}
