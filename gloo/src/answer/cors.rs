use super::outcome::Outcome;
use super::request::Request;
use crate::config::{CorsPolicy, Route, VirtualHost};
use crate::pattern;

/// The answer to a browser's preflight request, which no backend sees (gloo-conformance case
/// 13-faults-cors). `None`: the request is none, or its origin is not allowed and it is passed on.
pub(super) fn preflight(
    host: Option<&VirtualHost>,
    route: &Route,
    request: &Request,
) -> Option<Outcome> {
    let header = |name: &str| {
        let value = request.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let policy = route.cors.as_ref().or_else(|| host?.cors.as_ref())?;
    let origin = header("origin")?;
    header("access-control-request-method")?;
    let asks = request.method == "OPTIONS" && !policy.disabled && allows(policy, origin);
    asks.then(|| Outcome::status(200, ""))
}

fn allows(policy: &CorsPolicy, origin: &str) -> bool {
    let rules = &policy.rules;
    rules.allow_origin.iter().any(|allowed| allowed == "*" || allowed == origin)
        || rules.allow_origin_regex.iter().any(|allowed| pattern::matches_all(allowed, origin))
}
