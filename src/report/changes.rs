//! `GET /api/events`: server-sent events that say that something on the status store was written, for whoever
//! looks at it meanwhile.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::StatusStore;

/// How many may listen at once; each takes a connection and some kilobytes.
const LISTENERS: usize = 64;
/// The least pause between two events for one listener.
const PAUSE: Duration = Duration::from_millis(300);
/// How often a connection on which nothing happens is used, so that no proxy in between takes it for
/// dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who listens to the status store.
#[derive(Clone)]
pub(super) struct Listeners {
    status_store: Arc<StatusStore>,
    places: Arc<Semaphore>,
    /// Ends every stream, so that no listener holds up the end of the daemon.
    stop: CancellationToken,
}

struct Listener {
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    is_first: bool,
    _place: OwnedSemaphorePermit,
}

impl Listeners {
    pub(super) fn new(status_store: Arc<StatusStore>, stop: CancellationToken) -> Self {
        Self { status_store, places: Arc::new(Semaphore::new(LISTENERS)), stop }
    }

    /// A stream of the status store's numbers, the first at once: whoever shows another number is out of date.
    pub(super) fn listen(&self) -> Response {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            let answer = format!("{LISTENERS} listen already; ask again later\n");
            let later = [(header::RETRY_AFTER, "60")];
            return (StatusCode::SERVICE_UNAVAILABLE, later, answer).into_response();
        };
        let (changes, stop) = (self.status_store.changes(), self.stop.clone());
        let listener = Listener { changes, stop, is_first: true, _place: place };
        let events = stream::unfold(listener, |mut listener| async {
            let number = listener.next().await?;
            let event = Event::default().event("change").data(number.to_string());
            Some((Ok::<_, Infallible>(event), listener))
        });
        Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
    }
}

impl Listener {
    /// The status store's number when it is another one; `None` at the end.
    async fn next(&mut self) -> Option<u64> {
        let stop = self.stop.clone();
        stop.run_until_cancelled(async {
            if !self.is_first {
                tokio::time::sleep(PAUSE).await;
                self.changes.changed().await.ok()?;
            }
            self.is_first = false;
            Some(*self.changes.borrow_and_update())
        })
        .await?
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::time::Instant;

    use super::*;

    fn listeners() -> Listeners {
        Listeners::new(Arc::default(), CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_changes_is_one_event() {
        let listeners = listeners();
        let mut events = listeners.listen().into_body().into_data_stream();
        let mut next = async || {
            let event = events.next().await.expect("an event").expect("no error");
            String::from_utf8(event.to_vec()).expect("text")
        };
        assert_eq!(next().await, "event: change\ndata: 0\n\n");
        let begun = Instant::now();
        for round in 1..=3 {
            for _ in 0..100 {
                listeners.status_store.remove("nobody");
            }
            assert_eq!(next().await, format!("event: change\ndata: {round}00\n\n"));
        }
        assert_eq!(begun.elapsed(), 3 * PAUSE, "no more often than that");
        assert_eq!(next().await, ":\n\n", "nothing more happens, and the connection is kept");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_daemon_ends_every_stream() {
        let listeners = listeners();
        let mut events = listeners.listen().into_body().into_data_stream();
        assert!(events.next().await.is_some());
        listeners.stop.cancel();
        assert!(events.next().await.is_none());
    }

    #[tokio::test]
    async fn more_listeners_than_there_are_places_for_are_sent_away_until_one_leaves() {
        let listeners = listeners();
        let mut listening: Vec<_> = (0..LISTENERS).map(|_| listeners.listen()).collect();
        assert!(listening.iter().all(|response| response.status() == StatusCode::OK));
        assert_eq!(listeners.listen().status(), StatusCode::SERVICE_UNAVAILABLE);
        listening.pop();
        assert_eq!(listeners.listen().status(), StatusCode::OK);
    }
}
