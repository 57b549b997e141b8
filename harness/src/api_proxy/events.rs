//! The events of watches, which can be withheld: then a client acts on stale data.

use std::{sync::Arc, time::Instant};

use futures::{Stream, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use tokio::sync::watch;

use super::{Request, body::Body};

/// What a client gets when its watch cannot go on where it was, as the API server says it.
const EXPIRED: &str = concat!(
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
        let now = Instant::now();
        self.taps.change(self.id, |tap| tap.lost = Some(now));
    }
}

impl Drop for Withheld {
    fn drop(&mut self) {
        self.taps.0.send_modify(|taps| taps.retain(|tap| tap.id != self.id || tap.lost.is_some()));
    }
}

/// All that is or was withheld.
#[derive(Clone, Debug)]
pub(super) struct Taps(watch::Sender<Vec<Tap>>);

#[derive(Clone)]
struct Tap {
    id: u64,
    fits: Arc<dyn Fn(&Request) -> bool + Send + Sync>,
    /// Watches that had begun by then are lost.
    lost: Option<Instant>,
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("id", &self.id).field("lost", &self.lost).finish()
    }
}

impl Default for Taps {
    fn default() -> Self {
        Self(watch::channel(Vec::new()).0)
    }
}

impl Taps {
    pub(super) fn withhold(
        &self,
        fits: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) -> Withheld {
        let mut id = 0;
        self.0.send_modify(|taps| {
            id = taps.last().map_or(0, |last| last.id + 1);
            taps.push(Tap { id, fits: Arc::new(fits), lost: None });
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
        let is_lost = |taps: &Vec<Tap>| {
            let lost = |tap: &Tap| tap.lost.is_some_and(|lost| begun <= lost);
            !within_event && taps.iter().any(|tap| lost(tap) && (tap.fits)(request))
        };
        let is_shut = |taps: &Vec<Tap>| {
            let shut = |tap: &Tap| tap.lost.is_none() && (tap.fits)(request);
            !within_event && taps.iter().any(shut)
        };
        let mut lost = self.taps.clone();
        let frame = async {
            let frame = self.body.frame().await;
            // The other end lives as long as the proxy.
            drop(self.taps.wait_for(|taps| !is_shut(taps)).await);
            frame
        };
        let frame = tokio::select! {
            biased;
            Ok(_) = lost.wait_for(is_lost) => {
                return Some((Ok(Frame::data(Bytes::from_static(EXPIRED.as_bytes()))), None));
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
