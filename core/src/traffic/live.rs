//! What live routes give each version. Anybody may have changed them, so nothing is taken for granted.

use gloo::api::{Destination, Matcher, RouteAction, Target, WeightedDestination, decode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::http_route;
use super::shares::Shares;
use super::upstream_names::UpstreamNames;
use crate::kind::Kind;

/// A route as far as it says who answers. Its options may be beyond Gloo's understanding.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LiveRoute {
    matchers: Vec<Matcher>,
    route_action: Option<RouteAction>,
    redirect_action: Option<IgnoredAny>,
    direct_response_action: Option<IgnoredAny>,
    delegate_action: Option<IgnoredAny>,
}

impl LiveRoute {
    /// Each destination and its weight; `None` where the route sends no request to an Upstream that it names.
    fn destinations(&self) -> Vec<(Option<&Destination>, u64)> {
        let elsewhere = || vec![(None, 100)];
        let is_answered = self.redirect_action.is_some()
            || self.direct_response_action.is_some()
            || self.delegate_action.is_some();
        if is_answered {
            return elsewhere();
        }
        match self.route_action.as_ref().and_then(RouteAction::target) {
            Some(Target::Single(destination)) => vec![(Some(destination), 100)],
            Some(Target::Multi(several)) => several.destinations.iter().map(weighted).collect(),
            Some(Target::Group(_) | Target::ClusterHeader(_) | Target::DynamicForwardProxy)
            | None => elsewhere(),
        }
    }
}

fn weighted(
    WeightedDestination { destination, weight, .. }: &WeightedDestination,
) -> (Option<&Destination>, u64) {
    (destination.as_ref(), u64::from(weight.unwrap_or(0)))
}

impl Shares {
    /// Reads the routes of a service's RouteTable, VirtualService or HTTPRoute. A route that cannot be decoded leads
    /// elsewhere: nobody knows where to.
    pub fn read(service: &str, object: &Value) -> Self {
        if object["kind"] == Kind::HttpRoute.as_str() {
            return http_route::read(service, object);
        }
        let pointers = ["/spec/routes", "/spec/virtualHost/routes"];
        let routes =
            pointers.iter().filter_map(|pointer| object.pointer(pointer)?.as_array()).flatten();
        let names = UpstreamNames::read(object);
        let mut shares = Self::default();
        for route in routes {
            let route: LiveRoute = decode(route).unwrap_or_default();
            let has_headers = route.matchers.first().is_some_and(|it| !it.headers.is_empty());
            for (destination, weight) in route.destinations() {
                let version = destination.and_then(|it| version(service, it, &names));
                shares.add(has_headers, version, weight);
            }
        }
        shares
    }
}

/// The version that a destination of ours means, by its subset or by the name of its Upstream.
fn version(service: &str, destination: &Destination, names: &UpstreamNames) -> Option<String> {
    let subset = destination.subset.as_ref();
    if let Some(version) = subset.and_then(|subset| subset.values.get("version")) {
        return Some(version.clone());
    }
    names.version(service, &destination.upstream.as_ref()?.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::labels::VERSIONS;

    fn to(version: &str) -> Value {
        json!({"upstream": {"name": "echo"}, "subset": {"values": {"version": version}}})
    }

    /// The shares of a table with these routes.
    fn read(routes: Value) -> Shares {
        Shares::read("echo", &json!({"spec": {"routes": routes}}))
    }

    fn single(destination: Value) -> Value {
        json!({"matchers": [{"prefix": "/"}], "routeAction": {"single": destination}})
    }

    #[test]
    fn the_shares_of_a_canary_are_read_with_its_header_route() {
        let header = json!({"matchers": [{"headers": [{"name": "stage"}], "prefix": "/"}],
            "routeAction": {"single": to("v2")}});
        let main = json!({"matchers": [{"prefix": "/"}], "routeAction": {"multi": {"destinations": [
            {"destination": to("v1"), "weight": 90}, {"destination": to("v2"), "weight": 10}]}}});
        let expected: Shares = [("v1", 90), ("v2", 10)].into_iter().collect();
        let expected = expected.with_primary("v1").with_header_target("v2");
        assert_eq!(read(json!([header, main])), expected);
        let host = json!({"spec": {"virtualHost": {"routes": [header, main]}}});
        assert_eq!(Shares::read("echo", &host), expected);
    }

    #[test]
    fn an_upstream_per_version_is_read_by_its_name() {
        let own = json!({"upstream": {"name": "echo-v2", "namespace": "echo"}});
        assert_eq!(read(json!([single(own)])).get("v2"), Some(100));
        let other = json!({"upstream": {"name": "echoes-v2"}});
        let shares = read(json!([single(other)]));
        assert!(shares.leads_elsewhere() && shares.iter().next().is_none());
    }

    #[test]
    fn an_upstream_whose_name_does_not_tell_its_version_is_read_by_the_annotation() {
        let own = json!({"upstream": {"name": "echo-1-4-2", "namespace": "echo"}});
        let said = json!({"annotations": {VERSIONS: "{\"echo-1-4-2\":\"1.4.2\"}"}});
        let object = json!({"metadata": said, "spec": {"routes": [single(own)]}});
        assert_eq!(Shares::read("echo", &object).get("1.4.2"), Some(100));
        assert_eq!(Shares::read("echo", &json!({"spec": object["spec"]})).get("1-4-2"), Some(100));
    }

    #[test]
    fn what_does_not_go_to_an_upstream_leads_elsewhere() {
        for route in [
            json!({"directResponseAction": {"status": 503}}),
            json!({"redirectAction": {}, "routeAction": {"single": to("v1")}}),
            json!({"delegateAction": {"name": "other"}}),
            json!({"routeAction": {"upstreamGroup": {"name": "echo"}}}),
            json!({"routeAction": {"clusterHeader": "x-to", "single": to("v1")}}),
            json!({"matchers": "none"}),
            json!({}),
        ] {
            let shares = read(json!([route]));
            assert!(shares.leads_elsewhere() && shares.used().next().is_none(), "{route}");
        }
    }

    #[test]
    fn options_that_gloo_cannot_decode_do_not_hide_who_answers() {
        let mut route = single(to("v1"));
        route["options"] = json!({"timeout": "soon", "retries": null});
        route["matchers"][0]["headers"] = Value::Null;
        let shares = read(json!([route]));
        assert_eq!((shares.get("v1"), shares.leads_elsewhere()), (Some(100), false));
    }

    #[test]
    fn an_object_without_routes_gives_nobody_anything() {
        for object in
            [json!({}), json!({"spec": {"routes": null}}), json!({"spec": {"routes": []}})]
        {
            assert_eq!(Shares::read("echo", &object), Shares::default());
        }
    }
}
