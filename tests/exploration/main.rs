//! Every state that a small rollout can reach, and every order in which things can happen: one service
//! with three versions, the real [`coalmine::plan::plan`], commits at any moment, a crash between any
//! two steps, watches that tell late and in any order, pods that die, and a Gloo that says no.

mod calm;
mod goals;
mod rollout;
mod sight;

use stateright::{Checker, Model, Property, StateRecorder};

use calm::every_calm_arrives;
use goals::GOALS;
use rollout::{Action, Budget, Rollout};

/// All rollouts that begin where one has arrived, with so much ahead.
struct Rollouts(Budget);

impl Model for Rollouts {
    type State = Rollout;
    type Action = Action;

    fn init_states(&self) -> Vec<Rollout> {
        (0..GOALS.len()).map(|goal| Rollout::arrived(goal as u8, self.0)).collect()
    }

    fn actions(&self, state: &Rollout, actions: &mut Vec<Action>) {
        actions.extend(Rollout::CALM);
        actions.push(Action::Crash);
        if state.left.dislikes > 0 {
            actions.push(Action::Dislike);
        }
        if state.left.deaths > 0 {
            actions.extend((0..3).map(Action::Die));
        }
        if state.left.commits > 0 {
            actions.extend((0..GOALS.len()).map(|goal| Action::Commit(goal as u8)));
        }
    }

    fn next_state(&self, state: &Rollout, action: Action) -> Option<Rollout> {
        state.after(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always("every request is answered", |_, state: &Rollout| {
                state.answers()
            }),
            Property::sometimes("a canary gets half", |_, state: &Rollout| {
                state.proxy_routes == Some(2)
            }),
            Property::sometimes("nothing is left of a service", |_, state: &Rollout| {
                state.deployed == 0 && !state.base && state.wanted == 0
            }),
        ];
        if self.0.dislikes > 0 {
            properties.push(Property::sometimes("routes are rolled back", |_, state: &Rollout| {
                state.daemon.refused.is_some() && state.proxy_routes == state.routes
            }));
        }
        if self.0.deaths > 0 {
            properties.push(Property::sometimes(
                "a rollback leaves the dead alone",
                |_, state: &Rollout| {
                    state.spared & !state.ready != 0 && state.proxy_routes == Some(0)
                },
            ));
        }
        properties
    }
}

/// Visits everything that can happen within these bounds.
fn explore(left: Budget) {
    let (recorder, states) = StateRecorder::new_with_accessor();
    let checker = Rollouts(left).checker().visitor(recorder).spawn_bfs().join();
    let states = states();
    println!("{} states, {} deep", states.len(), checker.max_depth());
    checker.assert_properties();
    assert_eq!(every_calm_arrives(&states), Ok(()));
}

#[test]
fn two_commits_at_any_moment_lose_no_request_and_every_calm_leads_to_the_goal() {
    explore(Budget { commits: 2, deaths: 0, dislikes: 0 });
}

#[test]
fn pods_that_die_during_a_commit_lose_no_further_request_and_every_calm_leads_to_the_goal() {
    explore(Budget { commits: 1, deaths: 1, dislikes: 0 });
}

#[test]
fn routes_that_gloo_rejects_lose_no_request_and_are_not_tried_for_ever() {
    explore(Budget { commits: 1, deaths: 0, dislikes: 1 });
}
