//! One story: what happens, and what was wrong about how it went.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use crate::actions::{self, Action};
use crate::process::Process;
use crate::rules::Tally;
use crate::world::{Event, World};

/// How long everything may take to be as desired once faults have stopped, in milliseconds: some
/// deadlines, the longest pause between two attempts, and a list.
const TO_ARRIVE: i64 = 600_000;
/// How long it has to stay so.
const TO_STAY: i64 = 300_000;

/// What is to happen.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// Of all that is left to chance.
    seed: u64,
    pub(crate) actions: Vec<(i64, Action)>,
    /// Whether pods that are never ready become ready in the end.
    heals: bool,
}

impl Story {
    /// What happens is this, each after so many milliseconds; and what is broken in the end stays so.
    pub(crate) fn of(actions: Vec<(i64, Action)>) -> Self {
        Self { seed: 1, actions, heals: false }
    }
}

/// How it went.
pub(crate) struct Told {
    /// Promises that were broken.
    pub(crate) wrong: Vec<String>,
    /// What happened, for people.
    pub(crate) text: Vec<String>,
    pub(crate) tally: Tally,
}

/// Stories of all kinds.
pub(crate) fn stories() -> impl Strategy<Value = Story> {
    (any::<u64>().no_shrink(), actions::story(), prop::bool::weighted(0.7))
        .prop_map(|(seed, actions, heals)| Story { seed, actions, heals })
}

/// Lets the story happen.
pub(crate) fn tell(story: &Story) -> Told {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(play(story))
}

async fn play(story: &Story) -> Told {
    let world = Arc::new(Mutex::new(World::new(story.seed)));
    let mut process = Process::start(&world);
    let mut length = 0;
    {
        let mut world = world.lock().expect("whole");
        for (pause, action) in &story.actions {
            length += pause;
            world.plan(length, Event::Act(action.clone()));
        }
    }
    run(&world, &mut process, length + 1).await;
    world.lock().expect("whole").calm(story.heals);
    run(&world, &mut process, TO_ARRIVE).await;
    let (writes, mut wrong) = {
        let world = world.lock().expect("whole");
        (world.rules.tally.writes, world.judge_end(&process))
    };
    process.look_again();
    run(&world, &mut process, TO_STAY).await;
    let mut world = world.lock().expect("whole");
    if world.rules.tally.writes != writes {
        wrong.push("it does not stay as it is".into());
    }
    wrong.extend(world.judge_end(&process));
    world.stop_following();
    let rules = std::mem::take(&mut world.rules);
    wrong.extend(rules.broken);
    let tally = Tally { actions: story.actions.len(), ..rules.tally };
    Told { wrong, text: std::mem::take(&mut world.story), tally }
}

/// Lets the daemon run for so many milliseconds, and a new one whenever it dies.
async fn run(world: &Arc<Mutex<World>>, process: &mut Process, time: i64) {
    let end = world.lock().expect("whole").now + time;
    loop {
        process.accept();
        let due = process.next();
        {
            let mut world = world.lock().expect("whole");
            if world.now >= end {
                return;
            }
            if due.is_none_or(|due| due > world.now) {
                let next = [due, world.next()].into_iter().flatten().min().unwrap_or(end).min(end);
                let pause = (next - world.now).max(1);
                world.elapse(pause);
                continue;
            }
        }
        if !process.run().await {
            {
                let mut world = world.lock().expect("whole");
                let pause = world.random.i64(100..8_000);
                world.elapse(pause);
            }
            *process = Process::start(world);
        }
    }
}
