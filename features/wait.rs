//! Waiting, for as long as anything may take; where something is wrong on purpose, only until that shows.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::wait::{self, Seen};

use crate::flaw;

/// How long anything may take before a scenario gives up.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long the failure by which a flaw is known has to last: what is wrong on purpose stays wrong.
const ENOUGH: Duration = Duration::from_secs(5);

/// Asks `check` until it answers [`Seen::Done`].
///
/// # Errors
/// After the deadline: `what` and the last thing seen instead of it.
pub(crate) async fn until<T, F>(what: &str, mut check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Seen<T>>,
{
    let since = Cell::new(None);
    let check = || {
        let (seen, since) = (check(), &since);
        async move {
            let instead = match seen.await {
                Seen::Done(value) => return Seen::Done(Ok(value)),
                Seen::NotYet(instead) => instead,
            };
            let failure = format!("{what}: not soon; the last thing seen: {instead}");
            if !flaw::is_known_by(&failure) {
                since.set(None);
                return Seen::NotYet(instead);
            }
            let begun = since.get().unwrap_or_else(Instant::now);
            since.set(Some(begun));
            if begun.elapsed() < ENOUGH { Seen::NotYet(instead) } else { Seen::Done(Err(failure)) }
        }
    };
    match wait::until(what, DEADLINE, check).await? {
        Ok(value) => Ok(value),
        Err(failure) => bail!(failure),
    }
}

/// How long to wait for what fails with this text.
pub(crate) fn deadline(failure: &str) -> Duration {
    if flaw::is_known_by(failure) { ENOUGH } else { DEADLINE }
}
