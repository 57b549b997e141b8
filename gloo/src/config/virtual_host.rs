use std::sync::Arc;

use super::{CorsPolicy, HeaderEdits, Retry, Route};
use crate::api::ObjectRef;

/// Domains and the routes behind them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VirtualHost {
    /// The VirtualService; Envoy is not told.
    pub holder: Arc<ObjectRef>,
    /// The Gateway it is served by; Envoy is not told.
    pub gateway: Arc<ObjectRef>,
    /// Requests without TLS are sent to the same address with it.
    pub require_tls: bool,
    /// `<namespace>_<name>` of the VirtualService.
    pub name: String,
    /// As written; matching does not look at letter case.
    pub domains: Vec<String>,
    /// The first that matches takes the request.
    pub routes: Vec<Route>,
    /// Retries of routes that have none of their own.
    pub retry: Option<Retry>,
    /// Header changes after those of the route.
    pub headers: HeaderEdits,
    /// Cross-origin rules of routes that have none of their own.
    pub cors: Option<CorsPolicy>,
    /// Something in it or its routes is not modelled: Envoy is told more than stands here.
    pub opaque: bool,
    /// It changes requests or answers by a filter that a plain Envoy does not have.
    pub transforms: bool,
    /// Tell the backend how often the request was tried.
    pub include_request_attempt_count: bool,
    /// Tell the caller how often the request was tried.
    pub include_attempt_count_in_response: bool,
}

impl VirtualHost {
    /// Whether it or one of its routes needs the filter that changes requests and answers.
    pub(crate) fn transforms_anything(&self) -> bool {
        self.transforms || self.routes.iter().any(|route| route.transforms)
    }
}
