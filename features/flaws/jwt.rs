//! Canaries by tokens that let in whom they should not.

use serde_json::Value;

use super::Mutation;
use crate::flaw::{Flaw, Written};

const SCENARIO: &str = "Tokens lead to the canary, and nothing else does";

/// What only gateways of the Gateway API have.
pub(crate) const ALL: [Mutation; 2] = [
    Mutation {
        name: "one optional policy guards every rule",
        flaw: Flaw::Writes(nobody_needs_a_token),
        feature: "jwt",
        scenario: SCENARIO,
        words: "expected 401, got echo-v2",
    },
    Mutation {
        name: "a claim counts whatever its value is",
        flaw: Flaw::Writes(any_claim),
        feature: "jwt",
        scenario: SCENARIO,
        words: "expected echo-v1, got echo-v2",
    },
];

/// The policy of the canary's rule is the one of all the others.
fn nobody_needs_a_token() -> Written {
    Box::new(|request, object| {
        if request.is_about("gatewayextensions") {
            object["spec"]["jwt"]["validationMode"] = "AllowMissing".into();
        }
        if request.is_about("securitypolicies") {
            object["spec"]["jwt"]["optional"] = true.into();
        }
    })
}

fn any_claim() -> Written {
    Box::new(|request, object| {
        if !request.is_about("httproutes") {
            return;
        }
        let rules = object.pointer_mut("/spec/rules").and_then(Value::as_array_mut);
        let matches = rules.into_iter().flatten().filter_map(|rule| rule["matches"].as_array_mut());
        let headers = matches.flatten().filter_map(|it| it.get_mut("headers")?.as_array_mut());
        for header in headers.flatten() {
            if header["name"].as_str().is_some_and(|name| name.contains("claim")) {
                header["type"] = "RegularExpression".into();
                header["value"] = ".*".into();
            }
        }
    })
}
