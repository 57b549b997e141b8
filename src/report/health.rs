//! Whether the daemon lives and whether it is ready, in the sense of Kubernetes' probes: one that does
//! not live is restarted, one that is not ready gets no requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the loops and passes of the daemon say about themselves. Its times are monotonic: setting the clock
/// restarts nothing.
///
/// Only what a restart cures belongs among them. Everything in the daemon that waits for others, such as the
/// API server or the git server, gives up by itself after a while and counts as alive.
#[derive(Debug, Default)]
pub struct Health {
    vital_signs: Mutex<VitalSigns>,
}

#[derive(Debug, Default)]
struct VitalSigns {
    loops: BTreeMap<Cow<'static, str>, Loop>,
    /// What has begun and not ended, by its number.
    activities: BTreeMap<u64, (String, Loop)>,
    begun: u64,
    /// Whether each kind's watch knows its objects.
    watches: BTreeMap<String, bool>,
    work: Work,
}

#[derive(Debug)]
struct Loop {
    last_beat: Instant,
    bound: Duration,
}

#[derive(Debug, Default)]
enum Work {
    #[default]
    Starting,
    Standby,
    Accepted,
}

impl Health {
    /// A loop that is to beat again within each `bound`, from now on. A loop that is not expected
    /// is not waited for.
    pub fn expect(&self, name: impl Into<Cow<'static, str>>, bound: Duration) {
        let begun = Loop { last_beat: Instant::now(), bound };
        self.vital_signs().loops.insert(name.into(), begun);
    }

    /// The loop has come round.
    pub fn beat(&self, name: &str) {
        if let Some(known) = self.vital_signs().loops.get_mut(name) {
            known.last_beat = Instant::now();
        }
    }

    /// The loop has ended as it should.
    pub fn ended(&self, name: &str) {
        self.vital_signs().loops.remove(name);
    }

    /// Something begins that is to end within `bound`. It ends when the answer is dropped.
    pub fn begin(self: &Arc<Self>, name: String, bound: Duration) -> Activity {
        let mut signs = self.vital_signs();
        signs.begun += 1;
        let number = signs.begun;
        signs.activities.insert(number, (name, Loop { last_beat: Instant::now(), bound }));
        Activity { health: self.clone(), number }
    }

    /// The watch of this kind knows its objects (`true`), or has yet to learn of them.
    pub fn watch(&self, kind: &str, synced: bool) {
        self.vital_signs().watches.insert(kind.to_owned(), synced);
    }

    /// A tree was accepted.
    pub fn accepted(&self) {
        self.vital_signs().work = Work::Accepted;
    }

    /// Another replica does the work, and this one stands by.
    pub fn standby(&self) {
        self.vital_signs().work = Work::Standby;
    }

    /// Whether every loop goes round, and everything that has begun ends.
    ///
    /// # Errors
    /// Names what does not, and since when.
    pub fn liveness(&self, now: Instant) -> Result<(), String> {
        let signs = self.vital_signs();
        let overdue = |known: &Loop, what: &str| {
            let silent = now.saturating_duration_since(known.last_beat);
            (silent > known.bound).then(|| {
                format!(
                    "{what} for {} s, {} s is its limit",
                    silent.as_secs(),
                    known.bound.as_secs()
                )
            })
        };
        let loops = signs.loops.iter();
        let loops = loops.filter_map(|(name, known)| {
            overdue(known, &format!("the loop {name} has not come round"))
        });
        let activities = signs.activities.values();
        let activities =
            activities.filter_map(|(name, known)| overdue(known, &format!("{name} has not ended")));
        all_is_well(loops.chain(activities).collect())
    }

    /// Whether a tree was accepted, or another replica does the work, and all watches know their
    /// objects.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn readiness(&self) -> Result<(), String> {
        let signs = self.vital_signs();
        let mut missing = Vec::new();
        if matches!(signs.work, Work::Starting) {
            missing.push("no commit was accepted yet; /api/services says why".to_owned());
        }
        let unsynced = signs.watches.iter().filter(|(_, synced)| !**synced);
        missing.extend(
            unsynced.map(|(kind, _)| format!("the objects of kind {kind} are not known yet")),
        );
        all_is_well(missing)
    }

    fn vital_signs(&self) -> MutexGuard<'_, VitalSigns> {
        self.vital_signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that is under way, until this is dropped.
#[derive(Debug)]
pub struct Activity {
    health: Arc<Health>,
    number: u64,
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.health.vital_signs().activities.remove(&self.number);
    }
}

fn all_is_well(complaints: Vec<String>) -> Result<(), String> {
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(60);

    #[test]
    fn a_loop_that_does_not_come_round_is_named() {
        let health = Health::default();
        health.expect("source", BOUND);
        health.expect("watches".to_owned(), BOUND * 10);
        let now = Instant::now();
        assert_eq!(health.liveness(now + BOUND / 2), Ok(()));
        let stuck = health.liveness(now + BOUND * 2).expect_err("stuck");
        assert!(stuck.contains("the loop source") && !stuck.contains("watches"), "{stuck}");
    }

    #[test]
    fn a_beat_is_good_for_another_bound() {
        let health = Health::default();
        health.expect("source", Duration::ZERO);
        let before = Instant::now();
        health.beat("source");
        assert_eq!(health.liveness(before), Ok(()));
        assert!(health.liveness(Instant::now() + BOUND).is_err());
        health.ended("source");
        assert_eq!(health.liveness(Instant::now() + BOUND), Ok(()));
    }

    #[test]
    fn what_does_not_end_within_its_bound_is_named() {
        let health = Arc::new(Health::default());
        let echo = health.begin("the pass over echo".into(), BOUND);
        let foxtrot = health.begin("the pass over foxtrot".into(), BOUND * 10);
        let later = Instant::now() + BOUND * 2;
        let stuck = health.liveness(later).expect_err("stuck");
        assert!(stuck.contains("the pass over echo has not ended"), "{stuck}");
        assert!(!stuck.contains("foxtrot"), "{stuck}");
        drop(echo);
        assert_eq!(health.liveness(later), Ok(()));
        assert!(health.liveness(later + BOUND * 10).is_err());
        drop(foxtrot);
        assert_eq!(health.liveness(later + BOUND * 10), Ok(()));
    }

    #[test]
    fn a_daemon_is_ready_when_it_works_or_stands_by_and_knows_its_objects() {
        let health = Health::default();
        assert!(health.readiness().expect_err("starting").contains("no commit"));
        health.watch("Deployment", false);
        health.standby();
        let missing = health.readiness().expect_err("not synced");
        assert!(missing.contains("kind Deployment") && !missing.contains("commit"), "{missing}");
        health.watch("Deployment", true);
        assert_eq!(health.readiness(), Ok(()));
        health.accepted();
        assert_eq!(health.readiness(), Ok(()));
    }
}
