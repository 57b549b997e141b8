use std::sync::Arc;

use super::{CorsPolicy, HeaderEdits, Retry, Route};
use crate::api::ObjectRef;

/// Domains and the routes behind them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VirtualHost {
    /// The VirtualService; Envoy is not told.
    pub holder: Arc<ObjectRef>,
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
    /// Tell the backend how often the request was tried.
    pub include_request_attempt_count: bool,
    /// Tell the caller how often the request was tried.
    pub include_attempt_count_in_response: bool,
}
