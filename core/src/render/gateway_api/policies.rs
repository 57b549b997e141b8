//! The policies by which a gateway checks tokens for a canary.
//!
//! There are two: one for the rules of everybody, by which a request needs no token, and one for the rules of the canary,
//! by which it does. Both write the claims of a token into headers, take such headers away that a client wrote, and
//! have the rule picked again. By one policy for all rules a header written by hand leads to the canary
//! (gateway-conformance case 09-jwt-one-optional-policy); so it does when the rule is not picked again
//! (09-jwt-without-recompute).

use serde_json::{Value, json};

use crate::kind::{Kind, group};
use crate::object::object;
use crate::traffic::{claim_header, claims_name, is_guarded};
use crate::values::{Jwt, Profile, Service};

/// The name of the provider in every policy.
const PROVIDER: &str = "canary";

/// The policies of a service's HTTPRoutes.
pub(super) fn render(service: &Service, profile: Profile, routes: &[Value]) -> Vec<Value> {
    let Some(jwt) = service.routes.canary.as_ref().and_then(|canary| canary.jwt.as_ref()) else {
        return Vec::new();
    };
    let tokens = [Tokens::optional(service, jwt), Tokens::required(service, jwt)];
    let mut policies = Vec::new();
    if profile == Profile::Kgateway {
        policies.extend(tokens.iter().map(Tokens::extension));
    }
    for route in routes {
        for tokens in &tokens {
            let rules = route["spec"]["rules"].as_array().into_iter().flatten();
            let rules: Vec<&str> = rules
                .filter(|rule| is_guarded(rule) == tokens.is_required)
                .filter_map(|rule| rule["name"].as_str())
                .collect();
            let name = route["metadata"]["name"].as_str().unwrap_or_default();
            policies.extend(tokens.policies(profile, name, &rules));
        }
    }
    policies
}

/// What one of the two policies requires.
struct Tokens<'a> {
    service: &'a Service,
    jwt: &'a Jwt,
    is_required: bool,
    /// What its name ends with.
    suffix: String,
}

impl<'a> Tokens<'a> {
    fn optional(service: &'a Service, jwt: &'a Jwt) -> Self {
        Self { service, jwt, is_required: false, suffix: "jwt-optional".into() }
    }

    fn required(service: &'a Service, jwt: &'a Jwt) -> Self {
        Self { service, jwt, is_required: true, suffix: claims_name(service, jwt) }
    }

    /// The policies for these rules of a route. Each rule that requires a token has one of its own, which stays until the
    /// rule has gone: as one of several targets it would lose its guard while it is there.
    fn policies(&self, profile: Profile, route: &str, rules: &[&str]) -> Vec<Value> {
        if self.is_required {
            let one =
                |rule: &&str| self.policy(profile, route, &format!("{route}-{rule}"), &[rule]);
            return rules.iter().map(one).collect();
        }
        let name = format!("{route}-{}", self.suffix);
        (!rules.is_empty()).then(|| self.policy(profile, route, &name, rules)).into_iter().collect()
    }

    /// The policy of this name for these rules of a route.
    fn policy(&self, profile: Profile, route: &str, name: &str, rules: &[&str]) -> Value {
        let target = |rule: &&str| {
            json!({
                "group": group(Kind::HttpRoute.api_version()),
                "kind": Kind::HttpRoute,
                "name": route,
                "sectionName": rule,
            })
        };
        let targets: Vec<Value> = rules.iter().map(target).collect();
        let namespace = &self.service.namespace;
        match profile {
            Profile::Kgateway => {
                let extension = json!({"name": self.extension_name()});
                let spec = json!({"targetRefs": targets, "jwtAuth": {"extensionRef": extension}});
                object(Kind::TrafficPolicy, namespace, name, spec)
            }
            Profile::EnvoyGateway | Profile::Portable => {
                let mut provider = json!({
                    "name": PROVIDER,
                    "issuer": self.jwt.issuer,
                    "localJWKS": {"type": "Inline", "inline": self.jwt.jwks},
                    "recomputeRoute": true,
                });
                provider["claimToHeaders"] = self.headers("claim");
                let jwt = json!({"optional": !self.is_required, "providers": [provider]});
                object(
                    Kind::SecurityPolicy,
                    namespace,
                    name,
                    json!({"targetRefs": targets, "jwt": jwt}),
                )
            }
        }
    }

    fn extension_name(&self) -> String {
        format!("{}-{}", self.service.name, self.suffix)
    }

    /// kgateway's own object with what is checked, which policies refer to. It picks the rule again wherever claims
    /// become headers.
    fn extension(&self) -> Value {
        let provider = json!({
            "name": PROVIDER,
            "issuer": self.jwt.issuer,
            "claimsToHeaders": self.headers("name"),
            "jwks": {"local": {"inline": self.jwt.jwks}},
            // It would take the token away, which a version may read itself.
            "forwardToken": true,
        });
        let mode = if self.is_required { "Strict" } else { "AllowMissing" };
        let spec = json!({"jwt": {"validationMode": mode, "providers": [provider]}});
        object(Kind::GatewayExtension, &self.service.namespace, &self.extension_name(), spec)
    }

    /// Which claim becomes which header; `key` is what the implementation calls the claim's name.
    fn headers(&self, key: &str) -> Value {
        let claims = self.jwt.claims.keys();
        claims
            .map(|claim| json!({key: claim, "header": claim_header(self.service, claim)}))
            .collect()
    }
}
