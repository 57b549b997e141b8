//! Prints how often healthy rollouts are aborted and how fast bad ones are found, by simulation.
//!
//! `cargo run --release -p judge --example rollouts -- 1000000` simulates so many healthy rollouts of each kind, and a
//! hundredth of it of each bad kind; 10,000 and 1,000 if nothing is said. The same numbers come out each time.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::time::Duration;

use fastrand::Rng;
use judge::{Counts, Decision, Judge, Regression};
use simulation::peers::{Peer, is_aborted};
use simulation::{End, LEAST, Traffic, World, found, look, policy, quantile, rollout};

fn main() {
    let argument = std::env::args().nth(1);
    let rollouts: u64 = argument.and_then(|it| it.parse().ok()).unwrap_or(10_000);
    let few = (rollouts / 100).max(1_000);
    if rollouts > 5000 {
        healthy(rollouts);
    }
    quiet(few);
    bad(few);
    disaster(few);
    peers(few);
}

fn healthy(rollouts: u64) {
    println!("healthy rollouts, ladder 5, 25, 50, 90 of 5 minutes each\n");
    println!(
        "| requests/s | bad, both | bursts of | rollouts | aborted | by the brake | held | median |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let policy = policy();
    for (requests, base) in [(50.0, 0.01), (5.0, 0.01), (50.0, 0.001)] {
        for burst in [1, 3, 10] {
            let mut rng = Rng::with_seed(u64::from(burst));
            let world = World { requests, base, burst, worse: 0.0 };
            let rollouts = if requests == 50.0 && base == 0.01 { rollouts } else { rollouts / 10 };
            let (mut aborted, mut braked, mut held, mut times) = (0, 0, 0, Vec::new());
            for _ in 0..rollouts {
                match rollout(&policy, world, 10_800, &mut rng) {
                    End::Aborted(_, Regression::Disaster { .. }) => braked += 1,
                    End::Aborted(..) => aborted += 1,
                    End::Held(_) => held += 1,
                    End::Finished(second) => times.push(Some(second)),
                }
            }
            let share = 100.0 * f64::from(aborted + braked) / rollouts as f64;
            let median = if times.is_empty() { None } else { quantile(&mut times, 0.5) };
            println!(
                "| {requests} | {} % | {burst} | {rollouts} | {share:.4} % | {braked} | {held} | {} |",
                base * 100.0,
                seconds(median)
            );
        }
    }
}

fn quiet(rollouts: u64) {
    let policy = policy();
    let world = World { requests: 0.5, base: 0.0, burst: 1, worse: 0.0 };
    let mut rng = Rng::with_seed(5);
    let (mut aborted, mut early) = (0, 0);
    let mut times = Vec::new();
    for _ in 0..rollouts {
        // The first step ends when the canary has its 300 answers, which takes hours at 5 %.
        match rollout(&policy, world, 40_000, &mut rng) {
            End::Aborted(..) => aborted += 1,
            End::Finished(second) => times.push(Some(second)),
            End::Held(_) => times.push(None),
        }
        let mut traffic = Traffic::new(world, &mut rng);
        let mut judge = Judge::new(&policy, true);
        let mut answers = Counts::default();
        for second in 1..=900 {
            let both = traffic.second(5);
            answers += both[1];
            judge.look(&policy, &look(Some(both)));
            let decision = judge.decide(&policy, LEAST, Duration::from_secs(second));
            early += u64::from(matches!(decision, Decision::Promote(_)) && answers.total < 300);
        }
    }
    let median = seconds(quantile(&mut times, 0.5));
    println!(
        "\nhealthy, 0.5 requests/s, no errors: {aborted} of {rollouts} aborted, {early} promotions of a step"
    );
    println!("without 300 answers, median of the whole ladder {median}\n");
}

fn bad(rollouts: u64) {
    println!(
        "a canary that is bad from the begin of a step, until it is withdrawn: median, 95 %\n"
    );
    println!(
        "| canary's requests/s | share | bad, primary | bad, canary | p50 | p95 | not in 30 min |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let policy = policy();
    for base in [0.0, 0.001, 0.005, 0.01] {
        for canary in [0.5, 5.0, 50.0] {
            for worse in [0.02, 0.05, 0.5, 1.0] {
                if worse <= base {
                    continue;
                }
                let mut rng = Rng::with_seed(7);
                let world = World { requests: canary / 0.1, base, burst: 1, worse };
                let mut times: Vec<Option<u64>> =
                    (0..rollouts).map(|_| found(&policy, world, 10, 1800, &mut rng)).collect();
                let missed = times.iter().filter(|time| time.is_none()).count();
                println!(
                    "| {canary} | 10 % | {} % | {} % | {} | {} | {:.1} % |",
                    base * 100.0,
                    worse * 100.0,
                    seconds(quantile(&mut times, 0.5)),
                    seconds(quantile(&mut times, 0.95)),
                    100.0 * missed as f64 / rollouts as f64
                );
            }
        }
    }
}

fn disaster(rollouts: u64) {
    println!("\na canary that answers nothing well, until it is withdrawn\n");
    println!("| canary's requests/s | share | p50 | p99 |");
    println!("| --- | --- | --- | --- |");
    let policy = policy();
    for (canary, weight) in
        [(0.5, 5), (5.0, 5), (5.0, 50), (5.0, 90), (10.0, 5), (10.0, 50), (50.0, 5)]
    {
        let mut rng = Rng::with_seed(9);
        let requests = canary * 100.0 / f64::from(weight);
        let world = World { requests, base: 0.01, burst: 1, worse: 1.0 };
        let mut times: Vec<Option<u64>> =
            (0..rollouts).map(|_| found(&policy, world, weight, 600, &mut rng)).collect();
        let [half, most] = [0.5, 0.99].map(|part| seconds(quantile(&mut times, part)));
        println!("| {canary} | {weight} % | {half} | {most} |");
    }
}

fn peers(rollouts: u64) {
    println!("\nhealthy rollouts aborted by other rules, of {rollouts}, with 50 requests/s\n");
    println!("| rule | bad, both | bursts of 1 | 3 | 10 |");
    println!("| --- | --- | --- | --- | --- |");
    let rules = [
        ("more than 1 % bad in a minute", Peer::Threshold(0.01), 0.005),
        ("more than 2 % bad in a minute", Peer::Threshold(0.02), 0.01),
        ("3.09 standard deviations at each look", Peer::Deviations(3.09), 0.01),
    ];
    for (name, peer, base) in rules {
        let shares = [1, 3, 10].map(|burst| {
            let mut rng = Rng::with_seed(11);
            let world = World { requests: 50.0, base, burst, worse: 0.0 };
            let aborted = (0..rollouts).filter(|_| is_aborted(peer, world, &mut rng)).count();
            100.0 * aborted as f64 / rollouts as f64
        });
        let [one, three, ten] = shares.map(|share| format!("{share:.1} %"));
        println!("| {name} | {} % | {one} | {three} | {ten} |", base * 100.0);
    }
}

fn seconds(time: Option<u64>) -> String {
    time.map_or_else(|| "–".to_owned(), |it| format!("{it} s"))
}
