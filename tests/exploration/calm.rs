//! Liveness: what happens once commits and faults have stopped.

use std::collections::HashMap;

use crate::rollout::Rollout;

/// How far a state has been followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Followed {
    /// It is on the way that is followed just now.
    UnderWay,
    /// It is known where it leads.
    ToTheEnd,
}

/// Follows what happens without further commits and faults: whatever the order, it ends, and ends where
/// it should. No state is met again on the way, so there is no way to go round for ever.
pub(crate) fn every_calm_arrives(states: &[Rollout]) -> Result<(), String> {
    let mut followed: HashMap<Rollout, Followed> = HashMap::with_capacity(states.len());
    for start in states {
        let mut stack = vec![(*start, false)];
        while let Some((state, is_left)) = stack.pop() {
            if is_left {
                followed.insert(state, Followed::ToTheEnd);
                continue;
            }
            if followed.contains_key(&state) {
                // By another way, while this one waited.
                continue;
            }
            followed.insert(state, Followed::UnderWay);
            stack.push((state, true));
            let mut ends = true;
            for next in Rollout::CALM.iter().filter_map(|action| state.after(*action)) {
                ends = false;
                match followed.get(&next) {
                    Some(Followed::UnderWay) => return Err(format!("goes round: {next:#?}")),
                    Some(Followed::ToTheEnd) => {}
                    None => stack.push((next, false)),
                }
            }
            if ends && !(state.has_arrived() || state.is_refused()) {
                return Err(format!("ends elsewhere: {state:#?}"));
            }
        }
    }
    Ok(())
}
