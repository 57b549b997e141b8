//! What is wrong with the routes of one virtual host.

use std::sync::Arc;

use crate::api::ObjectRef;

/// A warning about a route, in Gloo's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteWarning {
    /// The object the route is written in.
    pub(super) holder: Arc<ObjectRef>,
    pub(super) words: String,
}

/// An error of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteError {
    /// The object the route is written in.
    pub(super) holder: Arc<ObjectRef>,
    kind: &'static str,
    text: String,
    pub(super) route: String,
}

impl RouteError {
    /// Gloo's words for it.
    pub(super) fn words(&self) -> String {
        format!("{}. Route Name: {}", self.without_route(), self.route)
    }

    /// The same without the name of the route.
    pub(super) fn without_route(&self) -> String {
        format!("Route Error: {}. Reason: {}", self.kind, self.text)
    }
}

/// What is wrong with the routes of one virtual host.
#[derive(Default)]
pub(super) struct RouteFindings {
    /// The object that the route at hand is written in.
    pub(super) holder: Arc<ObjectRef>,
    pub(super) errors: Vec<RouteError>,
    pub(super) warnings: Vec<RouteWarning>,
}

impl RouteFindings {
    pub(super) fn error(&mut self, text: impl Into<String>, route: &str) {
        self.add_error("ProcessingError", text.into(), route);
    }

    /// An error found by one of Gloo's plugins, which reports it twice.
    pub(super) fn plugin_error(&mut self, plugin: &str, text: &str, route: &str) {
        self.error(format!("*{plugin}: {text}"), route);
        self.error(format!("*{plugin}: {text}"), route);
    }

    pub(super) fn warning(&mut self, reason: &str) {
        let words = format!("Route Warning: InvalidDestinationWarning. Reason: {reason}");
        self.warnings.push(RouteWarning { holder: Arc::clone(&self.holder), words });
    }

    pub(super) fn matcher_error(&mut self, text: &str, route: &str) {
        self.add_error("InvalidMatcherError", text.into(), route);
    }

    fn add_error(&mut self, kind: &'static str, text: String, route: &str) {
        let (holder, route) = (Arc::clone(&self.holder), route.to_owned());
        self.errors.push(RouteError { holder, kind, text, route });
    }
}
