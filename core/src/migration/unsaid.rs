//! What of a Gloo route no rule can do.

use gloo::config::{Action, Route, VirtualHost};

use super::fields::Lack;
use super::not_carried::{Cause, NotCarried};

/// Why a rule is not written.
pub(super) enum Unsaid {
    /// Something of the route itself, and what to do about it.
    Route { words: String, next: String },
    /// Something of an object that it names.
    Elsewhere(Box<NotCarried>),
}

impl Unsaid {
    pub(super) fn new(words: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Route { words: words.into(), next: next.into() }
    }

    /// The same as said of a route.
    pub(super) fn lack(words: &str, next: String) -> Lack {
        Lack::new(Cause::Route, format!("{words}: no rule is written for it"), next)
    }
}

impl From<&str> for Unsaid {
    fn from(words: &str) -> Self {
        Self::new(words, "write the route by hand")
    }
}

impl From<String> for Unsaid {
    fn from(words: String) -> Self {
        Self::new(words, "write the route by hand")
    }
}

/// Refuses a route that does what no rule of an HTTPRoute does.
///
/// # Errors
/// Says what it is, and what the new gateways have for it.
pub(super) fn check(route: &Route, host: &VirtualHost) -> Result<(), Unsaid> {
    let of_its_own = "write the route by hand, with what the gateway has of its own: kgateway a TrafficPolicy, Envoy \
                      Gateway a BackendTrafficPolicy or SecurityPolicy";
    let transforms = route.transforms || host.transforms;
    let mut unsaid = vec![
        (
            route.fault.is_some(),
            "made-up faults",
            "take `faults` out of the route: they are for tests",
        ),
        (transforms, "transformations", of_its_own),
    ];
    match &route.action {
        Action::Forward(forward) => unsaid.extend([
            (
                forward.missing_filter.is_some(),
                "functions",
                "let clients ask for the function's own path, and write a route to the Upstream without a function",
            ),
            (forward.path_rewrites.len() > 1, "several rewrites of the path", "leave one of them"),
            (forward.append_x_forwarded_host, "x-forwarded-host", of_its_own),
        ]),
        Action::DirectResponse { .. } => unsaid.push((
            true,
            "an answer that the gateway gives by itself",
            "write a rule with an ExtensionRef: kgateway has the kind DirectResponse for it, Envoy Gateway \
             HTTPRouteFilter with directResponse",
        )),
        Action::Redirect(_) => {}
    }
    match unsaid.into_iter().find(|(is_used, ..)| *is_used) {
        Some((_, words, next)) => Err(Unsaid::new(words, next)),
        None => Ok(()),
    }
}
