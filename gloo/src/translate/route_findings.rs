//! What is wrong with the routes of one virtual host.

use std::sync::Arc;

use super::findings::{Finding, Remark, Severity};
use super::mistake::Mistake;
use crate::api::ObjectRef;

/// Why Gloo does not serve a route as written, in the names of its reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ProcessingError,
    InvalidMatcherError,
}

/// An error of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteError {
    /// The object the route is written in.
    holder: Arc<ObjectRef>,
    kind: Kind,
    mistake: Mistake,
    pub(super) route: String,
}

impl RouteError {
    /// Gloo's words for it.
    pub(super) fn words(&self) -> String {
        format!("{}. Route Name: {}", self.without_route(), self.route)
    }

    fn without_route(&self) -> String {
        format!("Route Error: {:?}. Reason: {}", self.kind, self.mistake.words)
    }

    pub(super) fn finding(&self) -> Finding {
        let mistake = Mistake::new(self.mistake.code, self.without_route());
        Finding::new(&self.holder, Severity::RouteError, mistake)
    }
}

/// What is wrong with the routes of one virtual host.
#[derive(Default)]
pub(super) struct RouteFindings {
    /// The object that the route at hand is written in.
    pub(super) holder: Arc<ObjectRef>,
    pub(super) errors: Vec<RouteError>,
    pub(super) warnings: Vec<Finding>,
    /// What is not served as written, but is no error of a route to Gloo.
    pub(super) lost: Vec<Finding>,
    /// What could not be judged, and the object it stands in.
    pub(super) notes: Vec<(Arc<ObjectRef>, Remark)>,
}

impl RouteFindings {
    pub(super) fn error(&mut self, mistake: Mistake, route: &str) {
        self.add_error(Kind::ProcessingError, mistake, route);
    }

    /// An error found by one of Gloo's plugins, which reports it twice.
    pub(super) fn plugin_error(&mut self, plugin: &str, mistake: Mistake, route: &str) {
        let mistake = mistake.within(|text| format!("*{plugin}: {text}"));
        self.error(mistake.clone(), route);
        self.error(mistake, route);
    }

    pub(super) fn warning(&mut self, mistake: Mistake) {
        let mistake = mistake
            .within(|reason| format!("Route Warning: InvalidDestinationWarning. Reason: {reason}"));
        self.warnings.push(Finding::new(&self.holder, Severity::Warning, mistake));
    }

    /// Part of the route is left out, which only the status of the proxy shows.
    pub(super) fn lost(&mut self, mistake: Mistake) {
        self.lost.push(Finding::new(&self.holder, Severity::RouteError, mistake));
    }

    /// Something about the route cannot be judged.
    pub(super) fn note(&mut self, remark: impl Into<Remark>) {
        self.notes.push((Arc::clone(&self.holder), remark.into()));
    }

    pub(super) fn matcher_error(&mut self, mistake: Mistake, route: &str) {
        self.add_error(Kind::InvalidMatcherError, mistake, route);
    }

    fn add_error(&mut self, kind: Kind, mistake: Mistake, route: &str) {
        let (holder, route) = (Arc::clone(&self.holder), route.to_owned());
        self.errors.push(RouteError { holder, kind, mistake, route });
    }
}
