//! Which gateways can check the token that leads to a canary.

use super::{Check, LONGEST_VALUE, is_too_long};
use crate::problem::Problem;
use crate::values::model::{Gateway, Profile, Service};
use crate::values::places::Places;

const KEYS: [&str; 3] = ["routes", "canary", "jwt"];

/// The problem of a token before routes of Gloo's, which would let everybody in or nobody.
pub(super) fn problem_of_gloo(service: &Service, places: &Places) -> Option<Problem> {
    service.routes.canary.as_ref()?.jwt.as_ref()?;
    let message = "Gloo's open source edition checks no token, so that no route of Gloo's leads to the canary by one";
    let help = "write `headers`, or move the service: `gateway: {api: gateway-api, profile: kgateway}` or \
                `profile: envoy-gateway`";
    Some(Problem::new(&places.of(&KEYS), KEYS.join("."), message).help(help))
}

impl Check<'_> {
    /// Whether the implementation can check the canary's token.
    pub(super) fn jwt(&mut self) {
        let canary = self.service.routes.canary.as_ref();
        let Some(jwt) = canary.and_then(|canary| canary.jwt.as_ref()) else { return };
        if matches!(self.service.routes.gateway, Gateway::Both(_)) {
            self.problems.extend(problem_of_gloo(self.service, self.places));
        }
        if self.api.profile == Profile::Portable {
            self.add(
                &KEYS,
                "implementations have different policies that check tokens, and an HTTPRoute has none",
                "name a `profile`: kgateway or envoy-gateway",
            );
        }
        for (name, value) in &jwt.claims {
            let has_lines = match value {
                super::ValueMatch::Exact(text) | super::ValueMatch::Regex(text) => {
                    text.chars().any(char::is_control)
                }
                super::ValueMatch::Present => false,
            };
            if has_lines || is_too_long(value, LONGEST_VALUE) {
                let keys: Vec<&str> =
                    KEYS.into_iter().chain(["claims"]).chain(name.split('.')).collect();
                let message = format!(
                    "an HTTPRoute looks at a claim as at a header, in one line with at most {LONGEST_VALUE} characters"
                );
                self.add(&keys, message, "write a shorter value");
            }
        }
    }
}
