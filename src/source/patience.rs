//! How long a fetch is waited for: as long as it gets on.
//!
//! A first clone of a large repository takes many minutes and cannot go on where an earlier one was
//! ended, so a deadline for the whole of it would mean that it never ends. What shows that a server
//! hangs is that nothing comes any more.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

/// How many times the longest silence a whole fetch may take.
pub(super) const LONGEST: u32 = 60;
/// The least pause between two signs of life.
const PAUSE: Duration = Duration::from_millis(100);

/// The child's side: tells the daemon that something came, by an empty line on stdout.
#[derive(Debug, Default)]
pub(super) struct Heartbeat(Cell<Option<Instant>>);

impl Heartbeat {
    /// Something came. Told at most ten times a second.
    pub(super) fn give(&self) {
        let now = Instant::now();
        if self.0.get().is_none_or(|last| now.duration_since(last) >= PAUSE) {
            self.0.set(Some(now));
            // Without a daemon that reads there is nobody to tell, and the child ends by itself.
            let mut stdout = std::io::stdout();
            let _ = stdout.write_all(b"\n").and_then(|()| stdout.flush());
        }
    }
}

/// How long a child is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The longest time without a sign of life.
    pub(super) silence: Duration,
    /// The longest time for the whole of it.
    pub(super) length: Duration,
}

/// Why a fetch is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhausted {
    /// Nothing came for as long as this.
    Silence(Duration),
    /// Something came again and again for as long as this, and no end.
    Length(Duration),
}

/// Resolves when there was no sign of life for `silence`, or after `length` whatever came.
pub(super) async fn exhausted(signs: &Notify, silence: Duration, length: Duration) -> Exhausted {
    let silent = async { while timeout(silence, signs.notified()).await.is_ok() {} };
    match timeout(length, silent).await {
        Ok(()) => Exhausted::Silence(silence),
        Err(_) => Exhausted::Length(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn patience_ends_with_the_silence() {
        let end = exhausted(&Notify::new(), SHORT, LONG).await;
        assert_eq!(end, Exhausted::Silence(SHORT));
    }

    #[tokio::test]
    async fn patience_ends_for_whoever_always_sends_a_little_more() {
        let signs = Notify::new();
        let drip = async {
            loop {
                signs.notify_one();
                tokio::task::yield_now().await;
            }
        };
        let end = tokio::select! {
            end = exhausted(&signs, LONG, SHORT) => end,
            () = drip => unreachable!(),
        };
        assert_eq!(end, Exhausted::Length(SHORT));
    }
}
