//! Ending in order when a person or a machine asks for it.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

/// What `work` gives; `None` when somebody interrupts or terminates this process before, so that there
/// still is time to take away what was made.
///
/// # Errors
/// Those of `work`; signals cannot be listened to.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let listen = |kind| signal(kind).context("cannot listen to signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        done = work => done.map(Some),
        _ = interrupt.recv() => Ok(None),
        _ = terminate.recv() => Ok(None),
    }
}
