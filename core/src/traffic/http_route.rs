//! What live HTTPRoutes give each version, whoever wrote them.

use serde_json::Value;

use super::shares::Shares;
use super::upstream_names::UpstreamNames;

/// The header of a match that no request fits: a rule with it only makes the gateway prepare for what comes.
pub(crate) const WARMING_HEADER: &str = "x-coalmine-warming";

/// Reads who gets a service's requests by one of its HTTPRoutes. A rule that nobody's requests fit gives nobody any.
pub(super) fn read(service: &str, object: &Value) -> Shares {
    let names = UpstreamNames::read(object);
    let rules = object.pointer("/spec/rules").and_then(Value::as_array);
    let mut shares = Shares::default();
    for rule in rules.into_iter().flatten().filter(|rule| !is_warming(rule)) {
        let first = rule.pointer("/matches/0/headers").and_then(Value::as_array);
        let has_headers = first.is_some_and(|headers| !headers.is_empty());
        let backends = rule["backendRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
        let sum: u64 = backends.iter().map(weight).sum();
        if backends.is_empty() {
            // A redirect, or an error.
            shares.add(has_headers, None, 100);
        }
        for backend in backends {
            let percent = (weight(backend) * 100).checked_div(sum).unwrap_or(0);
            shares.add(has_headers, version(service, backend, &names), percent);
        }
    }
    shares
}

/// Whether no request fits the rule.
pub(crate) fn is_warming(rule: &Value) -> bool {
    let matches = rule["matches"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has_header = |matcher: &Value| {
        let mut headers = matcher["headers"].as_array().into_iter().flatten();
        headers.any(|header| header["name"] == WARMING_HEADER)
    };
    !matches.is_empty() && matches.iter().all(has_header)
}

/// The version whose Service the backend is.
fn version(service: &str, backend: &Value, names: &UpstreamNames) -> Option<String> {
    let is = |field: &str, default: &str| backend.get(field).is_none_or(|value| value == default);
    let is_service = is("group", "") && is("kind", "Service");
    names.version(service, backend["name"].as_str().filter(|_| is_service)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::labels::VERSIONS;

    fn read(rules: Value) -> Shares {
        Shares::read("echo", &json!({"kind": "HTTPRoute", "spec": {"rules": rules}}))
    }

    #[test]
    fn the_shares_of_a_canary_are_read_with_its_header_rule() {
        let canary = json!({"matches": [{"headers": [{"name": "stage", "value": "canary"}]}],
            "backendRefs": [{"name": "echo-v2", "port": 80}]});
        let main = json!({"backendRefs": [{"name": "echo-v1", "weight": 90}, {"name": "echo-v2", "weight": 10}]});
        let expected: Shares = [("v1", 90), ("v2", 10)].into_iter().collect();
        let expected = expected.with_primary("v1").with_header_target("v2");
        assert_eq!(read(json!([main, canary])), expected);
    }

    #[test]
    fn weights_are_read_as_parts_of_their_sum() {
        let shares =
            read(json!([{"backendRefs": [{"name": "echo-v1", "weight": 3}, {"name": "echo-v2"}]}]));
        assert_eq!((shares.get("v1"), shares.get("v2")), (Some(75), Some(25)));
        let none = read(json!([{"backendRefs": [{"name": "echo-v1", "weight": 0}]}]));
        assert_eq!(none.get("v1"), Some(0));
    }

    #[test]
    fn a_rule_that_no_request_fits_gives_nobody_any() {
        let warming = json!({"name": WARMING_HEADER, "value": "nobody"});
        let rule = |headers: Value| json!([{"matches": [{"headers": headers}], "backendRefs": [{"name": "echo-v2"}]}]);
        assert_eq!(read(rule(json!([warming]))), Shares::default());
        assert!(read(rule(json!([{"name": "stage"}]))).is_header_target("v2"));
    }

    #[test]
    fn what_is_no_service_of_a_version_leads_elsewhere() {
        for backends in [
            json!([]),
            json!([{"name": "other-v1"}]),
            json!([{"name": "echo-v1", "group": "delegation.kgateway.dev", "kind": "label"}]),
            json!([{"name": "echo-v1", "kind": "Backend", "group": "gateway.kgateway.dev"}]),
        ] {
            let shares = read(json!([{"backendRefs": backends}]));
            assert!(shares.leads_elsewhere() && shares.used().next().is_none(), "{backends}");
        }
    }

    #[test]
    fn a_service_whose_name_does_not_tell_its_version_is_read_by_the_annotation() {
        let said = json!({"annotations": {VERSIONS: "{\"echo-1-4-2\":\"1.4.2\"}"}});
        let object = json!({"kind": "HTTPRoute", "metadata": said,
            "spec": {"rules": [{"backendRefs": [{"name": "echo-1-4-2"}]}]}});
        assert_eq!(Shares::read("echo", &object).get("1.4.2"), Some(100));
    }
}
