//! The plain disaster: a canary whose answers are mostly bad, look after look.

use serde::{Deserialize, Serialize};

use crate::look::Counts;

/// How long a disaster lasts before the brake acts: the less plain, the longer. Chosen by simulation (docs/judge.md).
const LEVELS: [Level; 3] = [
    Level { above: 0.9, looks: 3, is_dense: true },
    Level { above: 0.5, looks: 6, is_dense: false },
    Level { above: 0.2, looks: 15, is_dense: false },
];

struct Level {
    /// The share of bad answers that each look is above.
    above: f64,
    /// How many looks.
    looks: u32,
    /// Whether a look without an answer ends them. Otherwise two bursts are enough where hardly anything else comes.
    is_dense: bool,
}

/// So many bad answers at least: more than one bad client or one burst has.
const BAD: u64 = 12;

/// How many times the primary's share the canary's is, at least.
const TIMES: f64 = 10.0;

/// For so many looks an answer of the primary is waited for, if it had one in this step at all: without one it is not
/// known whether both versions fail.
const SILENCE: u32 = 10;

/// The looks of a disaster so far, by level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Brake {
    streaks: [Streak; LEVELS.len()],
}

/// Looks in succession that are above a level's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Streak {
    /// How many looks.
    pub(crate) looks: u32,
    /// What was answered in them.
    pub(crate) primary: Counts,
    pub(crate) canary: Counts,
}

impl Brake {
    /// Takes one look.
    pub(crate) fn look(&mut self, primary: Counts, canary: Counts) {
        let share = canary.share();
        for (streak, level) in self.streaks.iter_mut().zip(LEVELS) {
            match share {
                Some(share) if share > level.above => {
                    streak.looks = streak.looks.saturating_add(1);
                    streak.primary += primary;
                    streak.canary += canary;
                }
                None if !level.is_dense => streak.primary += primary,
                _ => *streak = Streak::default(),
            }
        }
    }

    /// The looks of a disaster that is long enough. `step` is what the primary answered in the whole step.
    pub(crate) fn disaster(&self, step: Counts) -> Option<Streak> {
        let levels = self.streaks.iter().zip(LEVELS);
        let found = levels.filter(|(streak, level)| {
            let is_silent = step.total == 0 || streak.looks >= SILENCE;
            let primary = streak.primary.share().or(is_silent.then_some(0.0));
            let is_long = streak.looks >= level.looks && streak.canary.bad >= BAD;
            let canary = streak.canary.share().unwrap_or(0.0);
            is_long && primary.is_some_and(|primary| canary > TIMES * primary)
        });
        found.map(|(streak, _)| *streak).next()
    }
}
