//! What one commit may do to a service: the `policy` of `coalmine.yaml`, held against the routes that
//! are in force.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::values::Policy;

/// Who gets a service's requests, read from its routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed {
    /// Percent of the requests without the canary's headers, by version.
    pub shares: BTreeMap<String, u64>,
    /// The version that has what the canary does not get: a route's only destination or its first.
    pub primary: Option<String>,
    /// The versions that requests with headers go to.
    pub by_header: BTreeSet<String>,
    /// Whether some requests go to what is no version by its name: an Upstream of somebody else's.
    pub elsewhere: bool,
}

impl Routed {
    /// Reads the routes of a service's RouteTable or VirtualService.
    pub fn of(service: &str, object: &Value) -> Self {
        let mut routed = Self::default();
        let pointers = ["/spec/routes", "/spec/virtualHost/routes"];
        let routes =
            pointers.iter().filter_map(|pointer| object.pointer(pointer)?.as_array()).flatten();
        for route in routes {
            let action = &route["routeAction"];
            let several = action["multi"]["destinations"].as_array();
            let destinations: Vec<(&Value, u64)> = match several {
                Some(several) => several
                    .iter()
                    .map(|one| (&one["destination"], one["weight"].as_u64().unwrap_or(0)))
                    .collect(),
                None => vec![(&action["single"], 100)],
            };
            let has_headers = !route["matchers"][0]["headers"].as_array().is_none_or(Vec::is_empty);
            for (destination, weight) in destinations {
                let Some(version) = version(service, destination) else {
                    routed.elsewhere |= weight > 0;
                    continue;
                };
                if has_headers {
                    routed.by_header.insert(version);
                } else {
                    routed.primary.get_or_insert_with(|| version.clone());
                    routed.shares.insert(version, weight);
                }
            }
        }
        routed
    }

    /// The versions that get more requests than by the routes `before`, or requests with headers for the
    /// first time.
    pub fn gains<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a String> {
        let had = |version: &String| before.shares.get(version).copied().unwrap_or(0);
        let shares = self.shares.iter().filter(move |(version, share)| **share > had(version));
        shares.map(|(version, _)| version).chain(self.by_header.difference(&before.by_header))
    }
}

/// Why the policy forbids going from the `live` routes to the `desired` ones in one commit.
///
/// A service without routes yet may begin as it likes. Taking traffic from a canary is a rollback and
/// always allowed.
pub fn objection(live: Option<&Routed>, desired: &Routed, policy: &Policy) -> Option<String> {
    let (before, after) = (live?, desired);
    for (version, &share) in &after.shares {
        let old = before.shares.get(version).copied().unwrap_or(0);
        let is_rollback = before.primary.as_ref() == Some(version);
        if share <= old || is_rollback {
            continue;
        }
        if let Some(step) = policy.max_step.map(|step| u64::from(step.percent()))
            && share - old > step
        {
            return Some(format!(
                "policy.maxStep: {version} would go from {old} to {share} percent in one commit, \
                 at most {step} more are allowed; push a weight of {} first",
                old + step
            ));
        }
        if policy.require_header_phase && old == 0 && !before.by_header.contains(version) {
            return Some(format!(
                "policy.requireHeaderPhase: {version} would get {share} percent without having \
                 been tried by header; push `canary: {{version: {version}, headers: ...}}` with \
                 weight 0 first"
            ));
        }
    }
    None
}

/// The version that a destination of ours means, by its subset or by the name of its Upstream.
fn version(service: &str, destination: &Value) -> Option<String> {
    let subset = destination.pointer("/subset/values/version").and_then(Value::as_str);
    let upstream = destination.pointer("/upstream/name").and_then(Value::as_str);
    let of_upstream = || upstream?.strip_prefix(service)?.strip_prefix('-');
    subset.or_else(of_upstream).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::Weight;

    fn destination(version: &str) -> Value {
        json!({"upstream": {"name": "echo"}, "subset": {"values": {"version": version}}})
    }

    fn table(canary_weight: u64, with_header: bool) -> Routed {
        let header = json!({"matchers": [{"prefix": "/echo", "headers": [{"name": "stage"}]}],
            "routeAction": {"single": destination("v2")}});
        let split = json!({"matchers": [{"prefix": "/echo"}], "routeAction": {"multi": {"destinations": [
            {"destination": destination("v1"), "weight": 100 - canary_weight},
            {"destination": destination("v2"), "weight": canary_weight}]}}});
        let routes = if with_header { vec![header, split] } else { vec![split] };
        Routed::of("echo", &json!({"spec": { "routes": routes }}))
    }

    fn at_most(percent: u32) -> Policy {
        Policy { max_step: Weight::new(percent), require_header_phase: false }
    }

    #[test]
    fn a_step_beyond_the_limit_is_refused_and_the_next_allowed_one_named() {
        let (live, desired) = (table(10, true), table(50, true));
        let reason = objection(Some(&live), &desired, &at_most(20)).expect("refused");
        assert!(reason.contains("from 10 to 50") && reason.contains("weight of 30"), "{reason}");
        assert_eq!(objection(Some(&live), &desired, &at_most(40)), None);
        assert_eq!(objection(Some(&live), &desired, &Policy::default()), None);
    }

    #[test]
    fn going_back_and_beginning_are_always_allowed() {
        let nothing = at_most(1);
        assert_eq!(objection(Some(&table(40, true)), &table(0, true), &nothing), None);
        assert_eq!(objection(None, &table(50, true), &nothing), None);
    }

    #[test]
    fn a_canary_with_the_bigger_share_is_still_a_canary() {
        let refused = objection(Some(&table(60, true)), &table(100, true), &at_most(10));
        assert!(refused.expect("refused").contains("weight of 70"));
    }

    #[test]
    fn weight_without_a_header_phase_is_refused_when_the_policy_requires_one() {
        let policy = Policy { max_step: None, require_header_phase: true };
        let refused = objection(Some(&table(0, false)), &table(10, true), &policy);
        assert!(refused.expect("refused").contains("requireHeaderPhase"));
        assert_eq!(objection(Some(&table(0, true)), &table(10, true), &policy), None);
        assert_eq!(objection(Some(&table(10, false)), &table(20, false), &policy), None);
    }

    #[test]
    fn an_upstream_per_version_is_read_by_its_name() {
        let own = json!({"upstream": {"name": "echo-v2", "namespace": "echo"}});
        assert_eq!(version("echo", &own).as_deref(), Some("v2"));
        assert_eq!(version("echo", &destination("v1")).as_deref(), Some("v1"));
        let other = json!({"upstream": {"name": "other"}});
        assert_eq!(version("echo", &other), None);
        let route = |to: &Value| json!({"spec": {"routes": [{"routeAction": {"single": to}}]}});
        assert!(Routed::of("echo", &route(&other)).elsewhere);
        assert!(!Routed::of("echo", &route(&own)).elsewhere);
    }
}
