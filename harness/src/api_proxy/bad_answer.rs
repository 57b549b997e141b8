//! Answers that the API server did not give.

use std::io;
use std::time::Duration;

use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderValue};
use kube::client;
use serde_json::json;
use tokio::time::sleep;

use super::{body::Body, events::EXPIRED};

/// The pause before each byte of a slow body.
const PAUSE: Duration = Duration::from_secs(1);

/// What an API server says with this status.
pub(super) fn refusal(code: u16) -> Response<Body> {
    failure(code, "", "refused by the proxy in front of the API server")
}

/// What an API server says to a watch from a version that it does not know any more.
pub(super) fn expired() -> Response<Body> {
    Response::new(whole(EXPIRED.into()))
}

/// What an API server says that has too much to do, with the seconds after which it wants to be asked again.
pub(super) fn turned_away(wait: Option<u32>) -> Response<Body> {
    let words = "the server has received too many requests and has asked us to try again later";
    let mut answer = failure(429, "TooManyRequests", words);
    if let Some(wait) = wait {
        answer.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    answer
}

/// What an API server says that cannot call a webhook.
pub(super) fn webhook_failed(name: &str) -> Response<Body> {
    let words = format!(
        "Internal error occurred: failed calling webhook \"{name}\": failed to call webhook: Post \
         \"https://webhook.security.svc:443/?timeout=10s\": context deadline exceeded"
    );
    failure(500, "InternalError", &words)
}

/// The answer, of whose body a byte comes each second.
pub(super) async fn slowly(answer: Response<client::Body>) -> io::Result<Response<Body>> {
    let (head, body) = answer.into_parts();
    let bytes = body.collect_bytes().await.map_err(io::Error::other)?;
    let bytes = stream::unfold(bytes, |mut left| async move {
        if left.is_empty() {
            return None;
        }
        sleep(PAUSE).await;
        let byte = left.split_to(1);
        Some((Ok::<_, io::Error>(Frame::data(byte)), left))
    });
    Ok(Response::from_parts(head, StreamBody::new(bytes).boxed_unsync()))
}

/// A whole body.
pub(super) fn whole(body: Bytes) -> Body {
    Full::from(body).map_err(|never| match never {}).boxed_unsync()
}

fn failure(code: u16, reason: &str, message: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code,
    });
    let mut answer = Response::new(whole(status.to_string().into()));
    let code = hyper::StatusCode::from_u16(code);
    *answer.status_mut() = code.unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}
