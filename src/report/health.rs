//! Whether the daemon lives and whether it is ready, in the sense of Kubernetes' probes: one that does
//! not live is restarted, one that is not ready gets no requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the loops of the daemon say about themselves. Its times are monotonic: setting the clock
/// restarts nothing.
#[derive(Debug, Default)]
pub struct Health {
    vital_signs: Mutex<VitalSigns>,
}

#[derive(Debug, Default)]
struct VitalSigns {
    loops: BTreeMap<&'static str, Loop>,
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
    StandingBy,
    TakenUp,
}

impl Health {
    /// A loop that is to beat again within each `bound`, from now on. A loop that is not expected
    /// is not waited for.
    pub fn expect(&self, name: &'static str, bound: Duration) {
        self.vital_signs().loops.insert(name, Loop { last_beat: Instant::now(), bound });
    }

    /// The loop has come round.
    pub fn beat(&self, name: &'static str) {
        if let Some(known) = self.vital_signs().loops.get_mut(name) {
            known.last_beat = Instant::now();
        }
    }

    /// The loop has ended as it should.
    pub fn ended(&self, name: &'static str) {
        self.vital_signs().loops.remove(name);
    }

    /// The watch of this kind knows its objects (`true`), or has yet to learn of them.
    pub fn watch(&self, kind: &str, synced: bool) {
        self.vital_signs().watches.insert(kind.to_owned(), synced);
    }

    /// A tree was taken up.
    pub fn taken_up(&self) {
        self.vital_signs().work = Work::TakenUp;
    }

    /// Another replica does the work, and this one stands by.
    pub fn standing_by(&self) {
        self.vital_signs().work = Work::StandingBy;
    }

    /// Whether every loop goes round.
    ///
    /// # Errors
    /// Names the loops that do not, and since when.
    pub fn liveness(&self, now: Instant) -> Result<(), String> {
        let signs = self.vital_signs();
        let stuck = signs.loops.iter().filter_map(|(name, known)| {
            let silent = now.saturating_duration_since(known.last_beat);
            (silent > known.bound).then(|| {
                format!(
                    "the loop {name} has not come round for {} s, {} s is its limit",
                    silent.as_secs(),
                    known.bound.as_secs()
                )
            })
        });
        all_is_well(stuck.collect())
    }

    /// Whether a tree was taken up, or another replica does the work, and all watches know their
    /// objects.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn readiness(&self) -> Result<(), String> {
        let signs = self.vital_signs();
        let mut missing = Vec::new();
        if matches!(signs.work, Work::Starting) {
            missing.push("no commit was taken up yet; /api/services says why".to_owned());
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
        health.expect("watches", BOUND * 10);
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
    fn a_daemon_is_ready_when_it_works_or_stands_by_and_knows_its_objects() {
        let health = Health::default();
        assert!(health.readiness().expect_err("starting").contains("no commit"));
        health.watch("Deployment", false);
        health.standing_by();
        let missing = health.readiness().expect_err("not synced");
        assert!(missing.contains("kind Deployment") && !missing.contains("commit"), "{missing}");
        health.watch("Deployment", true);
        assert_eq!(health.readiness(), Ok(()));
        health.taken_up();
        assert_eq!(health.readiness(), Ok(()));
    }
}
