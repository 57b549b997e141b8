//! When a receiver that could not be told is tried again.

use std::fmt;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use tokio::time::Instant;

/// The pause before the second try; each further one is twice as long.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that nobody asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);
/// How much of a refusal is shown, in characters.
const LONGEST_WORDS: usize = 200;

/// What a limit is at its end, and when it begins anew in seconds since 1970: GitHub ("Rate limits for the
/// REST API") and Gitea, then GitLab ("Rate limits", response headers).
const LIMITS: [(&str, &str); 2] =
    [("x-ratelimit-remaining", "x-ratelimit-reset"), ("ratelimit-remaining", "ratelimit-reset")];

/// Why a receiver was not told.
#[derive(Debug)]
pub(super) struct Failure {
    error: anyhow::Error,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether it answered: then another message may fare better.
    pub(super) answered: bool,
}

impl Failure {
    /// A refusal by somebody who answers.
    pub(super) fn refused(error: anyhow::Error) -> Self {
        Self { error, retry_after: None, answered: true }
    }

    /// Whether trying the next message at once is of no use.
    pub(super) fn concerns_all(&self) -> bool {
        self.retry_after.is_some() || !self.answered
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<anyhow::Error> for Failure {
    /// Something of our own, such as a token that cannot be read.
    fn from(error: anyhow::Error) -> Self {
        Self { error, retry_after: None, answered: false }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::from(anyhow::Error::from(error))
    }
}

/// The answer, if it is one of success. `whose` names the receiver, for the message.
///
/// # Errors
/// With the beginning of what the answer says, and when it wants to be asked again.
pub(super) async fn successful(
    response: Response,
    whose: &str,
) -> Result<Response, (StatusCode, Failure)> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(status, response.headers(), Timestamp::now());
    let words = response.text().await.unwrap_or_default();
    // GitHub asks for a minute where it names no time ("Best practices for using the REST API").
    let limited = || words.to_lowercase().contains("rate limit").then_some(LONGEST_PAUSE);
    let retry_after = retry_after.or_else(limited);
    let words: String = words.chars().take(LONGEST_WORDS).collect();
    let error = anyhow!("{whose} answers {status}: {words}");
    Err((status, Failure { error, retry_after, answered: true }))
}

/// How long a receiver that refuses wants to be left alone: `Retry-After` (RFC 9110, section 10.2.3), or the
/// end of a limit that is used up.
fn retry_after(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
    let asked = text("retry-after").and_then(|asked| match asked.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(asked);
            at.ok().map(until)
        }
    });
    let used_up = || {
        LIMITS.iter().find_map(|(remaining, reset)| {
            let reset: i64 = text(reset).filter(|_| text(remaining) == Some("0"))?.parse().ok()?;
            Timestamp::from_second(reset).ok().map(until)
        })
    };
    let usual = || (status == StatusCode::TOO_MANY_REQUESTS).then_some(LONGEST_PAUSE);
    asked.or_else(used_up).or_else(usual).map(|pause| pause.min(LONGEST_ASKED))
}

/// When one receiver is tried again. It is due as long as nothing fails.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    pause: Duration,
    next: Option<Instant>,
}

impl BackOff {
    /// When it is to be tried again, if the last try failed.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// What comes of telling, if it is due.
    pub(super) async fn when_due<T>(
        &self,
        now: Instant,
        telling: impl Future<Output = T>,
    ) -> Option<T> {
        let is_due = self.next.is_none_or(|next| next <= now);
        if is_due { Some(telling.await) } else { None }
    }

    /// Notes how telling `what` ended, and logs a failure.
    pub(super) fn note(&mut self, what: &str, failure: Option<Failure>, now: Instant) {
        let Some(failure) = failure else {
            *self = Self::default();
            return;
        };
        self.pause = (self.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let pause = self.pause.max(failure.retry_after.unwrap_or_default());
        self.next = Some(now + pause);
        tracing::warn!("{what} could not be told, it is tried again in {pause:?}: {failure}");
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    fn asked(status: u16, given: Headers) -> Option<u64> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        };
        let headers: HeaderMap = given.iter().map(pair).collect();
        let now = "2026-01-01T12:00:00Z".parse().expect("a time");
        let status = StatusCode::from_u16(status).expect("a status");
        retry_after(status, &headers, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        // 2026-01-01T12:00:00Z is second 1767268800.
        let cases: [(u16, Headers, Option<u64>); 12] = [
            (429, &[("retry-after", "30")], Some(30)),
            (503, &[("retry-after", " 120 ")], Some(120)),
            (429, &[("retry-after", "Thu, 01 Jan 2026 12:05:00 GMT")], Some(300)),
            (429, &[("retry-after", "Thu, 01 Jan 2026 11:00:00 GMT")], Some(0)),
            (429, &[("retry-after", "soon")], Some(60)),
            (429, &[], Some(60)),
            (
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767270600")],
                Some(1800),
            ),
            (403, &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "1767270600")], None),
            (429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "1767268805")], Some(5)),
            (429, &[("retry-after", "99999999999")], Some(86_400)),
            (403, &[("retry-after", "60"), ("x-ratelimit-remaining", "0")], Some(60)),
            (500, &[], None),
        ];
        for (status, headers, expected) in cases {
            assert_eq!(asked(status, headers), expected, "{status} {headers:?}");
        }
    }

    #[tokio::test]
    async fn pauses_grow_to_a_minute_and_a_success_ends_them() {
        let (mut back_off, mut now) = (BackOff::default(), Instant::now());
        let failure = |retry_after| Some(Failure { retry_after, ..Failure::from(anyhow!("no")) });
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert!(back_off.when_due(now, async {}).await.is_some());
            back_off.note("it", failure(None), now);
            assert!(back_off.when_due(now, async {}).await.is_none());
            let next = back_off.next().expect("it failed");
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        back_off.note("it", failure(Some(Duration::from_secs(900))), now);
        assert_eq!(back_off.next(), Some(now + Duration::from_secs(900)));
        back_off.note("it", None, now);
        assert!(back_off.next().is_none() && back_off.when_due(now, async {}).await.is_some());
    }
}
