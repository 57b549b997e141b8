//! Who gets a service's requests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

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

    #[test]
    fn an_upstream_per_version_is_read_by_its_name() {
        let own = json!({"upstream": {"name": "echo-v2", "namespace": "echo"}});
        assert_eq!(version("echo", &own).as_deref(), Some("v2"));
        let subset = json!({"upstream": {"name": "echo"}, "subset": {"values": {"version": "v1"}}});
        assert_eq!(version("echo", &subset).as_deref(), Some("v1"));
        let other = json!({"upstream": {"name": "other"}});
        assert_eq!(version("echo", &other), None);
        let route = |to: &Value| json!({"spec": {"routes": [{"routeAction": {"single": to}}]}});
        assert!(Routed::of("echo", &route(&other)).elsewhere);
        assert!(!Routed::of("echo", &route(&own)).elsewhere);
    }
}
