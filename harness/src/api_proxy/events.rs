//! The events of watches, which can be withheld: then a client acts on stale data. A watch can end, too.

use std::{sync::Arc, time::Instant};

use futures::{Stream, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use tokio::sync::watch;

use super::{Request, body::Body};

/// What a client gets when its watch cannot go on where it was, as the API server says it.
pub(super) const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"#,
    r#""status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

type Frames = std::io::Result<Frame<Bytes>>;

/// Watches whose events are kept back. Dropping it lets them go on, with all that was kept.
#[must_use = "events are withheld until this is dropped"]
#[derive(Debug)]
pub struct Withheld {
    taps: Taps,
    id: u64,
}

impl Withheld {
    /// Ends the watches that were withheld as the API server ends one whose resource version is too
    /// old. Their clients have to list anew, so they see what there is, and never what came and went
    /// meanwhile.
    pub fn lose(self) {
        self.end(End::Expired);
    }

    /// Ends the watches that were withheld without a word, as an API server that stops does.
    pub fn close(self) {
        self.end(End::Closed);
    }

    fn end(&self, end: End) {
        let now = Instant::now();
        self.taps.change(self.id, |tap| tap.ended = Some((now, end)));
    }
}

/// How a watch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Expired,
    Closed,
}

impl Drop for Withheld {
    fn drop(&mut self) {
        self.taps.0.send_modify(|taps| taps.retain(|tap| tap.id != self.id || tap.ended.is_some()));
    }
}

/// All that is or was withheld.
#[derive(Clone, Debug)]
pub(super) struct Taps(watch::Sender<Vec<Tap>>);

#[derive(Clone)]
struct Tap {
    id: u64,
    fits: Arc<dyn Fn(&Request) -> bool + Send + Sync>,
    /// Only watches that had begun by then are withheld.
    until: Option<Instant>,
    /// Watches that had begun by then have ended.
    ended: Option<(Instant, End)>,
}

impl Tap {
    fn withholds(&self, request: &Request, begun: Instant) -> bool {
        let is_chosen = self.until.is_none_or(|until| begun <= until);
        self.ended.is_none() && is_chosen && (self.fits)(request)
    }

    fn ends(&self, request: &Request, begun: Instant) -> Option<End> {
        let (at, end) = self.ended.filter(|(at, _)| begun <= self.until.unwrap_or(*at))?;
        (begun <= at && (self.fits)(request)).then_some(end)
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("id", &self.id).field("ended", &self.ended).finish()
    }
}

impl Default for Taps {
    fn default() -> Self {
        Self(watch::channel(Vec::new()).0)
    }
}

impl Taps {
    /// Withholds the events of watches that begin until this moment, or of all.
    pub(super) fn withhold(
        &self,
        until: Option<Instant>,
        fits: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) -> Withheld {
        let mut id = 0;
        self.0.send_modify(|taps| {
            id = taps.last().map_or(0, |last| last.id + 1);
            taps.push(Tap { id, fits: Arc::new(fits), until, ended: None });
        });
        Withheld { taps: self.clone(), id }
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Tap)) {
        self.0.send_modify(|taps| {
            if let Some(tap) = taps.iter_mut().find(|tap| tap.id == id) {
                change(tap);
            }
        });
    }

    /// The events of one watch, as far as they are not withheld.
    pub(super) fn relay(
        &self,
        request: Request,
        body: Body,
    ) -> impl Stream<Item = Frames> + Send + 'static {
        let relay = Relay {
            request,
            body,
            taps: self.0.subscribe(),
            begun: Instant::now(),
            within_event: false,
        };
        stream::unfold(Some(relay), |relay| async move { relay?.next().await })
    }
}

/// One watch's way through the proxy.
struct Relay {
    request: Request,
    body: Body,
    taps: watch::Receiver<Vec<Tap>>,
    begun: Instant,
    /// The last frame ended in the middle of an event.
    within_event: bool,
}

impl Relay {
    async fn next(mut self) -> Option<(Frames, Option<Self>)> {
        let (request, begun, within_event) = (&self.request, self.begun, self.within_event);
        let end = |taps: &Vec<Tap>| taps.iter().find_map(|tap| tap.ends(request, begun));
        let is_shut =
            |taps: &Vec<Tap>| !within_event && taps.iter().any(|tap| tap.withholds(request, begun));
        let mut ended = self.taps.clone();
        let frame = async {
            let frame = self.body.frame().await;
            // The other end lives as long as the proxy.
            drop(self.taps.wait_for(|taps| !is_shut(taps)).await);
            frame
        };
        let frame = tokio::select! {
            biased;
            Ok(taps) = ended.wait_for(|taps| !within_event && end(taps).is_some()) => {
                let expired = end(&taps) == Some(End::Expired);
                let words = Bytes::from_static(EXPIRED.as_bytes());
                return expired.then(|| (Ok(Frame::data(words)), None));
            }
            frame = frame => frame?,
        };
        match frame {
            Ok(frame) => {
                let ends = |data: &Bytes| data.last().is_none_or(|last| *last == b'\n');
                self.within_event = !frame.data_ref().is_none_or(ends);
                Some((Ok(frame), Some(self)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }
}
