//! Ten thousand simulated rollouts. `examples/rollouts.rs` simulates as many as one likes, and prints a table.

mod simulation;

use std::time::Duration;

use fastrand::Rng;
use judge::{Analysis, Counts, Decision, Judge, Rate, Regression, Traffic as Expected};
use simulation::peers::{Peer, is_aborted};
use simulation::{End, LEAST, Traffic, World, found, look, policy, quantile, rollout};

/// The bar is 0.1 %: of so many rollouts of each kind 3 are expected then, and 12 or more are so by chance in 1 of
/// 10,000 runs. The seeds are fixed, so that this is no chance of a single run.
const ROLLOUTS: u64 = 3_334;

fn aborted(requests: f64, burst: u32) -> (usize, usize) {
    let policy = policy();
    let world = World { requests, base: 0.01, burst, worse: 0.0 };
    let mut rng = Rng::with_seed(u64::from(burst));
    let ends: Vec<End> = (0..ROLLOUTS).map(|_| rollout(&policy, world, 7200, &mut rng)).collect();
    let aborted = ends.iter().filter(|end| matches!(end, End::Aborted(..))).count();
    let finished = ends.iter().filter(|end| matches!(end, End::Finished(_))).count();
    (aborted, finished)
}

#[test]
fn healthy_rollouts_are_not_aborted_and_finish() {
    for burst in [1, 3, 10] {
        let (aborted, finished) = aborted(50.0, burst);
        assert!(aborted <= 3, "bursts of {burst}: {aborted} aborted");
        assert!(finished as u64 * 100 > ROLLOUTS * 95, "bursts of {burst}: {finished} finished");
    }
}

#[test]
fn usual_rules_abort_them() {
    let world = World { requests: 50.0, base: 0.01, burst: 3, worse: 0.0 };
    for peer in [Peer::Threshold(0.02), Peer::Deviations(3.09)] {
        let mut rng = Rng::with_seed(1);
        let aborted = (0..300).filter(|_| is_aborted(peer, world, &mut rng)).count();
        assert!(aborted > 60, "{peer:?}: {aborted} of 300");
    }
}

fn times(world: World, weight: u8) -> Vec<Option<u64>> {
    let policy = policy();
    let mut rng = Rng::with_seed(2);
    (0..500).map(|_| found(&policy, world, weight, 1800, &mut rng)).collect()
}

#[test]
fn a_canary_with_five_percent_bad_is_found_in_ninety_seconds() {
    // The more errors both versions have, the less each of the canary's says.
    for (base, most) in [(0.0, 90), (0.001, 90), (0.005, 90), (0.01, 120)] {
        let world = World { requests: 50.0, base, burst: 1, worse: 0.05 };
        let median = quantile(&mut times(world, 10), 0.5);
        assert!(median.is_some_and(|it| it <= most), "{base}: {median:?}");
    }
}

/// What was staked at the begin of the step is lost by then.
#[test]
fn a_regression_that_begins_later_is_found_as_well() {
    let policy = policy();
    let healthy = World { requests: 50.0, base: 0.01, burst: 1, worse: 0.0 };
    let mut rng = Rng::with_seed(8);
    let mut times: Vec<Option<u64>> = (0..200)
        .map(|_| {
            let mut judge = Judge::new(&policy, true);
            let mut before = Traffic::new(healthy, &mut rng);
            (0..600).for_each(|_| judge.look(&policy, &look(Some(before.second(10)))));
            let mut after = Traffic::new(World { worse: 0.2, ..healthy }, &mut rng);
            (1..=600).find(|_| {
                judge.look(&policy, &look(Some(after.second(10))));
                matches!(judge.decide(&policy, LEAST, LEAST), Decision::Abort(_))
            })
        })
        .collect();
    let median = quantile(&mut times, 0.5);
    assert!(median.is_some_and(|it| it <= 60), "{median:?}");
}

#[test]
fn a_total_failure_is_found_in_seconds() {
    for (canary, half, most) in [(5.0, 4, 8), (10.0, 4, 5)] {
        for weight in [5, 10, 25, 50] {
            let requests = canary * 100.0 / f64::from(weight);
            let mut times = times(World { requests, base: 0.01, burst: 1, worse: 1.0 }, weight);
            let [p50, p99] = [0.5, 0.99].map(|part| quantile(&mut times, part));
            let is_fast = p50.is_some_and(|it| it <= half) && p99.is_some_and(|it| it <= most);
            assert!(is_fast, "{canary}/s at {weight} %: {p50:?}, {p99:?}");
        }
    }
}

#[test]
fn half_a_request_a_second_without_errors_aborts_nothing_and_promotes_nothing_without_evidence() {
    let policy = policy();
    let world = World { requests: 0.5, base: 0.0, burst: 1, worse: 0.0 };
    let mut rng = Rng::with_seed(3);
    for _ in 0..100 {
        let mut traffic = Traffic::new(world, &mut rng);
        let mut judge = Judge::new(&policy, true);
        let mut answers = Counts::default();
        for second in 1..=3600 {
            let [primary, canary] = traffic.second(25);
            answers += canary;
            judge.look(&policy, &look(Some([primary, canary])));
            match judge.decide(&policy, LEAST, Duration::from_secs(second)) {
                Decision::Hold(_) => assert!(answers.total < 300, "{answers:?}"),
                Decision::Promote(_) => assert!(answers.total >= 300, "{answers:?}"),
                Decision::Abort(regression) => panic!("{regression:?}"),
            }
        }
    }
}

#[test]
fn ten_minutes_without_metrics_abort_and_promote_nothing() {
    let policy = policy();
    let mut rng = Rng::with_seed(4);
    for burst in [1, 3, 10] {
        let world = World { requests: 50.0, base: 0.01, burst, worse: 0.0 };
        let mut traffic = Traffic::new(world, &mut rng);
        let mut judge = Judge::new(&policy, true);
        for second in 1..=1200 {
            let is_blind = (200..800).contains(&second);
            let answers = traffic.second(25);
            judge.look(&policy, &look((!is_blind).then_some(answers)));
            let decision = judge.decide(&policy, LEAST, Duration::from_secs(second));
            assert!(!matches!(decision, Decision::Abort(_)), "{decision:?}");
            if is_blind {
                assert!(matches!(decision, Decision::Hold(_)), "{decision:?}");
                assert_eq!(judge.blind("errors"), Some(Duration::from_secs(second - 199)));
            }
        }
        // With bursts the canary may have had more of them by chance, which waits.
        let decision = judge.decide(&policy, LEAST, Duration::from_secs(1200));
        assert!(burst > 1 || matches!(decision, Decision::Promote(_)), "{decision:?}");
    }
}

/// The forecast is an approximation: within a factor of 2 of what is simulated.
#[test]
fn the_forecast_is_near_the_simulation() {
    let policy = policy();
    let Some(Analysis::Rate(rate)) = policy.analyses.get("errors") else { panic!("a rate") };
    for (requests, base, worse) in [
        (50.0, 0.001, 0.05),
        (50.0, 0.01, 0.05),
        (50.0, 0.001, 0.02),
        (500.0, 0.01, 0.02),
        (5.0, 0.0, 0.05),
    ] {
        let traffic = Expected { requests, share: 0.1, base };
        let expected = judge::time_to_find(&policy, rate, traffic, worse).expect("it is found");
        let world = World { requests, base, burst: 1, worse };
        let median = quantile(&mut times(world, 10), 0.5).expect("it is found") as f64;
        let factor = expected.as_secs_f64() / median;
        assert!((0.5..2.0).contains(&factor), "{traffic:?} {worse}: {expected:?}, {median} s");
    }
}

/// Healthy rollouts with bursts of four looks that are aborted, of 300.
fn alarms_by_long_bursts(cell: u32) -> u32 {
    let mut policy = policy();
    let rate = Rate { cell, brake: false, ..Rate::errors(1.5, None) };
    policy.analyses.insert("errors".to_owned(), Analysis::Rate(rate));
    let mut rng = Rng::with_seed(6);
    let mut alarms = 0;
    for _ in 0..300 {
        let mut judge = Judge::new(&policy, true);
        for second in 0..1200_u32 {
            // Of one version each, and at most one at a time.
            if second % 8 == 0 {
                let bad = rng.f64() < 0.4;
                let is_canary = rng.f64() < 0.1;
                for look_of_burst in 0..8 {
                    let errors = u64::from(bad && look_of_burst < 4);
                    let [primary, canary] = if is_canary { [0, errors] } else { [errors, 0] };
                    let answers = [Counts::new(45, primary), Counts::new(5, canary)];
                    judge.look(&policy, &look(Some(answers)));
                }
            }
        }
        let decision = judge.decide(&policy, LEAST, LEAST);
        alarms += u32::from(matches!(decision, Decision::Abort(Regression::Worse(_))));
    }
    alarms
}

/// Errors of one cause that last longer than a cell count more than once, and a longer cell is the remedy.
#[test]
fn cells_keep_bursts_from_aborting_healthy_rollouts() {
    let (short, long) = (alarms_by_long_bursts(1), alarms_by_long_bursts(4));
    assert!(short > 20, "{short} of 300: cells would not matter");
    assert!(long <= 3, "{long} of 300");
}
