//! Which service takes over the requests of one that is removed: a file that was renamed is a service that goes and
//! one that comes.

use gloo::api::{Matcher, VirtualServiceSpec};
use gloo::{ObjectRef, Snapshot, config};
use serde_json::Value;

use crate::kind::Kind;
use crate::object_state::HttpRoute;
use crate::values::{Binding, Path, PathMatch, Service, hostnames};

/// Whether the service asks for requests that these live routes of another service get. Both have a RouteTable of one
/// `apiGroup`, or a VirtualService with one domain.
pub fn takes_over(service: &Service, routes: &ObjectRef, live: &Snapshot) -> bool {
    let group = match &service.routes.binding {
        Binding::ApiGroup(group) => group,
        Binding::Domains(domains) => {
            let host = virtual_service(routes, live);
            return host.is_some_and(|host| host.ssl_config.is_none() && meets(host, domains));
        }
    };
    let Some((labels, table)) = live.route_table(&routes.resource()) else { return false };
    let matchers = || table.routes.iter().flat_map(|route| &route.matchers);
    labels.get("apiGroup") == Some(group)
        && service.routes.paths.iter().any(|path| matchers().any(|matcher| meet(path, matcher)))
}

/// Whether the service asks for requests that this live HTTPRoute of another service gets.
pub fn takes_over_from(service: &Service, route: &HttpRoute) -> bool {
    let Some(api) = service.routes.gateway.gateway_api() else { return false };
    let is_same_place = match &service.routes.binding {
        Binding::ApiGroup(group) if api.profile.delegates() => route.group.as_ref() == Some(group),
        Binding::ApiGroup(_) => route.group.is_none() && route.hostnames.is_empty(),
        Binding::Domains(domains) => {
            let hosts = hostnames(domains);
            let is_any = hosts.is_empty() || route.hostnames.is_empty();
            route.group.is_none()
                && (is_any && hosts.len() == route.hostnames.len()
                    || hosts.iter().any(|host| route.hostnames.contains(host)))
        }
    };
    let matches = || route.rules.iter().filter_map(|rule| rule["matches"].as_array()).flatten();
    is_same_place
        && service.routes.paths.iter().any(|path| matches().any(|it| meet(path, &as_matcher(it))))
}

/// A match of an HTTPRoute as one of Gloo's, as far as its path and its method go.
fn as_matcher(matches: &Value) -> Matcher {
    let path = matches["path"]["value"].as_str().unwrap_or("/");
    let matcher = match matches["path"]["type"].as_str() {
        Some("Exact") => Matcher::exact(path),
        Some("RegularExpression") => Matcher::regex(path),
        _ => Matcher::prefix(path),
    };
    let methods = matches["method"].as_str().map(str::to_owned);
    Matcher { methods: methods.into_iter().collect(), ..matcher }
}

/// Whether the live VirtualService has a domain of this one: both cannot be there even for a moment (gloo-conformance
/// case 12-domains-duplicate). With and without TLS they belong to different Gateways.
pub fn has_same_domain(wanted: &VirtualServiceSpec, object: &ObjectRef, live: &Snapshot) -> bool {
    let host = virtual_service(object, live);
    let domains = wanted.virtual_host.as_ref().map(|host| host.domains.as_slice());
    host.is_some_and(|host| {
        host.ssl_config.is_some() == wanted.ssl_config.is_some()
            && meets(host, domains.unwrap_or_default())
    })
}

fn virtual_service<'a>(object: &ObjectRef, live: &'a Snapshot) -> Option<&'a VirtualServiceSpec> {
    let is_one = Kind::of_reference(object) == Some(Kind::VirtualService);
    live.virtual_service(&object.resource()).filter(|_| is_one)
}

/// Whether one of the domains is the VirtualService's. Case means nothing in them (case 12-domains), and none stands for
/// `*`.
fn meets(host: &VirtualServiceSpec, domains: &[String]) -> bool {
    let any = ["*".to_owned()];
    let or_any = |domains: &'_ [String]| -> Vec<String> {
        let domains = if domains.is_empty() { &any } else { domains };
        domains.iter().map(|domain| domain.to_ascii_lowercase()).collect()
    };
    let own = host.virtual_host.as_ref().map(|host| host.domains.as_slice());
    let own = or_any(own.unwrap_or_default());
    or_any(domains).iter().any(|domain| own.contains(domain))
}

/// Whether a request may fit both. Of expressions only the text that they begin with is looked at.
fn meet(path: &PathMatch, matcher: &Matcher) -> bool {
    let methods = &matcher.methods;
    let share_methods = path.methods.is_empty()
        || methods.is_empty()
        || methods.iter().any(|method| path.methods.contains(method));
    let (text, is_whole) = match &path.path {
        Path::Exact(text) => (text.clone(), true),
        Path::Prefix(text) => (text.clone(), false),
        Path::Regex(expression) => (beginning(expression), false),
    };
    let (other, other_is_whole) = match (&matcher.exact, &matcher.regex, &matcher.prefix) {
        (Some(text), _, _) => (text.clone(), true),
        (_, Some(expression), _) => (beginning(expression), false),
        (_, _, prefix) => (prefix.clone().unwrap_or_else(|| "/".to_owned()), false),
    };
    let fits = match (is_whole, other_is_whole) {
        (true, true) => text == other,
        (true, false) => text.starts_with(&other),
        (false, true) => other.starts_with(&text),
        (false, false) => text.starts_with(&other) || other.starts_with(&text),
    };
    share_methods && fits
}

/// The text that everything begins with that the expression matches.
fn beginning(expression: &str) -> String {
    config::PathMatch::Regex(expression.to_owned()).beginning()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tree::Tree;
    use crate::values::Repository;

    fn service(paths: &str) -> Repository {
        let values = format!(
            "deployment: {{v1: }}\nroutes: {{apiGroup: example, paths: {paths}, primary: {{version: v1}}}}\n"
        );
        let files = [("services/golf.yaml".to_owned(), values.as_str().into())];
        Repository::parse(&Tree { revision: "r".into(), files: files.into() })
    }

    fn live(group: &str, matchers: serde_json::Value) -> Snapshot {
        let mut live = Snapshot::default();
        live.upsert(&json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": "echo-routes", "namespace": "echo", "labels": {"apiGroup": group}},
            "spec": {"routes": [{"matchers": matchers}]}}));
        live
    }

    #[test]
    fn a_service_takes_over_from_routes_that_get_the_same_requests() {
        let routes = ObjectRef::new("RouteTable", "echo", "echo-routes");
        let takes = |paths: &str, group: &str, matchers: serde_json::Value| {
            let repository = service(paths);
            let service = repository.services["golf"].as_ref().expect("valid");
            takes_over(service, &routes, &live(group, matchers))
        };
        let echo = || json!([{"prefix": "/echo"}]);
        assert!(takes("[{prefix: /echo}]", "example", echo()));
        assert!(takes("[{prefix: /}]", "example", echo()));
        assert!(takes("[{exact: /echo/health}]", "example", echo()));
        assert!(takes("[{regex: \"/ec.*\"}]", "example", echo()));
        assert!(takes("[{prefix: /x}, {prefix: /echo}]", "example", json!([{"exact": "/echo"}])));
        assert!(takes("[{prefix: /echo}]", "example", json!([{"regex": "/echo?/.*"}])));
        for regex in
            ["/echos?", "/(echo|golf)/.*", "/echo|/golf", "(?i)/ECHO", "/e[c]ho", "/e\\\\x63ho"]
        {
            let paths = format!("[{{regex: \"{regex}\"}}]");
            assert!(takes(&paths, "example", echo()), "{regex}");
        }
        assert!(
            !takes("[{regex: \"/golf|/gulf\"}]", "example", echo()),
            "all of it begins with /g"
        );
        assert!(!takes("[{prefix: /golf}]", "example", echo()));
        assert!(!takes("[{prefix: /echo}]", "other", echo()));
        assert!(!takes("[{exact: /echo}]", "example", json!([{"exact": "/echo/health"}])));
        let post = json!([{"prefix": "/echo", "methods": ["POST"]}]);
        assert!(!takes("[{prefix: /echo, methods: [GET]}]", "example", post.clone()));
        assert!(takes("[{prefix: /echo, methods: [GET, POST]}]", "example", post));
    }

    #[test]
    fn a_service_takes_over_from_http_routes_of_the_same_place() {
        let takes = |binding: &str, profile: &str, route: &HttpRoute| {
            let values = format!(
                "deployment: {{v1: }}\nroutes: {{{binding}, primary: {{version: v1}}, \
                 gateway: {{api: gateway-api, profile: {profile}, gateways: [{{name: edge}}]}}}}\n"
            );
            let files = [("services/golf.yaml".to_owned(), values.as_str().into())];
            let repository = Repository::parse(&Tree { revision: "r".into(), files: files.into() });
            takes_over_from(repository.services["golf"].as_ref().expect("valid"), route)
        };
        let rules = |path: &str| {
            vec![json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}]})]
        };
        let child =
            HttpRoute { group: Some("a".into()), rules: rules("/golf"), ..HttpRoute::default() };
        assert!(takes("apiGroup: a", "kgateway", &child));
        assert!(!takes("apiGroup: b", "kgateway", &child));
        assert!(!takes(
            "apiGroup: a",
            "kgateway",
            &HttpRoute { rules: rules("/echo"), ..child.clone() }
        ));
        let any = HttpRoute { rules: rules("/golf"), ..HttpRoute::default() };
        assert!(takes("apiGroup: a", "envoy-gateway", &any));
        assert!(takes("domains: ['*']", "envoy-gateway", &any));
        let host = HttpRoute { hostnames: vec!["a.example".into()], ..any.clone() };
        assert!(takes("domains: [A.example]", "envoy-gateway", &host));
        assert!(!takes("domains: [b.example]", "envoy-gateway", &host));
        assert!(!takes("domains: ['*']", "envoy-gateway", &host), "the other is more particular");
        assert!(!takes_over_from(
            service("[{prefix: /golf}]").services["golf"].as_ref().expect("valid"),
            &any
        ));
    }

    #[test]
    fn a_service_takes_over_from_a_virtual_service_with_one_of_its_domains() {
        let host = ObjectRef::new("VirtualService", "echo", "echo");
        let takes = |domains: &str, live: serde_json::Value| {
            let values = format!(
                "deployment: {{v1: }}\nroutes: {{domains: {domains}, primary: {{version: v1}}}}\n"
            );
            let files = [("services/golf.yaml".to_owned(), values.as_str().into())];
            let repository = Repository::parse(&Tree { revision: "r".into(), files: files.into() });
            let mut snapshot = Snapshot::default();
            snapshot.upsert(&json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
                "metadata": {"name": "echo", "namespace": "echo"}, "spec": live}));
            takes_over(repository.services["golf"].as_ref().expect("valid"), &host, &snapshot)
        };
        let of = |domains: serde_json::Value| json!({"virtualHost": {"domains": domains}});
        assert!(takes("[a.example, b.example]", of(json!(["B.example"]))));
        assert!(takes("['*']", of(json!([]))));
        assert!(!takes("[a.example]", of(json!(["b.example", "*"]))));
        let tls = json!({"virtualHost": {"domains": ["a.example"]},
            "sslConfig": {"secretRef": {"name": "a", "namespace": "a"}}});
        assert!(!takes("[a.example]", tls), "another Gateway has it");
    }
}
