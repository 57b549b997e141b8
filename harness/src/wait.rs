//! Waiting for a condition with a deadline.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};

/// What a check found.
#[derive(Debug)]
pub enum Seen<T> {
    /// The condition holds.
    Done(T),
    /// Not yet, and what there is instead: the last one of these goes into the error.
    NotYet(String),
}

impl<T> Seen<T> {
    /// Takes every error for "not yet".
    pub fn from_result<E: Display>(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self::NotYet(format!("{error:#}")), Self::Done)
    }
}

impl Seen<()> {
    /// Done when `holds`, else what there is instead.
    pub fn when(holds: bool, instead: impl Display) -> Self {
        if holds { Self::Done(()) } else { Self::NotYet(instead.to_string()) }
    }
}

/// Asks `check` until it answers [`Seen::Done`], 20 to 250 ms apart, for things that nothing can
/// be watched for.
///
/// # Errors
/// After `deadline`: `what` and the last thing seen instead of it.
pub async fn until<T, F>(what: &str, deadline: Duration, mut check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Seen<T>>,
{
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(20);
    loop {
        let instead = match check().await {
            Seen::Done(value) => return Ok(value),
            Seen::NotYet(instead) => instead,
        };
        if Instant::now() >= end {
            return Err(anyhow!(
                "{what}: not within {:.0} s; the last thing seen: {instead}",
                deadline.as_secs_f32()
            ));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(Duration::from_millis(250));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_condition_is_asked_for_until_it_holds() {
        let mut asked = 0;
        let wait = until("the third answer", Duration::from_secs(9), || {
            asked += 1;
            let seen = Seen::when(asked == 3, asked);
            async { seen }
        });
        wait.await.unwrap();
        assert_eq!(asked, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn past_the_deadline_the_error_says_what_was_there_instead() {
        let wait =
            until("a ready pod", Duration::ZERO, || async { Seen::when(false, "2 pending") });
        let error = wait.await.unwrap_err().to_string();
        assert_eq!(error, "a ready pod: not within 0 s; the last thing seen: 2 pending");
    }
}
