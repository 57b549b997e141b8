use std::time::Duration;

use jiff::Timestamp;

use coalmine_core::reason::Subject;

/// What is waited for, and since when.
#[derive(Debug, Default)]
pub(in crate::reconcile) struct Waiting(Option<(Subject, Timestamp)>);

impl Waiting {
    /// How long this has been waited for; a wait for something else begins now.
    pub(in crate::reconcile) fn follow(&mut self, subject: Subject, now: Timestamp) -> Duration {
        match &self.0 {
            Some((known, since)) if *known == subject => passed(*since, now),
            _ => {
                self.0 = Some((subject, now));
                Duration::ZERO
            }
        }
    }

    /// What has been waited for as long as the deadline.
    pub(in crate::reconcile) fn overdue(
        &self,
        deadline: Duration,
        now: Timestamp,
    ) -> Option<Subject> {
        let (subject, since) = self.0.as_ref()?;
        (passed(*since, now) >= deadline).then(|| subject.clone())
    }

    /// Nothing is waited for.
    pub(in crate::reconcile) fn end(&mut self) {
        self.0 = None;
    }
}

/// A clock that was set back makes nothing negative.
fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_wait_for_something_else_begins_anew() {
        let mut waiting = Waiting::default();
        assert!(waiting.follow(Subject::Routes, second(1)).is_zero());
        assert_eq!(waiting.follow(Subject::Routes, second(4)).as_secs(), 3);
        assert!(waiting.follow(Subject::Proxies, second(5)).is_zero());
        assert!(waiting.follow(Subject::Routes, second(6)).is_zero());
        waiting.end();
        assert!(waiting.follow(Subject::Routes, second(7)).is_zero());
    }

    #[test]
    fn a_wait_is_overdue_once_the_deadline_has_passed_and_not_before() {
        let mut waiting = Waiting::default();
        let deadline = Duration::from_secs(10);
        assert_eq!(waiting.overdue(deadline, second(100)), None);
        waiting.follow(Subject::Gloo, second(1));
        assert_eq!(waiting.overdue(deadline, second(10)), None);
        assert_eq!(waiting.overdue(deadline, second(11)), Some(Subject::Gloo));
        assert_eq!(waiting.overdue(deadline, second(0)), None, "the clock was set back");
    }
}
