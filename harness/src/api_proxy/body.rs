//! The body of an answer that passes through the proxy.

use std::io;

use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Bytes;

/// A body whose pieces come one by one.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
