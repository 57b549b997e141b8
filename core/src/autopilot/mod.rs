//! Where a service stands on the ladder of its autopilot, what comes next, and what stands before that.
//!
//! Everything follows from the values and the time: the position is the weight in git, and nothing else. Whether a
//! step is good is decided by [`Run`], which is told what was seen.

mod calendar;
mod judged;
mod message;
mod outlook;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

pub use calendar::{Cause, Closed, closed, opening};
pub use judged::policy as judged;
pub use message::{Message, message};
pub use outlook::{Expected, outlook};
pub use run::{Act, Blindness, Opinion, PodsSeen, Run, Sight, Tests};

use crate::marks::StepMark;
use crate::values::{Autopilot, Canary, Mode, Policy, Service, Version, Weight};

/// What the autopilot of a service has to do with it.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// It has none, or that is off.
    Off,
    /// Nothing is rolled out: no canary, or the rollout is finished.
    Idle,
    /// A canary is rolled out.
    Rollout(Rollout),
}

/// A canary on its ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Whether the autopilot acts or only reports.
    pub mode: Mode,
    /// The canary.
    pub canary: Version,
    /// Where it stands.
    pub position: Position,
    /// The least time from the position's being applied until the next one.
    pub least: Duration,
    /// What comes next.
    pub next: Next,
    /// Why the canary is held: nothing comes next then until somebody takes that out.
    pub held: Option<String>,
    /// Whether a person has to say yes to what comes next.
    pub gate: bool,
}

/// Where a canary stands on its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Before the first step: it has no weight, and phase 1 is not a step of its ladder.
    Start,
    /// Phase 1: only requests with its headers or token go to it.
    Headers,
    /// On the step with this weight.
    Step(Weight),
    /// At a weight that is no step, below the last one: a person wrote it.
    Between(Weight),
    /// At a weight above the last step: a person wrote it.
    Beyond(Weight),
}

impl Position {
    /// The canary's weight there.
    pub fn weight(self) -> Weight {
        match self {
            Self::Start | Self::Headers => Weight::ZERO,
            Self::Step(weight) | Self::Between(weight) | Self::Beyond(weight) => weight,
        }
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The canary gets this weight.
    Weight(Weight),
    /// The canary becomes the primary.
    Finish,
    /// Nothing: the ladder is at its end, and a person makes the canary the primary (`coalmine finish`).
    Person,
}

/// What the autopilot of a service has to do with it.
pub fn status(service: &Service) -> Status {
    let Some(autopilot) = service.autopilot.as_ref().filter(|it| it.mode != Mode::Off) else {
        return Status::Off;
    };
    let Some(canary) = &service.routes.canary else { return Status::Idle };
    let position = position(autopilot, canary);
    let next = next(autopilot, position);
    let gate = matches!(next, Next::Weight(weight) if autopilot.ladder.gates.contains(&weight));
    Status::Rollout(Rollout {
        mode: autopilot.mode,
        canary: canary.version.clone(),
        position,
        least: least(autopilot, position, next),
        next,
        held: canary.held.clone(),
        gate,
    })
}

/// Where a canary stands on the ladder of an autopilot.
pub fn position(autopilot: &Autopilot, canary: &Canary) -> Position {
    let ladder = &autopilot.ladder;
    match canary.weight {
        Weight::ZERO if ladder.headers && canary.is_tested() => Position::Headers,
        Weight::ZERO => Position::Start,
        weight if ladder.step(weight).is_some() => Position::Step(weight),
        weight if weight < ladder.last() => Position::Between(weight),
        weight => Position::Beyond(weight),
    }
}

/// What comes after a position.
pub fn next(autopilot: &Autopilot, position: Position) -> Next {
    match autopilot.ladder.above(position.weight()) {
        Some(step) => Next::Weight(step.weight),
        None if autopilot.finish_after.is_some() => Next::Finish,
        None => Next::Person,
    }
}

/// The least time of a position, before what comes next.
fn least(autopilot: &Autopilot, position: Position, next: Next) -> Duration {
    let ladder = &autopilot.ladder;
    let own = match position {
        Position::Start => Duration::ZERO,
        Position::Step(weight) => ladder.step(weight).map_or(ladder.least, |step| step.least),
        Position::Headers | Position::Between(_) | Position::Beyond(_) => ladder.least,
    };
    match next {
        Next::Finish => own.max(autopilot.finish_after.unwrap_or_default()),
        Next::Weight(_) | Next::Person => own,
    }
}

/// The least time from a position's being applied until the ladder is at its end, the canary the primary where the
/// autopilot finishes. Gates, freezes, windows and the time for evidence come on top.
pub fn least_remaining(autopilot: &Autopilot, from: Position) -> Duration {
    let (mut position, mut total) = (from, Duration::ZERO);
    loop {
        let next = next(autopilot, position);
        match next {
            Next::Weight(weight) => {
                total = total.saturating_add(least(autopilot, position, next));
                position = Position::Step(weight);
            }
            Next::Finish => return total.saturating_add(least(autopilot, position, next)),
            Next::Person => return total,
        }
    }
}

impl Rollout {
    /// When what comes next may come at the earliest, if the position was applied at `since`; `None` when that is up
    /// to a person. Whether the evidence is enough by then is not known here.
    pub fn earliest(&self, since: Timestamp, now: Timestamp, policy: &Policy) -> Option<Timestamp> {
        if self.held.is_some() || self.gate || self.next == Next::Person {
            return None;
        }
        let over = since.checked_add(self.least).ok()?;
        opening(policy, over.max(now))
    }
}

/// The service as it is when its canary is aborted: no weight, and held. Its header route stays.
pub fn withdrawn(service: &Service, reason: &str) -> Service {
    let mut service = service.clone();
    if let Some(canary) = &mut service.routes.canary {
        canary.weight = Weight::ZERO;
        canary.held = Some(reason.to_owned());
    }
    service
}

/// The step that a service's routes are to have, by its file; `None` without a canary.
pub fn step_mark(
    service: &Service,
    file: &str,
    live: Option<&StepMark>,
    now: Timestamp,
) -> Option<StepMark> {
    let canary = service.routes.canary.as_ref()?;
    Some(StepMark::new(canary.version.as_str(), canary.weight.percent(), file, live, now))
}
