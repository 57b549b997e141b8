//! Two usual ways to judge a canary, for comparison.

use std::collections::VecDeque;

use fastrand::Rng;
use judge::Counts;

use super::{LADDER, LEAST, Traffic, World};

/// How a canary is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// At the end of each minute: more than this share of the canary's answers was bad.
    Threshold(f64),
    /// At each look: the canary has more bad answers than the primary in this step, by so many standard deviations of
    /// two proportions.
    Deviations(f64),
}

/// Whether a rollout up the built-in ladder, each step for its least time, is aborted.
pub(crate) fn is_aborted(peer: Peer, world: World, rng: &mut Rng) -> bool {
    let mut traffic = Traffic::new(world, rng);
    for weight in LADDER {
        let (mut primary, mut canary) = (Counts::default(), Counts::default());
        let mut minute = VecDeque::new();
        for second in 1..=LEAST.as_secs() {
            let [more_primary, more_canary] = traffic.second(weight);
            primary += more_primary;
            canary += more_canary;
            minute.push_back(more_canary);
            if minute.len() > 60 {
                minute.pop_front();
            }
            let is_bad = match peer {
                Peer::Threshold(share) if second % 60 == 0 => {
                    let mut last = Counts::default();
                    minute.iter().for_each(|it| last += *it);
                    last.share().is_some_and(|it| it > share)
                }
                Peer::Threshold(_) => false,
                Peer::Deviations(bound) => deviations(primary, canary) > bound,
            };
            if is_bad {
                return true;
            }
        }
    }
    false
}

/// The pooled two-proportion z statistic.
fn deviations(primary: Counts, canary: Counts) -> f64 {
    let (Some(one), Some(other)) = (primary.share(), canary.share()) else { return 0.0 };
    let (n, m) = (primary.total as f64, canary.total as f64);
    let pooled = (primary.bad + canary.bad) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    if deviation > 0.0 { (other - one) / deviation } else { 0.0 }
}
