//! Rollouts against a simulated cluster: the real pass, the real live state and the real preflight,
//! thousands of random transitions with every fault that a controller can meet (Sieve, OSDI '22: dying
//! in any intermediate state, acting on stale data, missing an event), and the promises of
//! docs/rollouts.md checked after every step.
//!
//! `PROPTEST_CASES` makes it more stories, `PROPTEST_RNG_SEED` other ones.

mod actions;
mod cluster;
mod goal;
mod load;
mod process;
mod repository;
mod restore;
mod rollback;
mod rules;
mod story;
mod truth;
mod world;

use std::sync::Mutex;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use actions::{Action, Watching};
use gloo::State;
use repository::{Values, Workload};
use rules::Tally;
use story::{Story, stories, tell};

/// How many stories there are unless `PROPTEST_CASES` says it, in so many volumes that are told at the
/// same time, each from a seed of its own.
const STORIES: u32 = 120;
const VOLUMES: u32 = 4;

#[test]
fn every_rollout_is_safe_and_arrives_whatever_happens() {
    let config = ProptestConfig::default();
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => 1,
    };
    let is_asked_for = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_asked_for { config.cases } else { STORIES }.div_ceil(VOLUMES);
    let total = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for volume in 0..VOLUMES {
            let config = ProptestConfig {
                cases,
                rng_seed: RngSeed::Fixed(seed.wrapping_add(volume.into())),
                failure_persistence: None,
                max_shrink_iters: 400,
                ..ProptestConfig::default()
            };
            let total = &total;
            scope.spawn(move || tell_volume(config, total));
        }
    });
    let total = total.into_inner().expect("whole");
    println!("{total:?}");
    assert!(total.arrivals > 0 && total.answers > 0, "nothing was tried");
}

/// Random stories seldom come this far, and it must not be forgotten.
#[test]
fn routes_that_gloo_dislikes_make_room_for_those_before() {
    for verdict in [State::Warning, State::Rejected] {
        let dislike = Action::Dislike(0, verdict);
        // The last one only lets time go by: at the end of a story Gloo gives up dislikes that are to come.
        let pause = (10_000, Action::Namespace);
        let story = Story::of(vec![(0, commit(0)), (20_000, dislike), (500, commit(1)), pause]);
        let told = tell(&story);
        let text = told.text.join("\n");
        assert!(told.wrong.is_empty(), "{:?}\n\n{text}", told.wrong);
        assert!(text.contains("echo: RolledBack"), "{text}");
    }
}

/// The routes of before a commit are there again, with the versions that they had.
#[test]
fn a_store_that_is_restored_is_brought_back_whatever_becomes_of_the_watches() {
    for watching in [Watching::Expires, Watching::GoesOn, Watching::IsSilent] {
        let restore = Action::Restore(0, watching);
        let pause = (200_000, Action::Namespace);
        let story = Story::of(vec![(0, commit(0)), (20_000, commit(1)), (60_000, restore), pause]);
        let told = tell(&story);
        let text = told.text.join("\n");
        assert!(told.wrong.is_empty(), "{watching:?}: {:?}\n\n{text}", told.wrong);
        let restored = text.split_once("Restore(").expect("it was restored").1;
        let again = restored.contains("apply RouteTable echo/echo-routes");
        assert!(again, "{watching:?}: the routes are not written again\n\n{text}");
    }
}

/// A commit after which two versions are deployed and this one answers.
fn commit(primary: usize) -> Action {
    let ours = Some(Workload::Ours(None));
    let values = Values { versions: [ours, ours, None], primary, ..Values::default() };
    Action::Commit(0, Some(values))
}

fn tell_volume(config: ProptestConfig, total: &Mutex<Tally>) {
    let seed = config.rng_seed;
    let result = TestRunner::new(config).run(&stories(), |story| {
        let told = tell(&story);
        total.lock().expect("whole").add(&told.tally);
        let (wrong, text) = (told.wrong.join("\n"), told.text.join("\n"));
        prop_assert!(told.wrong.is_empty(), "{wrong}\n\n{text}");
        Ok(())
    });
    if let Err(error) = result {
        panic!("seed {seed:?}: {error}");
    }
}
