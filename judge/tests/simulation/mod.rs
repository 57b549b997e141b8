//! Simulated rollouts: traffic whose errors are independent of each other or come in bursts, a look each second.

pub(crate) mod peers;

use std::time::Duration;

use fastrand::Rng;
use judge::{Analysis, Counts, Decision, Enough, Judge, Look, Measure, Policy, Rate, Regression};

const SECOND: Duration = Duration::from_secs(1);

/// The weights of the built-in ladder, and the least time of each.
pub(crate) const LADDER: [u8; 4] = [5, 25, 50, 90];
pub(crate) const LEAST: Duration = Duration::from_secs(300);

/// The built-in policy: its fifth step is that of the headers.
pub(crate) fn policy() -> Policy {
    let errors = Analysis::Rate(Rate::errors(1.5, Some(0.002)));
    Policy {
        analyses: [("errors".to_owned(), errors)].into(),
        false_alarm: 0.001,
        steps: 5,
        enough: Enough::default(),
    }
}

/// What happens to requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    /// Requests per second of both versions together.
    pub(crate) requests: f64,
    /// The share of requests that are answered badly by either version.
    pub(crate) base: f64,
    /// How many bad answers come together, of one version, within one second.
    pub(crate) burst: u32,
    /// The share of requests that the canary answers badly, in all; less than `base` counts as that.
    pub(crate) worse: f64,
}

/// The answers of one second after another.
pub(crate) struct Traffic<'a> {
    world: World,
    rng: &'a mut Rng,
    /// Bad answers of bursts that reach into the next second: primary, canary.
    next: [u64; 2],
}

impl<'a> Traffic<'a> {
    pub(crate) fn new(world: World, rng: &'a mut Rng) -> Self {
        Self { world, rng, next: [0, 0] }
    }

    /// The answers of primary and canary, if the canary has this weight.
    pub(crate) fn second(&mut self, weight: u8) -> [Counts; 2] {
        let World { requests, base, burst, worse } = self.world;
        let share = f64::from(weight) / 100.0;
        let mut bad = std::mem::take(&mut self.next);
        for _ in 0..poisson(self.rng, requests * base / f64::from(burst)) {
            let arm = usize::from(self.rng.f64() < share);
            let begin = self.rng.f64();
            for answer in 0..burst {
                let is_next = begin + f64::from(answer) / f64::from(burst) >= 1.0;
                let second = if is_next { &mut self.next } else { &mut bad };
                second[arm] += 1;
            }
        }
        let primary = poisson(self.rng, requests * (1.0 - base) * (1.0 - share));
        let more = (worse - base).max(0.0);
        bad[1] += poisson(self.rng, requests * share * more);
        let good = poisson(self.rng, requests * share * (1.0 - base - more));
        [Counts::new(primary + bad[0], bad[0]), Counts::new(good + bad[1], bad[1])]
    }
}

/// A number of events whose mean is given.
pub(crate) fn poisson(rng: &mut Rng, mean: f64) -> u64 {
    if mean > 30.0 {
        // The sum of two uniform pairs gives a normal number (Box and Muller); its tails are good enough for counts of
        // good answers, which is what is that frequent here.
        let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
        return (mean + mean.sqrt() * normal).round().max(0.0) as u64;
    }
    let limit = (-mean).exp();
    let mut product = rng.f64();
    let mut events = 0;
    while product > limit {
        product *= rng.f64();
        events += 1;
    }
    events
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// Withdrawn, after so many seconds of the step or, in a ladder, of the rollout.
    Aborted(u64, Regression),
    /// All steps were promoted.
    Finished(u64),
    /// Neither, in the time that the simulation had; so many steps were promoted.
    Held(usize),
}

/// A look of one second at these answers; `None` is a look that could not be taken.
pub(crate) fn look(answers: Option<[Counts; 2]>) -> Look {
    let measure =
        answers.map_or(Measure::Blind, |[primary, canary]| Measure::Counts { primary, canary });
    Look { length: SECOND, measures: [("errors".to_owned(), measure)].into(), pods: None }
}

/// One rollout up the built-in ladder.
pub(crate) fn rollout(policy: &Policy, world: World, limit: u64, rng: &mut Rng) -> End {
    let mut traffic = Traffic::new(world, rng);
    let mut judge = Judge::new(policy, true);
    let mut seen = look(None);
    let (mut step, mut begun) = (0, 0);
    for second in 1..=limit {
        let [primary, canary] = traffic.second(LADDER[step]);
        let measure = seen.measures.values_mut().next().expect("one analysis");
        *measure = Measure::Counts { primary, canary };
        judge.look(policy, &seen);
        match judge.decide(policy, LEAST, Duration::from_secs(second - begun)) {
            Decision::Abort(regression) => return End::Aborted(second, regression),
            Decision::Hold(_) => {}
            Decision::Promote(_) if step + 1 == LADDER.len() => return End::Finished(second),
            Decision::Promote(_) => {
                (step, begun) = (step + 1, second);
                judge.begin(policy, true);
            }
        }
    }
    End::Held(step)
}

/// The seconds until a canary that is bad from the begin of a step on is withdrawn.
pub(crate) fn found(
    policy: &Policy,
    world: World,
    weight: u8,
    limit: u64,
    rng: &mut Rng,
) -> Option<u64> {
    let mut traffic = Traffic::new(world, rng);
    let mut judge = Judge::new(policy, true);
    for second in 1..=limit {
        judge.look(policy, &look(Some(traffic.second(weight))));
        if let Decision::Abort(_) = judge.decide(policy, LEAST, Duration::from_secs(second)) {
            return Some(second);
        }
    }
    None
}

/// The value below which so much of them lies; what was not found in time counts as more than any.
pub(crate) fn quantile(times: &mut [Option<u64>], part: f64) -> Option<u64> {
    times.sort_unstable_by_key(|time| time.unwrap_or(u64::MAX));
    let index = ((times.len() - 1) as f64 * part).round() as usize;
    times[index]
}
