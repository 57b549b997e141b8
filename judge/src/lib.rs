//! Whether a canary is worse than its primary, by what both have answered: pure functions of the measures so far.
//!
//! [`Judge`] takes one [`Look`] after another, and [`Judge::decide`] says what they mean by a [`Policy`]: withdraw the
//! canary, give it more traffic, or wait. Nothing here reads a clock, a file, the network or a cluster: time comes in
//! as the length of a look and the age of a step.
//!
//! - The *watch* ([`Evidence`]) finds a canary that is worse than the policy permits. It may look as often as it likes;
//!   the chance that it ever withdraws a healthy canary is bounded by [`Policy::false_alarm`]. `docs/judge.md` has the
//!   mathematics with its sources.
//! - The *brake* finds a plain disaster within a few looks.
//! - A canary is promoted by what was measured, never by what was not: a measure that is missing waits.
//!
//! The state is small, and can be written and read by `serde`. A judge that begins again from nothing knows less, so a
//! lost state delays a promotion and causes none.

mod absolute;
mod brake;
mod decision;
mod forecast;
mod grid;
mod judgement;
mod look;
mod number;
mod pods;
mod policy;
mod relative;
mod starts;
mod watch;
mod words;

pub use decision::{Decision, Reading, Regression, Wait};
pub use forecast::{Forecast, Traffic, forecast, time_to_find};
pub use judgement::Judge;
pub use look::{Counts, Look, Measure, Pods};
pub use policy::{Analysis, Bound, Enough, Number, Policy, Rate, Shortage};
pub use watch::Evidence;
pub use words::{Names, Sentence};
