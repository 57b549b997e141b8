//! The lines of a watch: one event each, whatever frames they come in.

use std::io;

use futures::{Stream, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use serde_json::Value;

use super::{Request, alteration::Alterations, body::Body, versions::Versions};

/// The events of one watch, changed on their way to the client.
pub(super) fn changed(
    request: Request,
    body: Body,
    changes: Alterations,
    versions: Versions,
) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static {
    let lines = Lines { request, body, changes, versions, begun: Vec::new() };
    stream::unfold(Some(lines), |lines| async move { lines?.next().await })
}

struct Lines {
    request: Request,
    body: Body,
    changes: Alterations,
    versions: Versions,
    /// A line that has not ended yet.
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that have ended with the next frame, as far as the client is shown them.
    async fn next(mut self) -> Option<(io::Result<Frame<Bytes>>, Option<Self>)> {
        loop {
            let frame = match self.body.frame().await? {
                Ok(frame) => frame,
                Err(error) => return Some((Err(error), None)),
            };
            let Ok(data) = frame.into_data() else { continue };
            self.begun.extend_from_slice(&data);
            let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.begun.split_off(end + 1);
            let ended = std::mem::replace(&mut self.begun, rest);
            let lines = ended.split_inclusive(|byte| *byte == b'\n').map(Bytes::copy_from_slice);
            let told: Vec<Bytes> = lines.filter_map(|line| self.told(line)).collect();
            if !told.is_empty() {
                return Some((Ok(Frame::data(told.concat().into())), Some(self)));
            }
        }
    }

    /// One line as the client gets it, `None` for an event that is kept from it. What the API server says of the
    /// watch itself stays as it is.
    fn told(&self, line: Bytes) -> Option<Bytes> {
        if self.changes.is_empty() && self.versions.are_true() {
            return Some(line);
        }
        let Ok(mut event) = serde_json::from_slice::<Value>(&line) else { return Some(line) };
        if event["type"] == "ERROR" {
            return Some(line);
        }
        let object = event.get_mut("object")?;
        self.versions.change(&self.request, object);
        self.changes.change(&self.request, object).then(|| format!("{event}\n").into())
    }
}
